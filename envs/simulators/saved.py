"""Simulators of what `envs.state` saves within an episode: toy text and others."""

from __future__ import annotations

from typing import Any

from envs.simulators.base import ProblemSimulator
from envs.state import restore_state, save_state
from envs.wrappers import Problem


class Saved(ProblemSimulator):
    """The snapshots of checkpoints, random generators included."""

    def _read(self, problem: Problem) -> Any:
        return save_state(problem)

    def _write(self, inside: Any) -> None:
        restore_state(self.problem, inside)
