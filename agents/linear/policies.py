"""Linear policies: a Gaussian for continuous actions, a softmax for discrete ones.

A policy's functions of the features stand in columns 1 and up of the agent's weights (column 0 is
the critic). Each writes ∇ log π with respect to its functions' outputs; for binary features that
is all there is to the gradient.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import gymnasium
import numpy as np
from numba import njit

from agents.base import AgentRefused
from agents.linear.settings import LinearACSettings


class Policy(Protocol):
    """What the actor-critic needs of a policy.

    Attributes:
        functions: number of linear functions that parameterise it.
    """

    functions: int

    def sample(self, weights: np.ndarray, active: np.ndarray, rng: np.random.Generator) -> Any:
        """a ~ π(·|s) for the active features of s."""
        ...

    def best(self, weights: np.ndarray, active: np.ndarray, rng: np.random.Generator) -> Any:
        """The most likely action; `rng` breaks ties."""
        ...

    def direction(self, action: Any, size: float, gradient: np.ndarray, step: np.ndarray) -> None:
        """∇ log π(a|s) and step sizes of the functions at the state sampled last.

        Args:
            size: actor step size times TD error.
            gradient, step: [1 + functions], written from place 1 on.
        """
        ...

    def state_dict(self) -> dict[str, np.ndarray]: ...

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None: ...

    def metrics(self) -> dict[str, float]: ...


class GaussianPolicy:
    """μ = u_μ·x and ln σ = clip(u_σ·x, ± ln clip_stddev), independent action dimensions.

    Actions are not clipped here: the environment does, and the likelihood stays that of the draw.
    """

    def __init__(self, dimensions: int, settings: LinearACSettings) -> None:
        self.functions = 2 * dimensions
        self._scaled = settings.scaled
        clip = settings.clip_stddev
        self._log_clip = math.log(clip) if clip > 0 else math.inf
        self._mean, self._stddev = np.zeros(dimensions), np.ones(dimensions)

    def sample(
        self, weights: np.ndarray, active: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        gaussian(weights, active, self._log_clip, self._mean, self._stddev)
        noise: np.ndarray = rng.standard_normal(len(self._mean))
        noise *= self._stddev
        noise += self._mean
        return noise

    def best(self, weights: np.ndarray, active: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        mean, stddev = np.empty_like(self._mean), np.empty_like(self._stddev)
        gaussian(weights, active, self._log_clip, mean, stddev)
        return mean

    def direction(self, action: Any, size: float, gradient: np.ndarray, step: np.ndarray) -> None:
        gaussian_direction(action, self._mean, self._stddev, size, self._scaled, gradient, step)

    def state_dict(self) -> dict[str, np.ndarray]:
        return {"mean": self._mean.copy(), "stddev": self._stddev.copy()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        self._mean[...], self._stddev[...] = state["mean"], state["stddev"]

    def metrics(self) -> dict[str, float]:
        return {"stddev": float(self._stddev.mean())}


@njit(cache=True)
def gaussian(
    weights: np.ndarray, active: np.ndarray, log_clip: float, mean: np.ndarray, stddev: np.ndarray
) -> None:
    """Writes μ and σ [A] of the active features."""
    A = mean.shape[0]
    for d in range(A):
        location, log_scale = 0.0, 0.0
        for feature in active:
            location += weights[feature, 1 + d]
            log_scale += weights[feature, 1 + A + d]
        mean[d] = location
        stddev[d] = math.exp(min(max(log_scale, -log_clip), log_clip))


@njit(cache=True)
def gaussian_direction(
    action: np.ndarray,
    mean: np.ndarray,
    stddev: np.ndarray,
    size: float,
    scaled: bool,
    gradient: np.ndarray,
    step: np.ndarray,
) -> None:
    """∇_μ = (a - μ)/σ² and ∇_lnσ = (a - μ)²/σ² - 1; step sizes times σ² when `scaled`."""
    A = mean.shape[0]
    for d in range(A):
        variance = stddev[d] * stddev[d]
        gradient[1 + d] = (action[d] - mean[d]) / variance
        gradient[1 + A + d] = (action[d] - mean[d]) ** 2 / variance - 1.0
        step[1 + d] = step[1 + A + d] = size * variance if scaled else size


class SoftmaxPolicy:
    """π_b = softmax(U x / T)_b over discrete actions."""

    def __init__(self, actions: int, first_action: int, settings: LinearACSettings) -> None:
        self.functions = actions
        self._first = first_action
        self._temperature = settings.temperature
        self._probabilities = np.full(actions, 1 / actions)

    def sample(self, weights: np.ndarray, active: np.ndarray, rng: np.random.Generator) -> int:
        softmax(weights, active, self._temperature, self._probabilities)
        return self._first + int(inverse_cumulative(self._probabilities, rng.random()))

    def best(self, weights: np.ndarray, active: np.ndarray, rng: np.random.Generator) -> int:
        preferences = weights[active, 1:].sum(axis=0)
        ties = np.flatnonzero(preferences == preferences.max())
        return self._first + int(ties[0] if len(ties) == 1 else rng.choice(ties))

    def direction(self, action: Any, size: float, gradient: np.ndarray, step: np.ndarray) -> None:
        np.divide(self._probabilities, -self._temperature, out=gradient[1:])
        gradient[1 + action - self._first] += 1 / self._temperature
        step[1:] = size

    def state_dict(self) -> dict[str, np.ndarray]:
        return {"probabilities": self._probabilities.copy()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        self._probabilities[...] = state["probabilities"]

    def metrics(self) -> dict[str, float]:
        p = self._probabilities[self._probabilities > 0]
        return {"entropy": float(-(p * np.log(p)).sum())}


@njit(cache=True)
def softmax(
    weights: np.ndarray, active: np.ndarray, temperature: float, probabilities: np.ndarray
) -> None:
    """Writes π [actions] of the active features."""
    highest = -np.inf
    for b in range(probabilities.shape[0]):
        preference = 0.0
        for feature in active:
            preference += weights[feature, 1 + b]
        probabilities[b] = preference / temperature
        highest = max(highest, probabilities[b])
    total = 0.0
    for b in range(probabilities.shape[0]):
        probabilities[b] = math.exp(probabilities[b] - highest)
        total += probabilities[b]
    for b in range(probabilities.shape[0]):
        probabilities[b] /= total


@njit(cache=True)
def inverse_cumulative(probabilities: np.ndarray, u: float) -> int:
    """The outcome that a uniform u in [0, 1) picks."""
    last: int = probabilities.shape[0] - 1
    for b in range(last):
        u -= probabilities[b]
        if u < 0.0:
            return b
    return last


def policy_for(space: gymnasium.Space[Any], settings: LinearACSettings) -> Policy:
    """The policy that fits an action space.

    Raises:
        AgentRefused: neither a vector nor discrete.
    """
    if isinstance(space, gymnasium.spaces.Box) and len(space.shape) == 1:
        return GaussianPolicy(space.shape[0], settings)
    if isinstance(space, gymnasium.spaces.Discrete):
        return SoftmaxPolicy(int(space.n), int(space.start), settings)
    raise AgentRefused(f"linearAC needs a vector or a discrete action, not {space}")
