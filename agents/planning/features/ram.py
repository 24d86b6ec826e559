"""Atari's memory: one atom for each of the 128 bytes and each of its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.planning.evaluation import Atoms

if TYPE_CHECKING:
    from envs.simulator import Simulator

_FIRST = np.arange(128, dtype=np.int32) * 256


class Ram:
    """Atom: byte * 256 + value."""

    atom_count = 128 * 256
    ascending = True

    def atoms(self, simulator: Simulator, parent: Atoms | None) -> Atoms:
        atoms: Atoms = _FIRST + simulator.ram()
        return atoms

    def name(self, atom: int) -> str:
        byte, value = divmod(atom, 256)
        return f"ram[{byte}] = {value}"
