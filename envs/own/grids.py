"""What the grid worlds of planning papers share: a drawn map, three observations, BASIC features.

After gridenvs (Junyent, Jonsson and Gomez 2019): coloured cells, seen as a picture of 84 x 84.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cache
from typing import Any, ClassVar, Literal

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from envs.drawing import BLACK, Canvas, Colour
from envs.own.base import OwnEnvironment

OBSERVATIONS = ("rgb", "compact", "basic")
SIDE = 84
Cell = tuple[int, int]
"""(column, row)."""

#: Name -> (columns, rows) of a move; row 0 is the top.
MOVES = {"NOOP": (0, 0), "NORTH": (0, -1), "EAST": (1, 0), "SOUTH": (0, 1), "WEST": (-1, 0)}
#: Kind of thing -> its colour.
COLOURS: dict[str, Colour] = {
    ".": BLACK,
    "W": (155, 155, 155),  # wall
    "D": (0, 255, 0),  # door, or goal
    "K": (255, 0, 0),  # key
    "H": (0, 0, 255),  # hero, who hides what is beneath
}


class GridOfThings(OwnEnvironment):
    """Cells that hold a thing each; nothing is random but the start.

    A state begins with the hero's column and row. ``observation`` is "rgb": uint8 [84, 84, 3], a
    colour for each cell, resized by area; "compact": float32, the numbers of the state, all in
    [0, 1]; or "basic": float32 [cells * kinds], 1 where that cell shows that kind.
    """

    few_states: ClassVar = True
    draws_in_step: ClassVar = False
    has_basic_features: ClassVar = True
    kinds: ClassVar[str]
    """What a cell may show, of ``COLOURS``."""
    map: ClassVar[str]
    """A letter for each cell, rows apart by spaces; ``H`` is where the hero starts."""

    def __init__(
        self,
        render_mode: str | None = None,
        observation: Literal["rgb", "compact", "basic"] = "rgb",
    ) -> None:
        super().__init__(render_mode)
        if observation not in OBSERVATIONS:
            raise ValueError(f"observation is one of {OBSERVATIONS}, not {observation!r}")
        rows = self.map.split()
        self.observation = observation
        self.rows, self.cols = len(rows), len(rows[0])
        self._found: dict[str, list[Cell]] = {letter: [] for letter in COLOURS}
        for y, row in enumerate(rows):
            for x, letter in enumerate(row):
                self._found[letter].append((x, y))
        self._walls = frozenset(self._found["W"])
        self._ground = np.zeros((self.rows, self.cols), np.uint8)  # the kinds that stay
        for x, y in self._walls:
            self._ground[y, x] = self.kinds.index("W")
        self._colours = np.array([COLOURS[kind] for kind in self.kinds], np.float64)
        self.atom_count = self.rows * self.cols * len(self.kinds)
        size = len(self._compact_scale())
        spaces: dict[str, Box] = {
            "rgb": Box(0, 255, (SIDE, SIDE, 3), np.uint8),
            "compact": Box(0.0, 1.0, (size,), np.float32),
            "basic": Box(0.0, 1.0, (self.atom_count,), np.float32),
        }
        self.observation_space = spaces[observation]

    def basic_atoms(self) -> NDArray[np.int32]:
        """int32 [cells]: cell * kinds + kind, of each cell, row by row from the top."""
        kinds = self._shown().ravel().astype(np.int32)
        return np.arange(kinds.size, dtype=np.int32) * len(self.kinds) + kinds

    @abstractmethod
    def _things(self) -> dict[str, Cell]:
        """Where the things that move or vanish are, by kind, the hero apart."""

    def _compact_scale(self) -> tuple[float, ...]:
        """What the numbers of the state are divided by."""
        return (self.cols - 1.0, self.rows - 1.0)

    def _shown(self) -> NDArray[np.uint8]:
        """[rows, cols] of indices of ``kinds``."""
        shown = self._ground.copy()
        for kind, (x, y) in self._things().items():
            shown[y, x] = self.kinds.index(kind)
        column, row = self._state[:2]
        shown[int(row), int(column)] = self.kinds.index("H")
        return shown

    def _observation(self) -> Any:
        if self.observation == "compact":
            return np.divide(self._state, self._compact_scale()).astype(np.float32)
        if self.observation == "basic":
            atoms = np.zeros(self.atom_count, np.float32)
            atoms[self.basic_atoms()] = 1
            return atoms
        colours = self._colours[self._shown()]  # [rows, cols, 3]
        across, down = overlaps(self.cols), overlaps(self.rows)
        wide = across @ colours  # [rows, 84, 3]
        picture = down @ wide.reshape(self.rows, -1)
        return np.rint(picture).astype(np.uint8).reshape(SIDE, SIDE, 3)

    def _draw(self, canvas: Canvas) -> None:
        width, height = 1 / self.cols, 1 / self.rows
        shown = self._shown()
        for row in range(self.rows):
            for col in range(self.cols):
                low = (col * width, 1 - (row + 1) * height)
                high = ((col + 1) * width, 1 - row * height)
                canvas.rectangle(low, high, COLOURS[self.kinds[shown[row, col]]])


@cache
def overlaps(cells: int) -> NDArray[np.float64]:
    """[84, cells]: which part of a pixel lies in a cell."""
    begin = np.arange(SIDE)[:, None] * (cells / SIDE)
    cell = np.arange(cells)[None, :]
    shared = np.minimum(begin + cells / SIDE, cell + 1) - np.maximum(begin, cell)
    weights: NDArray[np.float64] = np.maximum(shared, 0.0) * (SIDE / cells)
    return weights
