"""The environments of a group, stepped at once: in NumPy where they can be, else one by one.

Either way each environment does, to the bit, what it would do alone.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from envs.own.base import OwnEnvironment
from envs.wrappers import Problem

#: A smaller group is faster one by one.
FEWEST_AT_ONCE = 10

BySlot = Any
"""A list, or an array with a leading axis, with an entry for each environment."""


class Steps(NamedTuple):
    """One step of a group. The entries of a slot that did not step mean nothing; its reward is 0.

    `rewards` and the flags are valid until the next step.
    """

    observations: BySlot
    rewards: np.ndarray  # [M]
    terminated: np.ndarray  # bool [M]
    truncated: np.ndarray  # bool [M]
    ended: list[int]
    """The slots whose episode is over."""


class Lockstep(Protocol):
    """M environments, made from one file.

    Attributes:
        observations: what each returned last; never written to once it was handed out.
    """

    observations: BySlot

    def reset(self, seeds: Mapping[int, int | None]) -> None:
        """Begins an episode at each slot of `seeds`."""
        ...

    def step(self, actions: BySlot, slots: Sequence[int]) -> Steps:
        """One step of each of `slots`, in ascending order."""
        ...

    def settle(self, slot: int) -> None:
        """Brings the slot's own environment up to date, to be looked at or saved."""
        ...

    def take_up(self, slot: int, observation: Any) -> None:
        """Goes on from where the slot's own environment was put, which had returned that."""
        ...


def in_lockstep(problems: Sequence[Problem]) -> Lockstep:
    """The environments as a group."""
    if len(problems) >= FEWEST_AT_ONCE and all(map(_steps_many, problems)):
        return AtOnce(problems)
    return OneByOne(problems)


def _steps_many(problem: Problem) -> bool:
    simulator = problem.env  # a wrapper in between is not known here
    return (
        isinstance(simulator, OwnEnvironment)
        and simulator.steps_many
        and simulator.render_mode is None
    )


class OneByOne:
    """Any environments. See `Lockstep`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._problems = list(problems)
        self.observations: list[Any] = [None] * len(problems)
        self._rewards = np.zeros(len(problems))
        self._none = np.zeros(len(problems), dtype=bool)

    def reset(self, seeds: Mapping[int, int | None]) -> None:
        self.observations = list(self.observations)
        for slot, seed in seeds.items():
            self.observations[slot], _ = self._problems[slot].reset(seed=seed)

    def step(self, actions: BySlot, slots: Sequence[int]) -> Steps:
        observations, rewards = list(self.observations), self._rewards
        if len(slots) < len(rewards):
            rewards[:] = 0.0
        ended: list[int] = []
        terminated = truncated = self._none
        for slot in slots:
            observations[slot], rewards[slot], ends, cut, _ = self._problems[slot].step(
                actions[slot]
            )
            if ends or cut:
                if not ended:
                    terminated, truncated = terminated.copy(), truncated.copy()
                terminated[slot], truncated[slot] = ends, cut
                ended.append(slot)
        self.observations = observations
        return Steps(observations, rewards, terminated, truncated, ended)

    def settle(self, slot: int) -> None:
        """Nothing to do."""

    def take_up(self, slot: int, observation: Any) -> None:
        self.observations[slot] = observation


class AtOnce:
    """Environments with `OwnEnvironment.step_many`, their states in one array. See `Lockstep`.

    What happens once an episode (resets, their random numbers, start states) is left to each
    environment itself.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._problems = list(problems)
        first: Any = problems[0].unwrapped
        M, S = len(problems), len(first.state_bounds)
        self._step_many = first.step_many
        self._limit, self._overwrite = problems[0].steps_per_episode, problems[0].overwrite
        self._states = np.zeros((S, M))
        self._steps = np.zeros(M, dtype=np.int64)  # in the current episode
        self._none = np.zeros(M, dtype=bool)
        self.observations = np.zeros((M, S), dtype=np.float32)

    def reset(self, seeds: Mapping[int, int | None]) -> None:
        self.observations = copy.copy(self.observations)
        for slot, seed in seeds.items():
            observation, _ = self._problems[slot].reset(seed=seed)
            self.take_up(slot, observation)

    def step(self, actions: BySlot, slots: Sequence[int]) -> Steps:
        M = len(self._problems)
        if len(slots) == M:
            return self._step(np.asarray(actions), slice(None))
        at = np.array(slots, dtype=np.int64)
        return self._step(np.asarray([actions[slot] for slot in slots]), at)

    def _step(self, actions: np.ndarray, at: Any) -> Steps:
        M = len(self._problems)
        states, rewards, terminated = self._step_many(self._states[:, at], actions)
        self._states[:, at] = states
        self._steps[at] += 1
        steps = self._steps[at]
        if self._overwrite is not None:
            rewards = self._overwrite.of_many(rewards, terminated, steps)
        truncated = self._none[at]
        if self._limit is not None:
            truncated = (steps >= self._limit) & ~terminated
        if len(states[0]) < M:
            rewards, terminated, truncated = (
                _spread(values, at, M) for values in (rewards, terminated, truncated)
            )
        self.observations = self._states.T.astype(np.float32, order="C")
        ended = (terminated | truncated).nonzero()[0].tolist()
        for slot in ended:
            self._problems[slot].restore_counters(steps=int(self._steps[slot]), in_episode=False)
        return Steps(self.observations, rewards, terminated, truncated, ended)

    def settle(self, slot: int) -> None:
        problem = self._problems[slot]
        if problem.in_episode:
            simulator: Any = problem.unwrapped
            simulator._state = tuple(self._states[:, slot].tolist())
            problem.restore_counters(steps=int(self._steps[slot]), in_episode=True)

    def take_up(self, slot: int, observation: Any) -> None:
        problem = self._problems[slot]
        if problem.in_episode:
            simulator: Any = problem.unwrapped
            self._states[:, slot] = simulator._state
            self._steps[slot] = problem.steps
        if observation is not None:
            self.observations[slot] = observation


def _spread(values: np.ndarray, at: np.ndarray, M: int) -> np.ndarray:
    """[M], with `values` in the places `at` and zeros elsewhere."""
    spread = np.zeros(M, dtype=values.dtype)
    spread[at] = values
    return spread
