"""Models of problems whose answers are known. A latent state is the state's number, or a board."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.search.model import Steps


class TableModel:
    """A deterministic problem with states 0 to S - 1.

    Attributes:
        following, rewards: [S, A].
        values: [S] what the network would say.
        logits: [S, A], or Q.
    """

    def __init__(
        self,
        following: Any,
        rewards: Any,
        values: Any = None,
        logits: Any = None,
    ) -> None:
        self.following = np.array(following, np.int64)
        self.rewards = np.array(rewards, np.float64)
        states, actions = self.following.shape
        self.values = np.zeros(states) if values is None else np.array(values, np.float64)
        self.logits = np.zeros((states, actions)) if logits is None else np.array(logits, float)

    def recurrent(self, latents: NDArray[Any], actions: NDArray[np.int64]) -> Steps:
        after = self.following[latents, actions]
        return Steps(after, self.rewards[latents, actions], self.logits[after], self.values[after])

    def root(self, *states: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Latent states, logits and values to search from."""
        at = np.array(states)
        return at, self.logits[at], self.values[at]

    def optimal(self, discount: float) -> NDArray[np.float64]:
        """Q* [S, A] by value iteration."""
        q = np.zeros_like(self.rewards)
        for _ in range(2000):
            q = self.rewards + discount * q.max(axis=1)[self.following]
        return q


LINES = np.array(
    [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]]
)


class TicTacToe:
    """The rules. A board [9] has 1 where the player to move has a stone and -1 where the other."""

    def recurrent(self, latents: NDArray[Any], actions: NDArray[np.int64]) -> Steps:
        boards = latents.copy()
        every = np.arange(len(boards))
        playing = ~over(boards) & (boards[every, actions] == 0)
        boards[every[playing], actions[playing]] = 1
        wins = playing & (boards[:, LINES] == 1).all(axis=2).any(axis=1)
        boards[playing] *= -1
        return Steps(boards, wins.astype(float), logits(boards), np.zeros(len(boards)))


def over(boards: NDArray[Any]) -> NDArray[np.bool_]:
    """[B] whether the last move won, or the board is full."""
    lost = (boards[:, LINES] == -1).all(axis=2).any(axis=1)
    ended: NDArray[np.bool_] = lost | (boards != 0).all(axis=1)
    return ended


def logits(boards: NDArray[Any]) -> NDArray[np.float64]:
    """[B, 9] uniform over free cells; -inf everywhere where the game is over."""
    free = (boards == 0) & ~over(boards)[:, None]
    return np.where(free, 0.0, -np.inf)


def positions() -> NDArray[np.int8]:
    """Every board that play can reach and that is not over."""
    found: set[tuple[int, ...]] = set()
    front: list[tuple[int, ...]] = [(0,) * 9]
    while front:
        board = front.pop()
        if board in found or over(np.array([board]))[0]:
            continue
        found.add(board)
        for cell in range(9):
            if board[cell] == 0:
                after = [-stone for stone in board]
                after[cell] = -1
                front.append(tuple(after))
    return np.array(sorted(found), np.int8)


def winning(boards: NDArray[Any], player: int) -> NDArray[np.bool_]:
    """[B, 9] cells on which `player` (1: who is to move) would complete a line."""
    stones = boards[:, LINES]
    ripe = ((stones == player).sum(axis=2) == 2) & ((stones == 0).sum(axis=2) == 1)
    cells = np.zeros(boards.shape, bool)
    for line, places in enumerate(LINES):
        for place in places:
            cells[:, place] |= ripe[:, line] & (boards[:, place] == 0)
    return cells
