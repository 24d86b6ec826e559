"""Linear weights with sparse accumulating eligibility traces, of all members of a group.

All functions of one agent (critic, policy mean, action preferences...) share their features, so
their weights lie side by side: [features, functions]. Only features whose trace is still above
rounding are touched, hence a step's cost does not grow with the table; their traces lie next to
one another, in rows of their own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

#: A trace that has decayed by this factor is dropped.
_NEGLIGIBLE = 1e-12

_A = np.ndarray


class TracedWeights:
    """Weights of M members, zero at first, and their traces.

    Attributes:
        weights: [M, features, functions].
        traces: [M, rows, functions] of the live features, in the first `clock[m, 0]` rows.
        live: [M, rows] which feature a row belongs to.
        seen: [M, rows] the step when it was last active.
        row: [M, features] 1 + the row of a live feature, else 0.
        clock: [M, 2] number of live features, steps taken.
        decay: [M] γλ, the factor on every trace at each step.
        horizon: [M] steps after which a feature that was not active again is dropped.
    """

    def __init__(self, features: int, active: int, functions: int, decay: np.ndarray) -> None:
        """
        Args:
            active: features that a step touches.
        """
        M = len(decay)
        self.decay = decay
        self.horizon = np.array([_horizon(one) for one in decay])
        rows = min(features, active * (int(self.horizon.max()) + 1))
        self.weights = np.zeros((M, features, functions))
        self.traces = np.zeros((M, rows, functions))
        self.live = np.zeros((M, rows), dtype=np.int32)
        self.seen = np.zeros((M, rows), dtype=np.int64)
        self.row = np.zeros((M, features), dtype=np.int32)
        self.clock = np.zeros((M, 2), dtype=np.int64)

    @property
    def arrays(self) -> tuple[_A, _A, _A, _A, _A, _A, _A, _A, tuple[int, ...]]:
        """What `learn` and `forget` work on, for all members."""
        return (
            self.weights,
            self.traces,
            self.live,
            self.seen,
            self.row,
            self.clock,
            self.decay,
            self.horizon,
            (0,) * self.weights.shape[2],
        )

    def dense_traces(self, member: int) -> np.ndarray:
        """[features, functions], zero but for the live features."""
        dense = np.zeros(self.weights.shape[1:])
        count = self.clock[member, 0]
        dense[self.live[member, :count]] = self.traces[member, :count]
        return dense

    def state_dict(self, member: int) -> dict[str, Any]:
        """Copies of all that the member's future depends on."""
        count = self.clock[member, 0]
        return {
            "weights": self.weights[member].copy(),
            "clock": self.clock[member].copy(),
            **{name: getattr(self, name)[member, :count].copy() for name in self._ROWS},
        }

    def load_state_dict(self, member: int, state: dict[str, Any]) -> None:
        self.weights[member], self.clock[member] = state["weights"], state["clock"]
        count = self.clock[member, 0]
        for name in self._ROWS:
            getattr(self, name)[member, :count] = state[name]
        self.row[member] = 0
        self.row[member, state["live"]] = 1 + np.arange(count)

    _ROWS = ("traces", "live", "seen")


def _horizon(decay: float) -> int:
    if decay >= 1.0:
        return 2**62
    return math.ceil(math.log(_NEGLIGIBLE) / math.log(decay)) if decay > 0.0 else 1


@njit(cache=True)
def value(weights: np.ndarray, function: int, active: np.ndarray) -> float:
    """w_f · x for binary features, weights [features, functions]: the sum over the active ones."""
    total = 0.0
    for feature in active:
        total += weights[feature, function]
    return total


@njit(cache=True)
def learn(
    m: int,
    weights: np.ndarray,
    traces: np.ndarray,
    live: np.ndarray,
    seen: np.ndarray,
    row: np.ndarray,
    clock: np.ndarray,
    decay: np.ndarray,
    horizon: np.ndarray,
    width: tuple[int, ...],
    active: np.ndarray,
    gradient: np.ndarray,
    step: np.ndarray,
) -> None:
    """e_f <- γλ e_f + gradient_f x;  w_f <- w_f + step_f e_f, for every function f of member m.

    Args:
        width: an entry a function: the compiler knows the length of a tuple, and unrolls.
        active: [K] active features of x.
        gradient: [functions] derivative with respect to w_f · x.
        step: [functions] step size times TD error.
    """
    F = len(width)
    count, now = clock[m, 0], clock[m, 1]
    w, e = weights[m].reshape(-1), traces[m].reshape(-1)
    features, last, rows = live[m], seen[m], row[m]
    for j in range(count * F):
        e[j] *= decay[m]
    for feature in active:
        i = rows[feature] - 1
        if i < 0:
            i = count
            count += 1
            features[i], rows[feature] = feature, count
            e[i * F : count * F] = 0.0
        last[i] = now
        for f in range(F):
            e[i * F + f] += gradient[f]
    for i in range(count):
        place = features[i] * F
        for f in range(F):
            w[place + f] += step[f] * e[i * F + f]
    i = 0
    while i < count:
        if now - last[i] < horizon[m]:
            i += 1
            continue
        count -= 1  # the last row takes the place of the one that is dropped
        rows[features[count]] = i + 1
        rows[features[i]] = 0
        features[i], last[i] = features[count], last[count]
        for f in range(F):
            e[i * F + f] = e[count * F + f]
    clock[m, 0], clock[m, 1] = count, now + 1


@njit(cache=True)
def forget(m: int, live: np.ndarray, row: np.ndarray, clock: np.ndarray) -> None:
    """Clears the traces of member m: an episode begins."""
    for i in range(clock[m, 0]):
        row[m, live[m, i]] = 0
    clock[m, 0] = 0
