"""The mean over seeds and how well it is known: Student-t intervals, in numpy alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """Mean and interval over seeds at B timesteps, each array [B].

    `low` and `high` are NaN where n < 2: one seed says nothing about the spread.
    """

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.int64]


def mean_interval(values: NDArray[np.float64], confidence: float = CONFIDENCE) -> MeanInterval:
    """Student-t interval for the mean of each column of `values` [seed, B], NaNs left out.

    t is the default because it holds its level at the few seeds that sweeps have: for Gaussian
    scores and 5 seeds it covers 95%, where the percentile bootstrap covers 86%.
    """
    import numpy as np

    known = ~np.isnan(values)
    n = known.sum(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.where(n > 0, n, np.nan)
    squares = np.where(known, values - mean, 0.0) ** 2
    variance = squares.sum(axis=0) / np.where(n > 1, n - 1, np.nan)
    quantile = np.array([t_quantile(confidence, int(k) - 1) if k > 1 else np.nan for k in n])
    half_width = quantile * np.sqrt(variance / np.where(n > 1, n, np.nan))
    return MeanInterval(mean, mean - half_width, mean + half_width, n)


@cache
def t_quantile(confidence: float, degrees_of_freedom: int) -> float:
    """The t with P(-t <= T <= t) = confidence, for T of Student's distribution.

    Bisection on the angle atan(t / sqrt(degrees of freedom)), to the last bit of the angle.
    """
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        if _central_probability(middle, degrees_of_freedom) < confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees_of_freedom) * math.tan(high)


def _central_probability(angle: float, degrees_of_freedom: int) -> float:
    """P(|T| <= t) at t = sqrt(degrees of freedom) * tan(angle), a finite sum.

    Abramowitz & Stegun, Handbook of Mathematical Functions, 26.7.3 (odd) and 26.7.4 (even).
    """
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees_of_freedom % 2
    term = sine * cosine if odd else sine
    total = 0.0
    for k in range(2 + odd, degrees_of_freedom + 1, 2):
        total += term
        term *= cosine**2 * (k - 1) / k
    if odd:
        return 2 / math.pi * (angle + total)
    return total
