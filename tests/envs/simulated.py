"""Simulators and environments of the same file, and what is equal to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from envs.settings import EnvironmentSettings
from envs.simulator import Simulator
from envs.wrappers import Problem

Build = Callable[..., tuple[Simulator, Problem]]

PLANNING = {
    "frame_skip": 15,
    "noop_max": 0,
    "repeat_action_probability": 0.0,
    "max_pool": False,
    "resize": "linear",
}


def file_of(env_name: str, **fields: Any) -> EnvironmentSettings:
    file = {"env_name": env_name, "total_timesteps": 1, "eval_episodes": 0} | fields
    return msgspec.convert(file, EnvironmentSettings)


def exact(observation: Any) -> Any:
    if isinstance(observation, tuple):
        return [exact(part) for part in observation]
    array = np.asarray(observation)
    return array.dtype.str, array.shape, array.tobytes()


def played(problem: Problem, actions: list[Any]) -> tuple[Any, Any]:
    """What the environment shows, and gave last, after an episode's first actions."""
    observation, step = problem.reset(seed=7)[0], None
    for action in actions:
        observation, *step, _ = problem.step(action)
    return exact(observation), step and tuple(step)
