"""The environments of a group, stepped at once: in NumPy where they can be, else one by one.

Either way each environment does, to the bit, what it would do alone.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Protocol

import numpy as np

from envs.own.base import SteppedAtOnce
from envs.wrappers import Problem

#: A smaller group is faster one by one.
FEWEST_AT_ONCE = 10

BySlot = Any
"""A list, or an array with a leading axis, with an entry for each environment."""


class Lockstep(Protocol):
    """M environments, made from one file.

    Entries of a slot that did not take part in the last step mean nothing; its reward is 0.

    Attributes:
        observations: what each returned last; never written to once it was handed out.
        rewards: [M] of the last step, valid until the next, as are the flags.
        terminated, truncated: bool [M].
        ended: the slots whose episode ended with the last step.
        finite: whether all rewards surely are finite.
    """

    observations: BySlot
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    ended: list[int]
    finite: bool

    def reset(self, seeds: Mapping[int, int | None]) -> None:
        """Begins an episode at each slot of `seeds`."""
        ...

    def step(self, actions: BySlot, slots: Sequence[int]) -> None:
        """One step of each of `slots`, in ascending order."""
        ...

    def settle(self, slot: int) -> None:
        """Brings the slot's own environment up to date, to be looked at or saved."""
        ...

    def take_up(self, slot: int, observation: Any) -> None:
        """Goes on from where the slot's own environment was put, which had returned that."""
        ...


def in_lockstep(problems: Sequence[Problem], *, looked_into: bool = False) -> Lockstep:
    """The environments as a group.

    Args:
        looked_into: their states are read at any time, as planners do: all are kept up to date.
    """
    if not looked_into and len(problems) >= FEWEST_AT_ONCE and all(map(_steps_many, problems)):
        return AtOnce(problems)
    return OneByOne(problems)


def _steps_many(problem: Problem) -> bool:
    simulator = problem.env  # a wrapper in between is not known here
    return isinstance(simulator, SteppedAtOnce) and simulator.render_mode is None


class _Group:
    """What both kinds have."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        M = len(problems)
        self._problems = list(problems)
        self._none = np.zeros(M, dtype=bool)
        self.rewards = np.zeros(M)
        self.terminated = self.truncated = self._none
        self.ended: list[int] = []
        self.finite = True


class OneByOne(_Group):
    """Any environments. See `Lockstep`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.observations: list[Any] = [None] * len(problems)

    def reset(self, seeds: Mapping[int, int | None]) -> None:
        self.observations = list(self.observations)
        for slot, seed in seeds.items():
            self.observations[slot], _ = self._problems[slot].reset(seed=seed)

    def step(self, actions: BySlot, slots: Sequence[int]) -> None:
        problems, rewards = self._problems, self.rewards
        self.observations = observations = list(self.observations)
        if len(slots) < len(problems):
            rewards[:] = 0.0
        if self.ended:
            self.ended, self.terminated, self.truncated = [], self._none, self._none
        finite = True
        for slot in slots:
            observations[slot], reward, ends, cut, _ = problems[slot].step(actions[slot])
            rewards[slot] = reward
            finite = finite and isfinite(reward)
            if ends or cut:
                self._end(slot, ends, cut)
        self.finite = finite

    def _end(self, slot: int, terminated: bool, truncated: bool) -> None:
        if not self.ended:
            self.terminated, self.truncated = self._none.copy(), self._none.copy()
        self.terminated[slot], self.truncated[slot] = terminated, truncated
        self.ended.append(slot)

    def settle(self, slot: int) -> None:
        """Nothing to do."""

    def take_up(self, slot: int, observation: Any) -> None:
        self.observations[slot] = observation


class AtOnce(_Group):
    """Environments that are `SteppedAtOnce`, their states in one array. See `Lockstep`.

    What happens once an episode (resets, their random numbers, start states) is left to each
    environment itself.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        first: Any = problems[0].unwrapped
        M, S = len(problems), len(first.state_bounds)
        self._step_many = first.step_many
        self._limit, self._overwrite = problems[0].steps_per_episode, problems[0].overwrite
        self._states = np.zeros((S, M))
        self._steps = np.zeros(M, dtype=np.int64)  # in the current episode
        self.observations = np.zeros((M, S), dtype=np.float32)

    def reset(self, seeds: Mapping[int, int | None]) -> None:
        self.observations = copy.copy(self.observations)
        for slot, seed in seeds.items():
            observation, _ = self._problems[slot].reset(seed=seed)
            self.take_up(slot, observation)

    def step(self, actions: BySlot, slots: Sequence[int]) -> None:
        M = len(self._problems)
        if len(slots) == M:
            self._step(np.asarray(actions), slice(None))
        elif slots:
            at = np.array(slots)
            self._step(np.asarray([actions[slot] for slot in slots]), at)
        else:
            self.rewards, self.ended = np.zeros(M), []

    def _step(self, actions: np.ndarray, at: Any) -> None:
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
        self.rewards, self.terminated, self.truncated = rewards, terminated, truncated
        self.finite = isfinite(np.add.reduce(rewards))
        self.observations = self._states.T.astype(np.float32, order="C")
        self.ended = (terminated | truncated).nonzero()[0].tolist()
        for slot in self.ended:
            self._problems[slot].restore_counters(steps=int(self._steps[slot]), in_episode=False)

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
