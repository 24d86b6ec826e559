"""Board games of two: an agent plays against somebody, or both sides in turn."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from envs.drawing import BLUE, GREY, RED, Canvas
from envs.own import board_rules
from envs.own.base import OwnEnvironment
from envs.own.board_players import (
    PerfectPlayer,
    Player,
    RandomPlayer,
    RolloutPlayer,
    RulePlayer,
)
from envs.own.board_rules import Position, Rules

OBSERVATIONS = ("board", "flat", "colours")
BEGINS = ("either", "agent", "opponent")


class BoardGame(OwnEnvironment):
    """What a player sees is from its own side: bool [rows, columns, 2] ("board"), its stones and
    the other's; or the same as float32 [2 * columns * rows] ("flat"). Or it is the same for both,
    so that a move changes one cell: float32 [2 * columns * rows + 1] ("colours"), the stones of
    who began, the other's, and 1 where the latter is to move. Reward 1 for the move that
    wins, -1 when the opponent's answer wins, else 0. A move that is not allowed loses the game;
    ``info["action_mask"]``, int8 [actions], says which are.

    With the opponent "self" the agent moves for both sides in turn: an observation is from the
    side of the player to move, a reward that of the player who moved. ``players`` is then 2.
    """

    rules: ClassVar[type[Rules]]
    draws_in_step: ClassVar = True

    def __init__(self, render_mode: str | None, opponent: str, observation: str, begins: str):
        super().__init__(render_mode)
        if observation not in OBSERVATIONS:
            raise ValueError(f"observation is one of {OBSERVATIONS}, not {observation!r}")
        if begins not in BEGINS:
            raise ValueError(f"begins is one of {BEGINS}, not {begins!r}")
        self.opponent, self.observation, self.begins = opponent, observation, begins
        self._player = None if opponent == "self" else self._opponent(opponent)
        self.players = 2 if self._player is None else 1
        rules = self.rules
        self.action_space = Discrete(rules.actions)
        shape = (rules.rows, rules.columns, 2)
        width = int(np.prod(shape)) + (observation == "colours")
        self.observation_space: gymnasium.Space[Any] = (
            Box(0, 1, shape, np.bool_)
            if observation == "board"
            else Box(0.0, 1.0, (width,), np.float32)
        )
        self._state: Position = (0, 0)

    @abstractmethod
    def _opponent(self, name: str) -> Player:
        """The opponent of that name. Raises ValueError: there is none."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        mine, theirs = self._state
        rules = self.rules
        stone = rules.stone(int(action), mine | theirs)
        mine |= stone
        self._state = (theirs, mine)
        if not stone:
            reward, over = -1.0, True
        elif rules.won(mine):
            reward, over = 1.0, True
        elif mine | theirs == rules.full:
            reward, over = 0.0, True
        elif self._player is None:
            reward, over = 0.0, False
        else:
            reward, over = self._answer(self._player)
        if self.render_mode == "human":
            self.render()
        return self._observation(), reward, over, False, self._info()

    def _answer(self, player: Player) -> tuple[float, bool]:
        """The opponent moves: the agent's reward, and whether the game is over."""
        theirs, mine = self._state
        theirs |= self.rules.stone(player.move(self._state, self.np_random), theirs | mine)
        self._state = (mine, theirs)
        if self.rules.won(theirs):
            return -1.0, True
        return 0.0, mine | theirs == self.rules.full

    def _start_state(self) -> Position:
        if self._player is not None:
            answers = self.begins == "opponent"
            if self.begins == "either":
                answers = bool(self.np_random.integers(2))
            if answers:
                return 0, self.rules.stone(self._player.move((0, 0), self.np_random), 0)
        return 0, 0

    def _info(self) -> dict[str, Any]:
        mine, theirs = self._state
        return {"action_mask": self.rules.mask(mine | theirs)}

    def _observation(self) -> Any:
        rules = self.rules
        if self.observation != "colours":
            return (rules.board if self.observation == "board" else rules.flat)(self._state)
        mine, theirs = self._state
        second = (mine | theirs).bit_count() % 2
        stones = rules.flat((theirs, mine) if second else (mine, theirs))
        return np.append(stones, np.float32(second))

    def _draw(self, canvas: Canvas) -> None:
        rows, columns = self.rules.rows, self.rules.columns
        for row in range(1, rows):
            canvas.line([(0.0, row / rows), (1.0, row / rows)], GREY)
        for column in range(1, columns):
            canvas.line([(column / columns, 0.0), (column / columns, 1.0)], GREY)
        board = self.rules.board(self._state)
        first = board.sum() % 2  # whose stones are who began's
        for player, colour in ((first, RED), (1 - first, BLUE)):
            for row, column in np.argwhere(board[:, :, player]):
                centre = ((column + 0.5) / columns, 1 - (row + 0.5) / rows)
                canvas.dot(centre, colour, radius=150 // max(rows, columns))


def _unknown(name: str, *known: str) -> ValueError:
    return ValueError(f"opponent is one of {('self', *known)}, not {name!r}")


class TicTacToe(BoardGame):
    """Three in a line. The opponent "optimal" never loses."""

    rules: ClassVar = board_rules.TicTacToe
    action_names = tuple(
        f"{row} {column}".strip()
        for row in ("TOP", "MIDDLE", "BOTTOM")
        for column in ("LEFT", "", "RIGHT")
    )

    def __init__(
        self,
        render_mode: str | None = None,
        opponent: Literal["self", "random", "rule", "optimal"] = "rule",
        observation: Literal["board", "flat", "colours"] = "board",
        begins: Literal["either", "agent", "opponent"] = "either",
    ) -> None:
        super().__init__(render_mode, opponent, observation, begins)

    def _opponent(self, name: str) -> Player:
        match name:
            case "random":
                return RandomPlayer(self.rules)
            case "rule":
                return RulePlayer(self.rules, (1, 2, 1, 2, 0, 2, 1, 2, 1))
            case "optimal":
                return PerfectPlayer(self.rules)
        raise _unknown(name, "random", "rule", "optimal")


class Connect4(BoardGame):
    """Four in a line. The opponent "mcts" searches with ``rollouts`` games of random moves."""

    rules: ClassVar = board_rules.Connect4
    action_names = tuple(f"COLUMN {column}" for column in range(1, 8))

    def __init__(
        self,
        render_mode: str | None = None,
        opponent: Literal["self", "random", "rule", "mcts"] = "rule",
        observation: Literal["board", "flat", "colours"] = "board",
        begins: Literal["either", "agent", "opponent"] = "either",
        rollouts: int = 1000,
    ) -> None:
        if rollouts < 1:
            raise ValueError(f"rollouts is 1 or more, not {rollouts}")
        self.rollouts = rollouts
        super().__init__(render_mode, opponent, observation, begins)

    def _opponent(self, name: str) -> Player:
        match name:
            case "random":
                return RandomPlayer(self.rules)
            case "rule":
                return RulePlayer(self.rules, (3, 2, 1, 0, 1, 2, 3))
            case "mcts":
                return RolloutPlayer(self.rules, self.rollouts)
        raise _unknown(name, "random", "rule", "mcts")
