"""Start states: how each family of environments is put into a given state.

A start callable is run after every reset. It writes the state and computes the observation from
it, since for many environments (Gymnasium's Pendulum, for one) the two are not the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import gymnasium
import numpy as np

from envs.errors import EnvironmentRefused
from envs.own.base import OwnEnvironment
from envs.wrappers import Start

# class of gymnasium.envs.classic_control -> names of its state
CLASSIC_STATES = {
    "AcrobotEnv": ("theta1", "theta2", "omega1", "omega2"),
    "CartPoleEnv": ("x", "x velocity", "angle", "angular velocity"),
    "Continuous_MountainCarEnv": ("position", "velocity"),
    "MountainCarEnv": ("position", "velocity"),
    "PendulumEnv": ("theta", "omega"),
}


def start(env: gymnasium.Env[Any, Any], state: Sequence[float], name: str) -> Start:
    """The callable that puts ``env`` into ``state`` after a reset.

    Raises:
        EnvironmentRefused: the environment cannot be put there; ``name`` is its id.
    """
    if not all(isfinite(value) for value in state):
        raise EnvironmentRefused("start_state", f"{list(state)} holds a number that is not finite")
    simulator: Any = env.unwrapped
    if isinstance(simulator, OwnEnvironment):
        return _own(simulator, state)
    if is_classic_control(simulator) and type(simulator).__name__ in CLASSIC_STATES:
        return _classic(simulator, state, name)
    if is_mujoco(simulator):
        return _mujoco(simulator, state, name)
    raise EnvironmentRefused(
        "start_state",
        f"{name} cannot be started in a given state: only sweep/..., Gymnasium's classic control "
        "and MuJoCo can; leave it []",
    )


def is_classic_control(simulator: object) -> bool:
    return type(simulator).__module__.startswith("gymnasium.envs.classic_control.")


def is_mujoco(simulator: object) -> bool:
    """Whether it is one of Gymnasium's MuJoCo environments, or derives from their base class."""
    # by name: an isinstance check would import MuJoCo
    return any(
        base.__module__ == "gymnasium.envs.mujoco.mujoco_env" for base in type(simulator).__mro__
    )


def _own(simulator: OwnEnvironment, state: Sequence[float]) -> Start:
    try:
        simulator.checked_start(state)
    except ValueError as error:
        raise EnvironmentRefused("start_state", str(error)) from error
    return lambda: simulator.start_at(state)


def _classic(simulator: Any, state: Sequence[float], name: str) -> Start:
    names = CLASSIC_STATES[type(simulator).__name__]
    _check_length(state, len(names), name, ", ".join(names))
    observe = getattr(simulator, "_get_obs", None) or getattr(simulator, "_get_ob", None)

    def begin() -> Any:
        simulator.state = np.array(state, dtype=np.float64)
        return np.array(state, dtype=np.float32) if observe is None else observe()

    return begin


def _mujoco(simulator: Any, state: Sequence[float], name: str) -> Start:
    import mujoco

    positions, velocities = simulator.model.nq, simulator.model.nv
    _check_length(
        state,
        positions + velocities,
        name,
        f"{positions} positions qpos, then {velocities} velocities qvel",
    )
    values = np.array(state, dtype=np.float64)

    def begin() -> Any:
        # the reset's random state must leave no trace, such as the solver's warm start
        mujoco.mj_resetData(simulator.model, simulator.data)
        simulator.set_state(values[:positions], values[positions:])
        return simulator._get_obs()

    return begin


def _check_length(state: Sequence[float], length: int, name: str, names: str) -> None:
    if len(state) != length:
        raise EnvironmentRefused(
            "start_state",
            f"the state of {name} has {length} numbers ({names}), not {len(state)}",
        )
