"""Dynamic features (Junyent et al. 2019): which units of a network's last hidden layer are on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.planning.evaluation import Atoms


def dynamic_atom_count(units: int, *, two_sided: bool) -> int:
    """How many atoms so many units have."""
    return 2 * units if two_sided else units


def dynamic_atoms(hidden: NDArray[Any], *, two_sided: bool) -> Atoms:
    """The atoms of units [F] after their ReLU (or of booleans).

    Two-sided, being on and being off are atoms both: unit * 2 + on. One-sided, only being on is:
    unit.
    """
    on = hidden > 0
    if two_sided:
        atoms: Atoms = np.arange(0, 2 * len(on), 2, dtype=np.int32) + on
        return atoms
    return np.flatnonzero(on).astype(np.int32)


def dynamic_atom_name(atom: int, *, two_sided: bool) -> str:
    """An atom in words."""
    if two_sided:
        return f"unit {atom // 2} {'on' if atom % 2 else 'off'}"
    return f"unit {atom} on"
