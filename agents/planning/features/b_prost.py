"""B-PROST features (Liang et al. 2016): BASIC, and pairs of colours at offsets of tiles.

B-PROS: two colours are on the screen at an offset of (rows, columns) tiles. B-PROT: a colour is on
the screen at an offset from where another one was before the last step. Their number grows with the
square of the number of BASIC atoms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.planning.evaluation import Atoms
from agents.planning.features.basic import (
    BASIC_ATOMS,
    COLOURS,
    COLUMNS,
    ROWS,
    basic_name,
    find_colours,
)

if TYPE_CHECKING:
    from envs.simulator import Simulator

_WIDE, _HIGH = 2 * COLUMNS - 1, 2 * ROWS - 1
_OFFSETS = _WIDE * _HIGH
_PAIRS = COLOURS**2
#: Offsets of which none is another's opposite, (0, 0) left out.
_HALF = (_OFFSETS - 1) // 2
#: Pairs in one tile: unordered, a colour with itself included.
_SAME_TILE = COLOURS * (COLOURS + 1) // 2
SPACE_ATOMS = _HALF * _PAIRS + _SAME_TILE
TIME_ATOMS = _OFFSETS * _PAIRS


class BProst:
    """Atoms: BASIC's; from `BASIC_ATOMS` on B-PROS's; from there + `SPACE_ATOMS` on B-PROT's.

    Args:
        background: as for `agents.planning.features.basic.AtariBasic`.
    """

    atom_count = BASIC_ATOMS + SPACE_ATOMS + TIME_ATOMS
    ascending = False

    def __init__(self, background: NDArray[np.uint8]) -> None:
        self._background = np.ascontiguousarray(background)
        self._basic = np.empty(BASIC_ATOMS, dtype=np.int32)
        self._found = np.empty(2**16, dtype=np.int32)
        self._seen = np.zeros(self.atom_count, dtype=np.bool_)

    def atoms(self, simulator: Simulator, parent: Atoms | None) -> Atoms:
        count = find_colours(simulator.screen(), self._background, self._basic)
        now = self._basic[:count]
        before = now[:0]
        if parent is not None:
            # a parent's first atoms are its BASIC ones
            before = parent[: np.searchsorted(parent >= BASIC_ATOMS, True)]
        most = count + count * (count + 1) // 2 + count * len(before)
        if most > len(self._found):
            self._found = np.empty(2 * most, dtype=np.int32)
        found = find_pairs(now, before, self._seen, self._found)
        return self._found[:found].copy()

    def name(self, atom: int) -> str:
        if atom < BASIC_ATOMS:
            return basic_name(atom)
        atom -= BASIC_ATOMS
        if atom < SPACE_ATOMS:
            if atom >= _HALF * _PAIRS:
                return f"two colours in one tile, number {atom - _HALF * _PAIRS}"
            offset, pair = divmod(atom, _PAIRS)
            rows, columns = _apart(offset + _HALF + 1)
            verb = "with"
        else:
            offset, pair = divmod(atom - SPACE_ATOMS, _PAIRS)
            rows, columns = _apart(offset)
            verb = "then"
        first, second = divmod(pair, COLOURS)
        return f"colour {2 * first} {verb} {2 * second} at [{rows:+d}, {columns:+d}]"


def _apart(offset: int) -> tuple[int, int]:
    return offset // _WIDE - (ROWS - 1), offset % _WIDE - (COLUMNS - 1)


@njit(cache=True)
def _mark(atom: int, seen: NDArray[np.bool_], found: NDArray[np.int32], count: int) -> int:
    if not seen[atom]:
        seen[atom] = True
        found[count] = atom
        count += 1
    return count


@njit(cache=True)
def find_pairs(now: Atoms, before: Atoms, seen: NDArray[np.bool_], found: NDArray[np.int32]) -> int:
    """Writes all atoms of a screen with the BASIC atoms `now`, `before` being those of the screen
    before; returns how many there are. `seen` is all False, before and after."""
    count = len(now)
    found[:count] = now
    for i in range(len(now)):
        tile, colour = now[i] // COLOURS, now[i] % COLOURS
        row, column = tile // COLUMNS, tile % COLUMNS
        for j in range(i, len(now)):
            # ascending atoms: the other tile is this one, or lies behind it
            other, second = now[j] // COLOURS, now[j] % COLOURS
            if other == tile:
                atom = _HALF * _PAIRS + second * (second + 1) // 2 + colour
            else:
                down, right = other // COLUMNS - row, other % COLUMNS - column
                offset = (down + ROWS - 1) * _WIDE + right + COLUMNS - 1 - (_HALF + 1)
                atom = offset * _PAIRS + colour * COLOURS + second
            count = _mark(BASIC_ATOMS + atom, seen, found, count)
        for j in range(len(before)):
            other, first = before[j] // COLOURS, before[j] % COLOURS
            down, right = row - other // COLUMNS, column - other % COLUMNS
            offset = (down + ROWS - 1) * _WIDE + right + COLUMNS - 1
            atom = offset * _PAIRS + first * COLOURS + colour
            count = _mark(BASIC_ATOMS + SPACE_ATOMS + atom, seen, found, count)
    for i in range(len(now), count):
        seen[found[i]] = False
    return count
