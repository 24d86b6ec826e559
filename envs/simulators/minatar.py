"""Simulators of MinAtar's games."""

from __future__ import annotations

from typing import Any

from envs.simulators.base import ProblemSimulator, copied
from envs.wrappers import Problem

#: Attributes of a game that never change, and its random numbers, which are saved apart.
_NOT_MOVING = {"channels", "action_map", "ramping", "random"}


class Game(ProblemSimulator):
    """The attributes of the game; the action that may be repeated; the random numbers."""

    def __init__(self, problem: Problem, bins: int) -> None:
        super().__init__(problem, bins)
        simulator: Any = problem.unwrapped
        game: Any = simulator.game.env
        self._names = [name for name in vars(game) if name not in _NOT_MOVING]

    def _read(self, problem: Problem) -> Any:
        simulator: Any = problem.unwrapped
        around = simulator.game
        game = vars(around.env)
        moving = [copied(game[name]) for name in self._names]
        return moving, around.last_action, around.random.get_state(legacy=False)

    def _write(self, inside: Any) -> None:
        simulator: Any = self.problem.unwrapped
        around = simulator.game
        moving, around.last_action, generator = inside
        game = vars(around.env)
        for name, value in zip(self._names, moving, strict=True):
            game[name] = copied(value)
        around.random.set_state(generator)
