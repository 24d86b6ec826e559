"""Linear policies: a Gaussian for continuous actions, a softmax for discrete ones.

A policy's functions of the features stand in columns 1 and up of the agent's weights (column 0 is
the critic), and its parameters at a state in an array of as many entries: [μ, σ] of each action
dimension, or the probabilities. Each writes ∇ log π with respect to its functions' outputs; for
binary features that is all there is to the gradient.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from agents.linear.kernels import kernel

#: Has the largest exponential that is finite.
_LARGEST = math.log(sys.float_info.max)


@kernel
def gaussian(
    weights: np.ndarray, active: np.ndarray, log_clip: float, parameters: np.ndarray
) -> None:
    """Writes μ [A], then σ [A], of the active features into `parameters`.

    μ = u_μ·x and ln σ = clip(u_σ·x, ± log_clip), independent action dimensions.
    """
    A = parameters.shape[0] // 2
    for d in range(A):
        location, log_scale = 0.0, 0.0
        for feature in active:
            location += weights[feature, 1 + d]
            log_scale += weights[feature, 1 + A + d]
        parameters[d] = location
        parameters[A + d] = _exp(min(max(log_scale, -log_clip), log_clip))


@kernel
def _exp(x: float) -> float:
    return math.inf if x > _LARGEST else math.exp(x)  # which raises there, in Python


@kernel
def gaussian_direction(
    action: np.ndarray,
    parameters: np.ndarray,
    size: float,
    scaled: bool,
    gradient: np.ndarray,
    step: np.ndarray,
) -> None:
    """∇_μ = (a - μ)/σ² and ∇_lnσ = (a - μ)²/σ² - 1; step sizes times σ² when `scaled`.

    Args:
        size: actor step size times TD error.
        gradient, step: [1 + functions], written from place 1 on.
    """
    A = parameters.shape[0] // 2
    for d in range(A):
        error, stddev = action[d] - parameters[d], parameters[A + d]
        variance = stddev * stddev
        gradient[1 + d] = error / variance
        gradient[1 + A + d] = error * error / variance - 1.0
        step[1 + d] = step[1 + A + d] = size * variance if scaled else size


@kernel
def softmax(
    weights: np.ndarray, active: np.ndarray, temperature: float, probabilities: np.ndarray
) -> None:
    """Writes π_b = softmax(U x / T)_b of the active features."""
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


@kernel
def softmax_direction(
    action: int,
    probabilities: np.ndarray,
    temperature: float,
    size: float,
    gradient: np.ndarray,
    step: np.ndarray,
) -> None:
    """∇_b = (1[a = b] - π_b) / T. Arguments as of `gaussian_direction`."""
    for b in range(probabilities.shape[0]):
        gradient[1 + b] = probabilities[b] / -temperature
        step[1 + b] = size
    gradient[1 + action] += 1 / temperature


@kernel
def inverse_cumulative(probabilities: np.ndarray, u: float) -> int:
    """The outcome that a uniform u in [0, 1) picks."""
    last: int = probabilities.shape[0] - 1
    for b in range(last):
        u -= probabilities[b]
        if u < 0.0:
            return b
    return last


@kernel
def greedy(weights: np.ndarray, first: int, functions: int, active: np.ndarray, u: float) -> int:
    """Which function from column `first` on is highest at x; a uniform u decides between ties."""
    ties, highest = 0, -np.inf
    outputs = np.zeros(functions)
    for feature in active:
        for b in range(functions):
            outputs[b] += weights[feature, first + b]
    for b in range(functions):
        if outputs[b] > highest:
            ties, highest = 1, outputs[b]
        elif outputs[b] == highest:
            ties += 1
    chosen = int(u * ties)
    for b in range(functions):
        if outputs[b] == highest:
            if chosen == 0:
                return b
            chosen -= 1
    return 0
