"""The one outer wrapper: everything an environment file says about the problem, in one step()."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium
import msgspec
import numpy as np
from gymnasium.spaces import Box

from envs.generators import generator_state
from envs.noise import noise_state
from envs.rewards import Overwrite

Observation = Any
Step = tuple[Observation, float, bool, bool, dict[str, Any]]
Start = Callable[[], Observation]
"""Puts a freshly reset environment into its start state and returns the observation."""


class History(msgspec.Struct):
    """How an episode came to where it is: what it was begun with, and the actions since."""

    seed: int | None
    generator: dict[str, Any] | None
    actions: list[Any]
    noise: dict[str, Any] | None = None

    def copy(self) -> History:
        return History(self.seed, self.generator, list(self.actions), self.noise)

    def leads_to(self, other: History) -> bool:
        """Whether it is the beginning of `other`."""
        return (
            (self.seed, self.generator, self.noise) == (other.seed, other.generator, other.noise)
            and len(self.actions) <= len(other.actions)
            and all(
                mine is its or np.array_equal(mine, its)
                for mine, its in zip(self.actions, other.actions, strict=False)
            )
        )


class Rules(NamedTuple):
    """What a file adds to an environment's steps; evaluation may have other ones than training."""

    limit: int
    overwrite: Overwrite | None


class Problem(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment as its file describes it.

    ``step`` clips a Box action to its bounds, counts, truncates after ``steps_per_episode`` steps
    (an episode that terminates is never truncated too) and overwrites the reward. Between the end
    of an episode and the next ``reset`` a ``step`` is an error.

    Attributes:
        observation: what the last ``step`` or ``reset`` returned.
        history: of the present episode, after ``remember``; else None.

    Args:
        env: the environment, without a time limit of its own.
        steps_per_episode: steps after which an episode is truncated; None: never.
        overwrite: the rewards of the file; None: the environment's.
        start: start state of the file; None: the environment's.
        observation_space: replaces the environment's.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        *,
        steps_per_episode: int | None = None,
        overwrite: Overwrite | None = None,
        start: Start | None = None,
        observation_space: Box | None = None,
    ) -> None:
        super().__init__(env)
        self.steps_per_episode = steps_per_episode
        if observation_space is not None:
            self.observation_space = observation_space
        self.rules = Rules(
            sys.maxsize if steps_per_episode is None else steps_per_episode, overwrite
        )
        self._start = start
        self._low: np.ndarray[Any, Any] | None = None
        space = env.action_space
        if isinstance(space, Box) and not getattr(env.unwrapped, "clips_actions", False):
            self._low, self._high = space.low, space.high
            self._dtype = space.dtype
        self._steps = 0
        self._step: Callable[[Any], Any] = _needs_reset
        self._put_back_at: int | None = None
        self.observation: Observation = None
        self.history: History | None = None
        self._remembers = False

    def step(self, action: Any) -> Step:
        if self._low is not None:
            # two ufuncs: np.clip costs three times as much
            action = np.minimum(np.maximum(action, self._low, dtype=self._dtype), self._high)
        observation, reward, terminated, truncated, info = self._step(action)
        self.observation = observation
        self._steps = steps = self._steps + 1
        if self.overwrite is not None:
            reward = self.overwrite(reward, terminated, steps)
        if terminated:
            self._step = _needs_reset
            return observation, reward, True, False, info
        if truncated or steps >= self._limit:
            self._step = _needs_reset
            return observation, reward, False, True, info
        return observation, reward, False, False, info

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        if self._remembers:
            self.unwrapped.np_random  # noqa: B018 - there is one from now on
            generator = generator_state(self.unwrapped._np_random)
            self.history = History(seed, generator, [], noise_state(self.env))
        observation, info = self.env.reset(seed=seed, options=options)
        if self._start is not None:
            observation = self._start()
        self.observation = observation
        self._steps = 0
        self._put_back_at = None
        self._step = self._remembered_step if self._remembers else self.env.step
        return observation, info

    @property
    def rules(self) -> Rules:
        """How long an episode lasts, and what it is paid."""
        return self._rules

    @rules.setter
    def rules(self, rules: Rules) -> None:
        self._rules = rules
        self._limit, self.overwrite = rules

    def remember(self) -> None:
        """Keeps the ``history`` of episodes from the next reset on."""
        self._remembers = True

    def _remembered_step(self, action: Any) -> Any:
        assert self.history is not None  # made by the reset
        self.history.actions.append(action)
        return self.env.step(action)

    @property
    def in_episode(self) -> bool:
        """Whether ``step`` may be called: after a reset, before the end of that episode."""
        return self._step is not _needs_reset

    @property
    def steps(self) -> int:
        """Steps taken in the current (or just ended) episode."""
        return self._steps

    def restore_counters(self, *, steps: int, in_episode: bool) -> None:
        """Continues at step ``steps`` of an episode whose inner state was put back."""
        self._steps = self._put_back_at = steps
        go_on = self._remembered_step if self._remembers else self.env.step
        self._step = go_on if in_episode else _needs_reset

    @property
    def was_put_back(self) -> bool:
        """Whether its inner state was put back, and no step was taken since."""
        return self._put_back_at == self._steps


def _needs_reset(action: Any) -> Any:
    raise gymnasium.error.ResetNeeded("the episode is over or has not begun: call reset() first")
