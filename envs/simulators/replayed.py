"""The simulator of environments whose state cannot be saved: how the episode began, and what was
done since, is done again."""

from __future__ import annotations

from typing import Any

from envs.generators import restored_generator
from envs.simulators.base import ProblemSimulator
from envs.wrappers import History, Problem


class Replayed(ProblemSimulator):
    """A snapshot is the episode's history. Going on from where one is costs nothing."""

    def __init__(self, problem: Problem, bins: int) -> None:
        super().__init__(problem, bins)
        problem.remember()

    def _read(self, problem: Problem) -> History:
        if problem.history is None:
            raise RuntimeError(
                f"{problem} can be planned in only from an episode that was begun after remember()"
            )
        return problem.history.copy()

    def _write(self, inside: History) -> None:
        present = self.problem.history
        done = 0
        if present is not None and self.problem.in_episode and present.leads_to(inside):
            done = len(present.actions)
        else:
            simulator: Any = self.problem.unwrapped
            simulator._np_random = restored_generator(inside.generator)
            self.problem.reset(seed=inside.seed)
        for action in inside.actions[done:]:
            self.problem.step(action)
