"""Pixels of the observation: one atom for each number of the newest picture and each value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from agents.planning.evaluation import Atoms

if TYPE_CHECKING:
    from envs.simulator import Simulator


class Pixels:
    """Atom: value * pixels + number of the pixel (O'Toole et al. 2021), since pixels of one value
    come in areas, and a table is quickest where neighbours are entered together. Of a stack of
    pictures, whose first axis is the shortest, only the last is looked at.

    Args:
        space: of uint8 [H, W], [H, W, channels] or [frames, H, W].
    """

    ascending = False

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        shape = space.shape or ()
        self._stacked = len(shape) == 4 or (len(shape) == 3 and shape[0] < shape[2])
        self._shape = shape[1:] if self._stacked else shape
        self._numbers = np.arange(int(np.prod(self._shape)), dtype=np.int32)
        self._pixels = np.int32(len(self._numbers))
        self.atom_count = len(self._numbers) * 256

    def atoms(self, simulator: Simulator, parent: Atoms | None) -> Atoms:
        observation = simulator.observation()
        picture = observation[-1] if self._stacked else observation
        atoms: Atoms = picture.reshape(-1) * self._pixels + self._numbers
        return atoms

    def name(self, atom: int) -> str:
        value, pixel = divmod(atom, int(self._pixels))
        place = ", ".join(str(int(i)) for i in np.unravel_index(pixel, self._shape))
        return f"pixel[{place}] = {value}"
