"""Simulators of Gymnasium's classic control and of MuJoCo."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.simulators.base import ProblemSimulator, copied, frozen
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
#: What an `MjData` keeps beside its arrays: the time, and which derived arrays are up to date.
_SCALARS = ("time", "flg_energypos", "flg_energyvel", "flg_subtreevel", "flg_rnepost")


def is_known(simulator: object) -> bool:
    """Whether it is a classic control environment whose moving attributes are known."""
    return is_classic_control(simulator) and type(simulator).__name__ in _MOVING


class ClassicControl(ProblemSimulator):
    """The attributes that move; no step of these draws random numbers."""

    _keep = staticmethod(frozen)

    def __init__(self, problem: Problem, bins: int) -> None:
        super().__init__(problem, bins)
        self._names = _MOVING[type(problem.unwrapped).__name__]

    def _read(self, problem: Problem) -> Any:
        simulator: Any = problem.unwrapped
        return tuple([copied(getattr(simulator, name, None)) for name in self._names])

    def _write(self, inside: Any) -> None:
        simulator: Any = self.problem.unwrapped
        for name, value in zip(self._names, inside, strict=True):
            setattr(simulator, name, copied(value))


class MuJoCo(ProblemSimulator):
    """All arrays of `MjData`, derived ones and warm start included: with positions and velocities
    alone, the reward of the next step is wrong.

    It is what `mj_copyData` copies, but for the scratch memory (contacts and constraints) that each
    step fills anew. That makes a snapshot of some 20 kB; an `MjData` has 14 MB.
    """

    _keep = staticmethod(frozen)

    def __init__(self, problem: Problem, bins: int) -> None:
        super().__init__(problem, bins)
        # some keep more than MuJoCo does, e.g. where Reacher's target is
        self._names = plain_names(problem.unwrapped)

    def _read(self, problem: Problem) -> Any:
        simulator: Any = problem.unwrapped
        data = simulator.data
        scalars = [getattr(data, name) for name in _SCALARS]
        others = [copied(getattr(simulator, name)) for name in self._names]
        return _arrays(data).tobytes(), scalars, others

    def _write(self, inside: Any) -> None:
        simulator: Any = self.problem.unwrapped
        data = simulator.data
        arrays, scalars, others = inside
        _arrays(data)[:] = np.frombuffer(arrays, np.uint8)
        for name, value in zip(_SCALARS, scalars, strict=True):
            setattr(data, name, value)
        for name, value in zip(self._names, others, strict=True):
            setattr(simulator, name, copied(value))


def _arrays(data: Any) -> NDArray[np.uint8]:
    """The one piece of memory that all arrays of an `MjData` lie in, qpos first."""
    memory = ctypes.c_uint8 * data.nbuffer
    return np.frombuffer(memory.from_address(data.qpos.ctypes.data), np.uint8)
