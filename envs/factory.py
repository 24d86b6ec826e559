"""From an environment file to a ready environment."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium
import msgspec
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box
from gymnasium.wrappers import OrderEnforcing

from envs import atari, minatar
from envs.arguments import check_continuous, constructor_arguments
from envs.errors import EnvironmentRefused
from envs.lookup import find_spec
from envs.noise import Noisy, noise_of
from envs.rewards import overwriting
from envs.settings import AtariSettings, EnvironmentSettings
from envs.starts import start
from envs.worlds import FreshWorld, keeps_its_world
from envs.wrappers import Problem, Start


def make(
    settings: EnvironmentSettings, *, evaluation: bool = False, render_mode: str | None = None
) -> Problem:
    """Builds the environment that a file describes.

    Args:
        settings: the environment file.
        evaluation: build the one to evaluate in, whose episodes may have another limit.
        render_mode: Gymnasium's; None renders nothing.

    Raises:
        EnvironmentRefused: the file asks for something that the environment cannot do.
    """
    spec = find_spec(settings.env_name)
    atari.check(settings, spec)
    limit = episode_limit(settings, spec, evaluation=evaluation)
    overwrite = overwriting(settings.overwrite_rewards, settings.rewards, limit)
    arguments = constructor_arguments(settings, spec, evaluation=evaluation)
    if atari.is_atari(spec):
        arguments |= atari.emulator_arguments()

    env = _construct(spec, arguments, render_mode)
    check_continuous(settings.continuous, isinstance(env.action_space, Box), spec.id)
    begin = start(env, settings.start_state, spec.id) if settings.start_state else None
    noise = noise_of(settings, evaluation=evaluation)
    if atari.is_atari(spec):
        games = atari.settings_of(settings.atari, evaluation=evaluation)
        env = atari.preprocess(env, games, noise)
    elif keeps_its_world(env.unwrapped):
        env = FreshWorld(env)
    elif minatar.is_minatar(env.unwrapped):
        env = minatar.FreshGame(env)
    if noise is not None and not atari.is_atari(spec):
        env = noisy = Noisy(env, noise)
        if begin is not None:
            begin = _disturbed(noisy, begin)
    return Problem(
        env,
        steps_per_episode=limit,
        overwrite=overwrite,
        start=begin,
        observation_space=_ranged(env.observation_space, settings, spec.id),
    )


def _disturbed(noisy: Noisy, begin: Start) -> Start:
    """A start state as it is seen through the noise."""
    return lambda: noisy.disturbed(begin())


def check_evaluation(settings: EnvironmentSettings) -> None:
    """Sees to it that the environment to evaluate in is one that the agent can act in.

    Raises:
        EnvironmentRefused: ``eval_kwargs`` make it another problem.
    """
    if not settings.eval_kwargs or settings.eval_episodes == 0:
        return
    trained, evaluated = make(settings), make(settings, evaluation=True)
    for what in ("observation_space", "action_space"):
        one, other = getattr(trained, what), getattr(evaluated, what)
        if one != other:
            raise EnvironmentRefused(
                "eval_kwargs",
                f"change the {what.replace('_', ' ')} from {one} to {other}, which an agent that "
                "trained without them cannot be evaluated in",
            )
    trained.close()
    evaluated.close()


def episode_limit(settings: EnvironmentSettings, spec: EnvSpec, *, evaluation: bool) -> int | None:
    """Steps after which an episode is truncated; None: never.

    Raises:
        EnvironmentRefused: an evaluation episode might never end.
    """
    training: int | None
    if not isinstance(settings.steps_per_episode, msgspec.UnsetType):
        training = settings.steps_per_episode
    elif atari.is_atari(spec):
        training = atari.steps_per_episode(spec, settings.atari or AtariSettings())
    else:
        training = spec.max_episode_steps
    evaluated = settings.eval_steps_per_episode
    if evaluated is None:
        evaluated = training
    if evaluated is None and settings.eval_episodes > 0:
        raise EnvironmentRefused(
            "eval_steps_per_episode",
            "an evaluation episode needs a limit where training episodes have none; "
            "give one, or set eval_episodes to 0",
        )
    return evaluated if evaluation else training


def _construct(
    spec: EnvSpec, arguments: dict[str, Any], render_mode: str | None
) -> gymnasium.Env[Any, Any]:
    if render_mode is not None:
        arguments = {**arguments, "render_mode": render_mode}
    try:
        with _mujoco_warnings(spec):
            env = gymnasium.make(
                # -1: the file's limit takes the place of Gymnasium's
                spec,
                max_episode_steps=-1,
                disable_env_checker=True,
                **arguments,
            )
    except (gymnasium.error.DependencyNotInstalled, ImportError) as error:
        raise EnvironmentRefused("env_name", f"{spec.id} cannot be imported: {error}") from error
    except Exception as error:
        # whatever a constructor raises, it is about the arguments that the file gives it
        field = "kwargs" if arguments else "env_name"
        raise EnvironmentRefused(field, f"{spec.id} cannot be built: {error}") from error
    # Problem itself refuses a step before a reset
    return env.env if isinstance(env, OrderEnforcing) else env


@contextmanager
def _mujoco_warnings(spec: EnvSpec) -> Iterator[None]:
    """Keeps MuJoCo from writing MUJOCO_LOG.TXT over an outdated word in Gymnasium's own models."""
    if not str(spec.entry_point).startswith("gymnasium.envs.mujoco"):
        yield
        return
    import mujoco

    def handle(message: str) -> None:
        if "settotalmass" not in message:
            warnings.warn(message, RuntimeWarning, stacklevel=2)

    mujoco.set_mju_user_warning(handle)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(None)


def _ranged(space: Any, settings: EnvironmentSettings, name: str) -> Box | None:
    """The observation space within ``observation_ranges``; None where the file gives none."""
    ranges = settings.observation_ranges
    if ranges is None:
        return None
    if not isinstance(space, Box) or len(space.shape) != 1:
        raise EnvironmentRefused(
            "observation_ranges", f"{name} observes {space}, not one vector of real numbers"
        )
    if len(ranges) != space.shape[0]:
        raise EnvironmentRefused(
            "observation_ranges",
            f"{name} observes {space.shape[0]} numbers, not {len(ranges)}; "
            "write null for one whose bounds stay",
        )
    low, high = space.low.copy(), space.high.copy()
    for i, pair in enumerate(ranges):
        if pair is None:
            continue
        if not (np.isfinite(pair).all() and pair[0] < pair[1]):
            raise EnvironmentRefused(
                f"observation_ranges.{i}", f"{list(pair)} is not [low, high] with low < high"
            )
        low[i], high[i] = pair
    return Box(low, high, dtype=space.dtype.type)
