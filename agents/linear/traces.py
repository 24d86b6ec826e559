"""Linear weights with sparse accumulating eligibility traces.

All functions of one agent (critic, policy mean, action preferences...) share their features, so
their weights lie side by side: [features, functions]. Only features whose trace is still above
rounding are touched, hence a step's cost does not grow with the table.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

#: A trace that has decayed by this factor is dropped.
_NEGLIGIBLE = 1e-12
_NOT_LIVE = -1


class TracedWeights:
    """Weights [features, functions] and their traces.

    Attributes:
        weights: [features, functions], zero at first.
        traces: [features, functions], zero but for the live features.
        live: [features] the live features, in its first `clock[0]` places.
        seen: [features] the step when a live feature was last active, else -1.
        clock: [2] number of live features, steps taken.
        decay: γλ, the factor on every trace at each step.
        horizon: steps after which a feature that was not active again is dropped.
    """

    def __init__(self, features: int, functions: int, decay: float) -> None:
        self.weights = np.zeros((features, functions))
        self.traces = np.zeros((features, functions))
        self.live = np.zeros(features, dtype=np.int64)
        self.seen = np.full(features, _NOT_LIVE, dtype=np.int64)
        self.clock = np.zeros(2, dtype=np.int64)
        self.decay = decay
        self.horizon = _horizon(decay)

    def learn(self, active: np.ndarray, gradient: np.ndarray, step: np.ndarray) -> None:
        """One step of every function; see `learn` below."""
        learn(
            self.weights,
            self.traces,
            self.live,
            self.seen,
            self.clock,
            self.decay,
            self.horizon,
            active,
            gradient,
            step,
        )

    def clear_traces(self) -> None:
        """Forgets the past: an episode begins."""
        live = self.live[: self.clock[0]]
        self.traces[live] = 0.0
        self.seen[live] = _NOT_LIVE
        self.clock[0] = 0

    def state_dict(self) -> dict[str, Any]:
        """Copies of all arrays."""
        return {name: getattr(self, name).copy() for name in self._ARRAYS}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes the arrays in place, so that whoever holds them sees them."""
        for name in self._ARRAYS:
            getattr(self, name)[...] = state[name]

    _ARRAYS = ("weights", "traces", "live", "seen", "clock")


def _horizon(decay: float) -> int:
    if decay >= 1.0:
        return 2**62
    return math.ceil(math.log(_NEGLIGIBLE) / math.log(decay)) if decay > 0.0 else 1


@njit(cache=True)
def value(weights: np.ndarray, function: int, active: np.ndarray) -> float:
    """w_f · x for binary features: the sum over the active ones."""
    total = 0.0
    for feature in active:
        total += weights[feature, function]
    return total


@njit(cache=True)
def learn(
    weights: np.ndarray,
    traces: np.ndarray,
    live: np.ndarray,
    seen: np.ndarray,
    clock: np.ndarray,
    decay: float,
    horizon: int,
    active: np.ndarray,
    gradient: np.ndarray,
    step: np.ndarray,
) -> None:
    """e_f <- γλ e_f + gradient_f x;  w_f <- w_f + step_f e_f, for every function f.

    Args:
        active: [K] active features of x.
        gradient: [functions] derivative with respect to w_f · x.
        step: [functions] step size times TD error.
    """
    functions = weights.shape[1]
    count = clock[0]
    now = clock[1]
    for i in range(count):
        for f in range(functions):
            traces[live[i], f] *= decay
    for feature in active:
        if seen[feature] == _NOT_LIVE:
            live[count] = feature
            count += 1
        seen[feature] = now
        for f in range(functions):
            traces[feature, f] += gradient[f]
    i = 0
    while i < count:
        feature = live[i]
        for f in range(functions):
            weights[feature, f] += step[f] * traces[feature, f]
        if now - seen[feature] >= horizon:
            for f in range(functions):
                traces[feature, f] = 0.0
            seen[feature] = _NOT_LIVE
            count -= 1
            live[i] = live[count]
        else:
            i += 1
    clock[0] = count
    clock[1] = now + 1
