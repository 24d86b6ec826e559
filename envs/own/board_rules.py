"""The rules of board games of two, on sets of stones that are the bits of Python integers.

A position is two such sets: the stones of the player to move, and those of the other one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Position = tuple[int, int]
"""(stones of the player to move, stones of the other one)."""


class Rules(ABC):
    """Stones are put on a board by turns; who first has so many in a line wins."""

    rows: ClassVar[int]
    columns: ClassVar[int]
    actions: ClassVar[int]
    full: ClassVar[int]
    """The stones of a board without room."""

    @staticmethod
    @abstractmethod
    def won(stones: int) -> bool:
        """Whether there is a line."""

    @staticmethod
    @abstractmethod
    def stone(action: int, occupied: int) -> int:
        """The stone that an action puts on a board; 0 where it is not allowed."""

    @staticmethod
    @abstractmethod
    def moves(occupied: int) -> tuple[int, ...]:
        """The actions that are allowed."""

    @staticmethod
    @abstractmethod
    def mask(occupied: int) -> NDArray[np.int8]:
        """[actions], 1 where one is allowed."""

    @staticmethod
    @abstractmethod
    def board(position: Position) -> NDArray[np.bool_]:
        """[rows, columns, 2], row 0 at the top: the player to move's stones, and the other's."""

    @staticmethod
    @abstractmethod
    def flat(position: Position) -> NDArray[np.float32]:
        """[2 * columns * rows], the same as 0 and 1: the player to move's stones, column by column
        from the top, then the other's."""

    @classmethod
    def wins(cls, stones: int, occupied: int) -> list[int]:
        """The actions that make a line of these stones."""
        moves = cls.moves(occupied)
        return [move for move in moves if cls.won(stones | cls.stone(move, occupied))]


class TicTacToe(Rules):
    """Three in a line on 3 x 3 cells; action and bit number 3 * row + column."""

    rows, columns, actions, full = 3, 3, 9, 0b111_111_111

    @staticmethod
    @cache
    def won(stones: int) -> bool:
        lines = (0b111, 0b111000, 0b111000000, 0o111, 0o222, 0o444, 0o421, 0o124)
        return any(stones & line == line for line in lines)

    @staticmethod
    def stone(action: int, occupied: int) -> int:
        stone = 1 << action
        return 0 if occupied & stone else stone

    @staticmethod
    @cache
    def moves(occupied: int) -> tuple[int, ...]:
        return tuple(action for action in range(9) if not occupied >> action & 1)

    @staticmethod
    def mask(occupied: int) -> NDArray[np.int8]:
        return _mask(9, TicTacToe.moves(occupied)).copy()

    @staticmethod
    def board(position: Position) -> NDArray[np.bool_]:
        return _small_board(position).copy()

    @staticmethod
    def flat(position: Position) -> NDArray[np.float32]:
        return _small_board(position).transpose(2, 1, 0).ravel().astype(np.float32)


@cache
def _small_board(position: Position) -> NDArray[np.bool_]:
    cells = [[stones >> cell & 1 for stones in position] for cell in range(9)]
    return np.array(cells, np.bool_).reshape(3, 3, 2)


class Connect4(Rules):
    """Four in a line in 7 columns of 6, into which stones fall; an action is a column.

    Bit 8 * column + height, from the left and from the bottom: two bits of each column stay empty,
    so that no line goes from one into the next.
    """

    rows, columns, actions = 6, 7, 7
    full = 0x3F3F3F3F3F3F3F
    _HIGHEST = 0x20202020202020

    @staticmethod
    def won(stones: int) -> bool:
        pairs = stones & stones >> 1  # upwards
        if pairs & pairs >> 2:
            return True
        pairs = stones & stones >> 8  # to the right
        if pairs & pairs >> 16:
            return True
        pairs = stones & stones >> 9  # to the right and upwards
        if pairs & pairs >> 18:
            return True
        pairs = stones & stones >> 7  # to the right and downwards
        return pairs & pairs >> 14 != 0

    @staticmethod
    def stone(action: int, occupied: int) -> int:
        # a column is filled from below: adding 1 to it carries into its lowest free cell
        column = 0x3F << 8 * action
        return (occupied + (1 << 8 * action)) & column & ~occupied

    @staticmethod
    def moves(occupied: int) -> tuple[int, ...]:
        return _open_columns(occupied & Connect4._HIGHEST)

    @staticmethod
    def mask(occupied: int) -> NDArray[np.int8]:
        return _mask(7, Connect4.moves(occupied)).copy()

    @staticmethod
    def board(position: Position) -> NDArray[np.bool_]:
        mine, theirs = position
        cells = b"".join(map(_AS_BOOL, (mine | theirs << 56).to_bytes(14, "little")))
        return np.frombuffer(cells, np.bool_).reshape(2, 7, 6).transpose(2, 1, 0)

    @staticmethod
    def flat(position: Position) -> NDArray[np.float32]:
        mine, theirs = position
        cells = map(_AS_FLOAT, (mine | theirs << 56).to_bytes(14, "little"))
        return np.frombuffer(b"".join(cells), np.float32)


def _columns(kind: type[np.generic]) -> list[bytes]:
    """By the six bits of a column, its cells from the top, as the bytes of an array."""
    heights = range(5, -1, -1)
    return [np.array([bits >> h & 1 for h in heights], kind).tobytes() for bits in range(64)]


_AS_BOOL = _columns(np.bool_).__getitem__
_AS_FLOAT = _columns(np.float32).__getitem__


@cache
def _open_columns(highest: int) -> tuple[int, ...]:
    return tuple(column for column in range(7) if not highest >> 8 * column + 5 & 1)


@cache
def _mask(actions: int, moves: tuple[int, ...]) -> NDArray[np.int8]:
    mask = np.zeros(actions, np.int8)
    mask[list(moves)] = 1
    return mask
