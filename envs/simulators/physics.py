"""Simulators of Gymnasium's classic control and of MuJoCo."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from envs.simulators.base import ProblemSimulator
from envs.starts import is_classic_control
from envs.state import plain_names
from envs.wrappers import Problem

# class of gymnasium.envs.classic_control -> the attributes that a step reads or writes
_MOVING: dict[str, tuple[str, ...]] = {
    "AcrobotEnv": ("state",),
    "CartPoleEnv": ("state", "steps_beyond_terminated"),
    "Continuous_MountainCarEnv": ("state",),
    "MountainCarEnv": ("state",),
    "PendulumEnv": ("state", "last_u"),
}


def is_known(simulator: object) -> bool:
    """Whether it is a classic control environment whose moving attributes are known."""
    return is_classic_control(simulator) and type(simulator).__name__ in _MOVING


class ClassicControl(ProblemSimulator):
    """The attributes that move; no step of these draws random numbers."""

    def __init__(self, problem: Problem, bins: int) -> None:
        super().__init__(problem, bins)
        self._names = _MOVING[type(problem.unwrapped).__name__]

    def _read(self, problem: Problem) -> Any:
        simulator: Any = problem.unwrapped
        return tuple([_copied(getattr(simulator, name, None)) for name in self._names])

    def _write(self, inside: Any) -> None:
        simulator: Any = self.problem.unwrapped
        for name, value in zip(self._names, inside, strict=True):
            setattr(simulator, name, _copied(value))


class MuJoCo(ProblemSimulator):
    """A copy of the whole `MjData`: with less, the reward of the next step is wrong."""

    def _read(self, problem: Problem) -> Any:
        simulator: Any = problem.unwrapped
        attributes = {
            name: copy.deepcopy(getattr(simulator, name)) for name in plain_names(simulator)
        }
        return copy.copy(simulator.data), attributes

    def _write(self, inside: Any) -> None:
        import mujoco

        simulator: Any = self.problem.unwrapped
        data, attributes = inside
        mujoco.mj_copyData(simulator.data, simulator.model, data)
        vars(simulator).update(copy.deepcopy(attributes))


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value
