"""Rewards that an environment file puts in the place of, or on top of, the environment's own."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Protocol

import msgspec
import numpy as np

from envs.errors import EnvironmentRefused


class Overwrite(Protocol):
    """(reward, terminated, number of the step in its episode from 1) -> reward."""

    def __call__(self, reward: float, terminated: bool, step: int) -> float: ...

    def of_many(self, rewards: np.ndarray, terminated: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The same of M steps at once, bit for bit; all arrays [M]."""
        ...


class Constant(msgspec.Struct, frozen=True):
    """``goal`` on any termination, ``timestep`` on every other step."""

    timestep: float
    goal: float

    def __call__(self, reward: float, terminated: bool, step: int) -> float:
        return self.goal if terminated else self.timestep

    def of_many(self, rewards: np.ndarray, terminated: np.ndarray, steps: np.ndarray) -> np.ndarray:
        return np.where(terminated, self.goal, self.timestep)


class Shifted(msgspec.Struct, frozen=True):
    """Adds ``shift`` to every reward, so that ending early earns nothing extra.

    An episode of ``T`` steps earns shift * (1 + g + ... + g^(T-1)) on top of its own return. One
    that terminates in step t is paid the steps it will not take at once, together with step t
    itself: shift * (1 + g + ... + g^(T-t)) = shift * (1 - g^(T-t+1)) / (1 - g). Discounted to the
    start by g^(t-1), this completes the same sum: the order of policies is unchanged.
    """

    shift: float
    gamma: float
    steps_per_episode: int

    def __call__(self, reward: float, terminated: bool, step: int) -> float:
        if not terminated:
            return reward + self.shift
        steps_left = self.steps_per_episode - step + 1
        if self.gamma == 1:
            return reward + self.shift * steps_left
        return reward + self.shift * (1 - self.gamma**steps_left) / (1 - self.gamma)

    def of_many(self, rewards: np.ndarray, terminated: np.ndarray, steps: np.ndarray) -> np.ndarray:
        shifted = rewards + self.shift
        for i in np.flatnonzero(terminated):  # powers of NumPy have other bits
            shifted[i] = self(float(rewards[i]), True, int(steps[i]))
        return shifted


def overwriting(
    overwrite_rewards: bool, rewards: Mapping[str, float], steps_per_episode: int | None
) -> Overwrite | None:
    """What the file asks for; None leaves the rewards alone.

    Raises:
        EnvironmentRefused: ``rewards`` is neither form, or contradicts ``overwrite_rewards``.
    """
    if not overwrite_rewards:
        if rewards:
            raise EnvironmentRefused(
                "rewards", "given while overwrite_rewards is false; set it to true or leave {}"
            )
        return None
    for name, value in rewards.items():
        if not isfinite(value):
            raise EnvironmentRefused(f"rewards.{name}", f"{value} is not a finite number")
    if rewards.keys() == {"timestep", "goal"}:
        return Constant(rewards["timestep"], rewards["goal"])
    if rewards.keys() == {"shift", "gamma"}:
        if not 0 <= rewards["gamma"] <= 1:
            raise EnvironmentRefused("rewards.gamma", f"{rewards['gamma']} is not in [0, 1]")
        if steps_per_episode is None:
            raise EnvironmentRefused(
                "rewards.shift",
                "needs a steps_per_episode, up to which a terminated episode is paid",
            )
        return Shifted(rewards["shift"], rewards["gamma"], steps_per_episode)
    raise EnvironmentRefused(
        "rewards",
        'overwrite_rewards needs {"timestep": r, "goal": r} or {"shift": r, "gamma": g}, '
        f"not the keys {sorted(rewards)}",
    )
