"""BASIC features: which colour is in which tile of Atari's screen; what is in which cell of a grid.

Atari's are those of Bellemare et al. (2013): 14 x 16 tiles of 15 x 10 pixels, 128 colours. Pixels
that never change while random actions are played are background and show nothing, as long as they
have their colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.planning.evaluation import Atoms

if TYPE_CHECKING:
    from envs.simulator import Simulator

ROWS, COLUMNS, COLOURS = 14, 16, 128
HEIGHT, WIDTH = 15, 10  # of a tile, in pixels
BASIC_ATOMS = ROWS * COLUMNS * COLOURS
#: No colour: palette indices are even.
CHANGING = 255


class GridBasic:
    """The grid world's own atoms: cell * kinds + kind of what is there."""

    ascending = True

    def __init__(self, simulator: Any) -> None:
        self.atom_count = int(simulator.atom_count)
        self._kinds: Sequence[str] = simulator.problem.unwrapped.kinds

    def atoms(self, simulator: Any, parent: Atoms | None) -> Atoms:
        atoms: Atoms = simulator.basic_atoms()
        return atoms

    def name(self, atom: int) -> str:
        cell, kind = divmod(atom, len(self._kinds))
        return f"{self._kinds[kind]} in cell {cell}"


class AtariBasic:
    """Atom: (tile row * 16 + tile column) * 128 + colour.

    Args:
        background: uint8 [210, 160] palette indices, `CHANGING` where there is none.
    """

    atom_count = BASIC_ATOMS
    ascending = True

    def __init__(self, background: NDArray[np.uint8]) -> None:
        self._background = np.ascontiguousarray(background)
        self._found = np.empty(BASIC_ATOMS, dtype=np.int32)

    def atoms(self, simulator: Simulator, parent: Atoms | None) -> Atoms:
        count = find_colours(simulator.screen(), self._background, self._found)
        return self._found[:count].copy()

    def name(self, atom: int) -> str:
        return basic_name(atom)


def basic_name(atom: int) -> str:
    """A BASIC atom in words."""
    tile, colour = divmod(atom, COLOURS)
    return f"colour {2 * colour} in tile [{tile // COLUMNS}, {tile % COLUMNS}]"


def background(simulator: Simulator, rng: np.random.Generator, steps: int) -> NDArray[np.uint8]:
    """What does not change on the screen while so many random actions are played; see
    `AtariBasic`. With no steps there is no background. The screen that an episode begins with does
    not count: some games (Pong) show it in colours of its own."""
    simulator.reset(int(rng.integers(2**31)))
    seen = np.full((ROWS * HEIGHT, COLUMNS * WIDTH), CHANGING, dtype=np.uint8)
    for number, action in enumerate(rng.integers(len(simulator.actions), size=steps)):
        outcome = simulator.step(int(action))
        screen = simulator.screen()
        if number == 0:
            seen[:] = screen
        seen[seen != screen] = CHANGING
        if outcome.terminated or outcome.truncated:
            simulator.reset(int(rng.integers(2**31)))
    return seen


@njit(cache=True)
def find_colours(
    screen: NDArray[np.uint8], background: NDArray[np.uint8], found: NDArray[np.int32]
) -> int:
    """Writes the atoms of a screen [210, 160], ascending; returns how many there are."""
    count = 0
    low = np.zeros(COLUMNS, dtype=np.uint64)
    high = np.zeros(COLUMNS, dtype=np.uint64)
    one = np.uint64(1)
    for row in range(ROWS):
        low[:] = 0
        high[:] = 0
        for y in range(row * HEIGHT, (row + 1) * HEIGHT):
            line, behind = screen[y], background[y]
            for column in range(COLUMNS):
                seen_low, seen_high = low[column], high[column]
                for x in range(column * WIDTH, (column + 1) * WIDTH):
                    pixel = line[x]
                    if pixel != behind[x]:
                        colour = np.uint64(pixel >> 1)
                        if colour < 64:
                            seen_low |= one << colour
                        else:
                            seen_high |= one << (colour & np.uint64(63))
                low[column], high[column] = seen_low, seen_high
        for column in range(COLUMNS):
            first = (row * COLUMNS + column) * COLOURS
            count = _write_bits(low[column], first, found, count)
            count = _write_bits(high[column], first + 64, found, count)
    return count


@njit(cache=True)
def _write_bits(bits: np.uint64, first: int, found: NDArray[np.int32], count: int) -> int:
    one, position = np.uint64(1), 0
    while bits != 0:
        if bits & one != 0:
            found[count] = first + position
            count += 1
        bits >>= one
        position += 1
    return count
