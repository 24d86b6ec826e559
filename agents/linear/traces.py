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

from agents.linear.kernels import kernel

#: A trace that has decayed by this factor is dropped.
_NEGLIGIBLE = 1e-12


#: What the members' records must have: live features, steps taken, γλ, and the steps after which
#: a feature that was not active again is dropped.
FIELDS = (("count", "i8"), ("now", "i8"), ("decay", "f8"), ("horizon", "i8"))


class TracedWeights:
    """Weights of M members, zero at first, and their traces.

    Attributes:
        weights: [M, features, functions].
        traces: [M, rows, functions] of the live features, in the first `count` rows.
        live: [M, rows, 2] the feature that a row belongs to, and the step when it was last active.
        row: [M, features] 1 + the row of a live feature, else 0.
        width: an entry a function: the compiler knows the length of a tuple, and unrolls.
    """

    def __init__(
        self, features: int, active: int, functions: int, decay: np.ndarray, records: np.ndarray
    ) -> None:
        """
        Args:
            active: features that a step touches.
            decay: [M] γλ, the factor on every trace at each step.
            records: [M] with `FIELDS`, which are kept there.
        """
        M = len(decay)
        horizon = [_horizon(one) for one in decay]
        rows = min(features, active * (max(horizon) + 1))
        records["decay"], records["horizon"] = decay, horizon
        self._records = records
        self.weights = np.zeros((M, features, functions))
        self.traces = np.zeros((M, rows, functions))
        self.live = np.zeros((M, rows, 2), dtype=np.int64)
        self.row = np.zeros((M, features), dtype=np.int32)
        self.width = (0,) * functions

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What `learn` works on."""
        return self.weights, self.traces, self.live, self.row, self.width

    def dense_traces(self, member: int) -> np.ndarray:
        """[features, functions], zero but for the live features."""
        dense = np.zeros(self.weights.shape[1:])
        count = self._records["count"][member]
        dense[self.live[member, :count, 0]] = self.traces[member, :count]
        return dense

    def state_dict(self, member: int) -> dict[str, Any]:
        """Copies of all that the member's future depends on."""
        count = self._records["count"][member]
        return {
            "weights": self.weights[member].copy(),
            "traces": self.traces[member, :count].copy(),
            "live": self.live[member, :count].copy(),
            "now": int(self._records["now"][member]),
        }

    def load_state_dict(self, member: int, state: dict[str, Any]) -> None:
        """Continues where `state_dict` was taken."""
        count = len(state["live"])
        self._records["count"][member], self._records["now"][member] = count, state["now"]
        self.weights[member] = state["weights"]
        self.traces[member, :count], self.live[member, :count] = state["traces"], state["live"]
        self.row[member] = 0
        self.row[member, state["live"][:, 0]] = 1 + np.arange(count)


def _horizon(decay: float) -> int:
    if decay >= 1.0:
        return 2**62
    return math.ceil(math.log(_NEGLIGIBLE) / math.log(decay)) if decay > 0.0 else 1


@kernel
def value(weights: np.ndarray, function: int, active: np.ndarray) -> float:
    """w_f · x for binary features, weights [features, functions]: the sum over the active ones."""
    total = 0.0
    for feature in active:
        total += weights[feature, function]
    return total


@kernel
def learn(
    m: int,
    weights: np.ndarray,
    traces: np.ndarray,
    live: np.ndarray,
    row: np.ndarray,
    width: tuple[int, ...],
    records: np.ndarray,
    active: np.ndarray,
    gradient: np.ndarray,
    step: np.ndarray,
) -> None:
    """e_f <- γλ e_f + gradient_f x;  w_f <- w_f + step_f e_f, for every function f of member m.

    Args:
        active: [K] active features of x.
        gradient: [functions] derivative with respect to w_f · x.
        step: [functions] step size times TD error.
    """
    F, one = len(width), records[m]
    count, now, decay, horizon = one.count, one.now, one.decay, one.horizon
    w, e, features, rows = weights[m].reshape(-1), traces[m].reshape(-1), live[m], row[m]
    for j in range(count * F):
        e[j] *= decay
    for feature in active:
        i = rows[feature] - 1
        if i < 0:
            i = count
            count += 1
            features[i, 0], rows[feature] = feature, count
            e[i * F : count * F] = 0.0
        features[i, 1] = now
        for f in range(F):
            e[i * F + f] += gradient[f]
    for i in range(count):
        place = features[i, 0] * F
        for f in range(F):
            w[place + f] += step[f] * e[i * F + f]
    i = 0
    while i < count:
        if now - features[i, 1] < horizon:
            i += 1
            continue
        count -= 1  # the last row takes the place of the one that is dropped
        rows[features[count, 0]] = i + 1
        rows[features[i, 0]] = 0
        features[i] = features[count]
        for f in range(F):
            e[i * F + f] = e[count * F + f]
    records[m].count, records[m].now = count, now + 1


@kernel
def forget(m: int, live: np.ndarray, row: np.ndarray, records: np.ndarray) -> None:
    """Clears the traces of member m: an episode begins."""
    for i in range(records[m].count):
        row[m, live[m, i, 0]] = 0
    records[m].count = 0
