"""Random numbers of compiled loops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.planning.kernels.compiling import compiled
from agents.planning.kernels.forms import Stream

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@compiled
def scrambled(number: np.uint64) -> np.uint64:
    """A bijection of 64 bits in which every bit of the result depends on every bit given."""
    number = (number ^ (number >> _30)) * _FIRST
    number = (number ^ (number >> _27)) * _SECOND
    return number ^ (number >> _31)


@compiled
def uniform(stream: Stream) -> float:
    """The next number, in [0, 1)."""
    stream[0] += _STEP
    return float(scrambled(stream[0]) >> _11) * 2.0**-53


@compiled
def pick(weights: NDArray[np.float64], total: float, stream: Stream) -> int:
    """An index with probability weight / total, where `total` is above 0; never one of weight 0."""
    rest = uniform(stream) * total
    last = -1
    for index in range(len(weights)):
        if weights[index] > 0.0:
            last = index
            rest -= weights[index]
            if rest < 0.0:
                break
    return last
