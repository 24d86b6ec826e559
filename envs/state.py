"""Exact snapshots of an environment, to continue in another process as if nothing had happened.

Which environments can be saved in the middle of an episode, and how:

* this project's own: ``save()`` and ``restore()``;
* Gymnasium's classic control and toy text: the plain attributes of the environment;
* MuJoCo: a copy of its whole ``MjData``, derived quantities and warm start included (positions and
  velocities alone continue almost, but not exactly);
* Atari: the emulator's own serialisation;
* MinAtar: the attributes of the game, random numbers included.

All others (Box2D; environments unknown here) are saved between two episodes only, where the random
generators are the whole state.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import data_equivalence

from envs import atari, minatar
from envs.errors import EnvironmentRefused
from envs.generators import generator_state, restored_generator
from envs.noise import Noisy, restore_noise
from envs.own.base import OwnEnvironment
from envs.starts import is_classic_control, is_mujoco
from envs.worlds import FreshWorld
from envs.wrappers import Problem

Env = gymnasium.Env[Any, Any]

# wrapper -> the attributes that change while it runs
_WRAPPERS: dict[type, tuple[str, ...]] = {
    FreshWorld: (),
    minatar.FreshGame: (),
    atari.Preprocessing: ("obs_buffer", "lives", "game_over", "goes_on"),
    Noisy: ("generator",),
    gymnasium.wrappers.FrameStackObservation: ("obs_queue", "padding_value"),
    gymnasium.wrappers.StickyAction: (
        "last_action",
        "is_sticky_actions",
        "num_repeats",
        "repeats_taken",
    ),
}
# attributes that are no state of the problem: how it is drawn, and the tables it is made from
_NOT_STATE = {"render_mode", "screen", "clock", "isopen", "window", "window_surface", "P", "desc"}


def resumes_mid_episode(env: Problem) -> bool:
    """Whether ``save_state`` may be called inside an episode, or only between two."""
    known = all(type(wrapper) in _WRAPPERS for wrapper in _wrappers(env))
    return known and family(env.unwrapped) is not None


def save_state(env: Problem) -> dict[str, Any]:
    """A picklable snapshot of everything that decides what ``env`` does next.

    It shares nothing with ``env``, which may go on.

    Raises:
        RuntimeError: inside an episode of an environment that cannot be saved there.
    """
    exact = resumes_mid_episode(env)
    if env.in_episode and not exact:
        raise RuntimeError(
            f"{env.unwrapped} can be saved between two episodes only: after the last step of one, "
            "before the reset that begins the next"
        )
    simulator = env.unwrapped
    return {
        "environment": None if simulator.spec is None else simulator.spec.id,
        "in_episode": env.in_episode,
        "steps": env.steps,
        "generator": generator_state(simulator._np_random),
        "seed": simulator._np_random_seed,
        "action_generator": generator_state(env.action_space._np_random),
        "wrappers": [_attributes(wrapper) for wrapper in _wrappers(env)] if exact else None,
        "simulator": _save_simulator(simulator) if exact else None,
        "observation": env.observation,
        "screen": atari.screen_of(env) if family(simulator) == "atari" else None,
    }


def restore_state(env: Problem, state: dict[str, Any]) -> None:
    """Puts ``env``, made from the same file, where ``save_state`` found the other one.

    Raises:
        ValueError: the snapshot is of another environment.
    """
    simulator: Any = env.unwrapped
    name = None if simulator.spec is None else simulator.spec.id
    if state["environment"] != name:
        raise ValueError(f"a snapshot of {state['environment']} cannot be restored into {name}")
    if state["simulator"] is not None:
        for wrapper, attributes in zip(_wrappers(env), state["wrappers"], strict=True):
            vars(wrapper).update(copy.deepcopy(attributes))
        _restore_simulator(simulator, state["simulator"])
    simulator._np_random = restored_generator(state["generator"])
    simulator._np_random_seed = state["seed"]
    if state["action_generator"] is not None:
        action_space: Any = env.action_space
        action_space._np_random = restored_generator(state["action_generator"])
    env.restore_counters(steps=state["steps"], in_episode=state["in_episode"])
    env.observation = state.get("observation")
    if state.get("screen") is not None:
        setattr(simulator, atari.RESTORED_SCREEN, state["screen"])


def save_anywhere(env: Problem) -> dict[str, Any]:
    """As ``save_state``, also inside an episode of an environment that cannot be saved there, after
    ``env.remember()``: how the episode began, and its actions."""
    if not env.in_episode or resumes_mid_episode(env):
        return save_state(env)
    if env.history is None:
        raise RuntimeError(f"{env} can be saved here only if remember() was called before reset()")
    return {
        "history": env.history.copy(),
        "observation": copy.deepcopy(env.observation),
        "action_generator": generator_state(env.action_space._np_random),
    }


def restore_anywhere(env: Problem, state: dict[str, Any]) -> None:
    """Takes back what ``save_anywhere`` returned; an episode is played again where it has to be.

    Raises:
        EnvironmentRefused: played again, it came out differently.
    """
    if "history" not in state:
        restore_state(env, state)
        return
    simulator: Any = env.unwrapped
    history = state["history"]
    simulator._np_random = restored_generator(history.generator)
    restore_noise(env, history.noise)
    observation, _ = env.reset(seed=history.seed)
    for action in history.actions:
        if not env.in_episode:
            break
        observation, *_ = env.step(action)
    if not (env.in_episode and data_equivalence(observation, state["observation"], exact=True)):
        raise EnvironmentRefused(
            "env_name",
            "is an environment that cannot be saved within an episode, and played again from its "
            "beginning this one came out differently; --force starts the run afresh",
        )
    action_space: Any = env.action_space
    action_space._np_random = restored_generator(state["action_generator"])


def _wrappers(env: Problem) -> Iterator[Env]:
    """The wrappers between ``env`` and its simulator, outermost first."""
    layer: Env = env.env
    while isinstance(layer, gymnasium.Wrapper):
        yield layer
        layer = layer.env


def _attributes(wrapper: Env) -> dict[str, Any]:
    return {name: copy.deepcopy(getattr(wrapper, name)) for name in _WRAPPERS[type(wrapper)]}


def family(simulator: Any) -> str | None:
    """How an environment without its wrappers is saved; None: it cannot be."""
    if isinstance(simulator, OwnEnvironment):
        return "own"
    if is_mujoco(simulator):
        return "mujoco"
    module = type(simulator).__module__
    if module == "ale_py.env":
        return "atari"
    if minatar.is_minatar(simulator):
        return "minatar"
    if is_classic_control(simulator) or module.startswith("gymnasium.envs.toy_text."):
        return "plain"
    return None


def _save_simulator(simulator: Any) -> Any:
    match family(simulator):
        case "own":
            return simulator.save()
        case "mujoco":
            # some keep more than MuJoCo does, e.g. where Reacher's target is
            return {"data": copy.copy(simulator.data), "attributes": _plain(simulator)}
        case "atari":
            return simulator.ale.cloneState(include_rng=True).serialize()
        case "minatar":
            return minatar.save(simulator)
        case _:
            return _plain(simulator)


def _restore_simulator(simulator: Any, saved: Any) -> None:
    match family(simulator):
        case "own":
            simulator.restore(saved)
        case "mujoco":
            import mujoco

            vars(simulator).update(copy.deepcopy(saved["attributes"]))
            mujoco.mj_copyData(simulator.data, simulator.model, saved["data"])
        case "atari":
            import ale_py

            simulator.ale.restoreState(ale_py.ALEState(saved))
        case "minatar":
            minatar.restore(simulator, saved)
        case _:
            vars(simulator).update(copy.deepcopy(saved))


def _plain(simulator: Any) -> dict[str, Any]:
    """Copies of the attributes that are plain data: spaces, specs and pictures are not."""
    return {name: copy.deepcopy(getattr(simulator, name)) for name in plain_names(simulator)}


def plain_names(simulator: Any) -> list[str]:
    """The names of those attributes."""
    return [
        name
        for name, value in vars(simulator).items()
        if name not in _NOT_STATE and not name.startswith("_np_random") and _is_plain(value)
    ]


def _is_plain(value: Any) -> bool:
    match value:
        case None | bool() | int() | float() | str() | np.generic():
            return True
        case np.ndarray():
            return not value.dtype.hasobject
        case list() | tuple() | set() | deque():
            return all(map(_is_plain, value))
        case dict():
            return all(map(_is_plain, value.values()))
        case _:
            return False
