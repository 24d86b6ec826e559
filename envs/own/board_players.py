"""Who an agent plays a board game against. All that is random comes from the generator given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Protocol

import numpy as np

from envs.own.board_rules import Position, Rules


class Player(Protocol):
    """Somebody who has moves, and no memory."""

    def move(self, position: Position, rng: np.random.Generator) -> int:
        """An action that is allowed in `position`, where it is this player's turn."""
        ...


class RandomPlayer:
    """Any move."""

    def __init__(self, rules: type[Rules]) -> None:
        self._rules = rules

    def move(self, position: Position, rng: np.random.Generator) -> int:
        return one_of(self._rules.moves(position[0] | position[1]), rng)


class RulePlayer:
    """Wins if it can, else keeps the other from winning with the next move, else takes what is
    nearest to the middle, but nothing that lets the other win with the next move."""

    def __init__(self, rules: type[Rules], distance: Sequence[float]) -> None:
        """
        Args:
            distance: [actions] from the middle; equal ones are a matter of chance.
        """
        self._rules, self._distance = rules, distance

    def move(self, position: Position, rng: np.random.Generator) -> int:
        mine, theirs = position
        rules, occupied = self._rules, mine | theirs
        urgent = rules.wins(mine, occupied) or rules.wins(theirs, occupied)
        if urgent:
            return one_of(urgent, rng)
        moves = rules.moves(occupied)
        safe = [
            move for move in moves if not rules.wins(theirs, occupied | rules.stone(move, occupied))
        ]
        left = safe or moves
        nearest = min(self._distance[move] for move in left)
        return one_of([move for move in left if self._distance[move] == nearest], rng)


class PerfectPlayer:
    """Knows how every position ends (minimax), and picks any of the best moves: small games only.
    It never loses what it could draw, and does not hurry to win."""

    def __init__(self, rules: type[Rules]) -> None:
        self._rules = rules

    def move(self, position: Position, rng: np.random.Generator) -> int:
        values = {
            move: -outcome(self._rules, *_after(self._rules, position, move))
            for move in self._rules.moves(position[0] | position[1])
        }
        best = max(values.values())
        return one_of([move for move, value in values.items() if value == best], rng)


@cache
def outcome(rules: type[Rules], mine: int, theirs: int) -> int:
    """How a position ends for the player to move when both play their best: 1, 0 or -1."""
    if rules.won(theirs):
        return -1
    moves = rules.moves(mine | theirs)
    position = (mine, theirs)
    return max((-outcome(rules, *_after(rules, position, move)) for move in moves), default=0)


def _after(rules: type[Rules], position: Position, move: int) -> Position:
    mine, theirs = position
    return theirs, mine | rules.stone(move, mine | theirs)


class RolloutPlayer:
    """Monte Carlo tree search with UCB1 (UCT; Kocsis and Szepesvari 2006), a new tree a move: each
    leaf is valued by one game of random moves to its end."""

    def __init__(self, rules: type[Rules], rollouts: int, exploration: float = 0.5) -> None:
        """
        Args:
            rollouts: simulations for each move.
            exploration: factor of UCB1's bonus, where a win counts 1, a draw 1/2 and a loss 0.
                With 1000 rollouts 0.35, 0.5 and 0.7 play Connect Four equally well, and beat 1.
        """
        self._rules, self._rollouts, self._exploration = rules, rollouts, exploration

    def move(self, position: Position, rng: np.random.Generator) -> int:
        draw = _uniform(rng).__next__
        root = _Node(position, self._rules)
        for _ in range(self._rollouts):
            self._simulate(root, draw)
        return max(root.children, key=lambda move: root.children[move].visits)

    def _simulate(self, root: _Node, draw: Callable[[], float]) -> None:
        path, node = [root], root
        while node.result is None and not node.untried:
            node = self._select(node)
            path.append(node)
        if node.result is None:
            move = node.untried.pop(int(draw() * len(node.untried)))
            child = _Node(_after(self._rules, node.position, move), self._rules)
            node.children[move] = child
            node = child
            path.append(node)
        result = node.result
        if result is None:
            result = _play_out(self._rules, node.position, draw)
        # a node counts what the player won who moved into it
        for node in reversed(path):
            result = 1.0 - result
            node.visits += 1
            node.wins += result

    def _select(self, node: _Node) -> _Node:
        bonus = self._exploration * math.sqrt(2.0 * math.log(node.visits))
        best, highest = None, -1.0
        for child in node.children.values():
            score = child.wins / child.visits + bonus / math.sqrt(child.visits)
            if score > highest:
                best, highest = child, score
        assert best is not None  # it has children
        return best


class _Node:
    """A position of the tree.

    Attributes:
        result: for the player to move, where the game is over here; else None.
        untried: the moves that lead to no child yet.
    """

    __slots__ = ("children", "position", "result", "untried", "visits", "wins")

    def __init__(self, position: Position, rules: type[Rules]) -> None:
        self.position = position
        self.children: dict[int, _Node] = {}
        self.untried: list[int] = []
        self.visits, self.wins = 0, 0.0
        self.result: float | None = None
        mine, theirs = position
        if rules.won(theirs):
            self.result = 0.0
        elif mine | theirs == rules.full:
            self.result = 0.5
        else:
            self.untried = list(rules.moves(mine | theirs))


def _play_out(rules: type[Rules], position: Position, draw: Callable[[], float]) -> float:
    """How a game of random moves ends for the player to move."""
    mine, theirs = position
    occupied, full, sign = mine | theirs, rules.full, 1
    moves, stone, won = rules.moves, rules.stone, rules.won
    while occupied != full:
        open_moves = moves(occupied)
        new = stone(open_moves[int(draw() * len(open_moves))], occupied)
        if won(mine | new):
            return 0.5 + 0.5 * sign
        mine, theirs = theirs, mine | new
        occupied |= new
        sign = -sign
    return 0.5


def _uniform(rng: np.random.Generator) -> Iterator[float]:
    """Numbers from 0 to 1, drawn in blocks, which is faster than one by one."""
    while True:
        yield from rng.random(4096).tolist()


def one_of(moves: Sequence[int], rng: np.random.Generator) -> int:
    """Any of them."""
    return moves[int(rng.integers(len(moves)))]
