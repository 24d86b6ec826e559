"""Pixels of the observation: one atom for each number of the newest picture and each value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from agents.planning.evaluation import Atoms

if TYPE_CHECKING:
    from envs.simulator import Simulator


class Pixels:
    """Atom: number of the pixel * 256 + value (O'Toole et al. 2021). Of a stack of pictures, whose
    first axis is the shortest, only the last is looked at.

    Args:
        space: of uint8 [H, W], [H, W, channels] or [frames, H, W].
    """

    ascending = True

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        shape = space.shape or ()
        self._stacked = len(shape) == 4 or (len(shape) == 3 and shape[0] < shape[2])
        self._shape = shape[1:] if self._stacked else shape
        pixels = int(np.prod(self._shape))
        self._first = np.arange(pixels, dtype=np.int32) * 256
        self.atom_count = pixels * 256

    def atoms(self, simulator: Simulator, parent: Atoms | None) -> Atoms:
        observation = simulator.observation()
        picture = observation[-1] if self._stacked else observation
        atoms: Atoms = self._first + picture.reshape(-1)
        return atoms

    def name(self, atom: int) -> str:
        pixel, value = divmod(atom, 256)
        place = ", ".join(str(int(i)) for i in np.unravel_index(pixel, self._shape))
        return f"pixel[{place}] = {value}"
