"""Sampling in proportion to priorities that change: a binary tree of sums."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


class SumTree:
    """Priorities of `leaves` places, 0 at first.

    Attributes:
        sums: [2 size]: node i has children 2 i and 2 i + 1, leaf j is node size + j; node 1 is the
            total.
    """

    def __init__(self, leaves: int) -> None:
        self.size = 1 << max(leaves - 1, 1).bit_length()
        self.leaves = leaves
        self.sums = np.zeros(2 * self.size)

    @property
    def total(self) -> float:
        """The sum of all priorities."""
        return float(self.sums[1])

    @property
    def priorities(self) -> NDArray[np.float64]:
        """[leaves], not to be written."""
        return self.sums[self.size : self.size + self.leaves]

    def set(self, places: NDArray[np.int64], priorities: NDArray[np.float64]) -> None:
        """Gives `places` their priorities; of one that occurs twice the last counts."""
        _set(self.sums, self.size, places, priorities)

    def sample(self, uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
        """A place for each number of [0, 1), drawn by priority; the total must not be 0."""
        places = np.empty(len(uniforms), np.int64)
        _sample(self.sums, self.size, uniforms, places)
        return places

    def load(self, priorities: NDArray[np.float64]) -> None:
        """Takes over all priorities; the sums are those of any other order of setting them."""
        self.sums[:] = 0.0
        self.sums[self.size : self.size + self.leaves] = priorities
        _add_up(self.sums, self.size)


@njit(cache=True)
def _set(
    sums: NDArray[np.float64],
    size: int,
    places: NDArray[np.int64],
    priorities: NDArray[np.float64],
) -> None:
    for i in range(len(places)):
        at = size + places[i]
        sums[at] = priorities[i]
        at //= 2
        while at > 0:
            # added anew, not corrected by a difference: rounding does not pile up
            sums[at] = sums[2 * at] + sums[2 * at + 1]
            at //= 2


@njit(cache=True)
def _sample(
    sums: NDArray[np.float64],
    size: int,
    uniforms: NDArray[np.float64],
    places: NDArray[np.int64],
) -> None:
    for i in range(len(uniforms)):
        rest, at = uniforms[i] * sums[1], 1
        while at < size:
            at *= 2
            # rounding must not lead into a branch without priority
            if rest >= sums[at] and sums[at + 1] > 0.0:
                rest -= sums[at]
                at += 1
        places[i] = at - size


@njit(cache=True)
def _add_up(sums: NDArray[np.float64], size: int) -> None:
    for at in range(size - 1, 0, -1):
        sums[at] = sums[2 * at] + sums[2 * at + 1]
