"""Shares of runs: the range that holds most of them, and how many of them did something."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cache

import numpy as np

from plotting.distributions import binomial_cdf, incomplete_beta, solve
from plotting.inference import CONFIDENCE, Diverged, Floats, percent, settle

SHARE = 0.9


@dataclass(frozen=True, slots=True)
class ToleranceInterval:
    """A range of scores that holds at least `share` of all runs, in the said `confidence`.

    low, high: of the shape of the columns; NaN with fewer than two runs.
    share: what was asked for, or less where so few runs cannot show so much.
    confidence: the true one, at least what was asked for.
    """

    low: Floats
    high: Floats
    share: float
    confidence: float
    n: int
    caption: str


def tolerance_interval(
    values: Floats,
    share: float = SHARE,
    confidence: float = CONFIDENCE,
    *,
    diverged: Diverged = "worst",
) -> ToleranceInterval:
    """The range that at least `share` of all runs fall in, for each column of `values` [run, ...].

    Without assuming a distribution: from the r-th to the s-th of n ordered scores lies at least
    the share with probability P(Binomial(n, share) <= s - r - 1). Taken is the smallest s - r that
    reaches the confidence, in the middle, or one place lower where there is no middle. If even all
    n are too few, the interval is from the lowest to the highest, and says what that does cover.
    Wilks (1941), Determination of sample sizes for setting tolerance limits.

    Args:
        diverged: "exclude" leaves out a run from all columns.
    """
    settled, remark = settle(values, diverged)
    known = settled[~np.isnan(settled).reshape(len(settled), -1).any(axis=1)]
    ordered, n = np.sort(known, axis=0), len(known)
    if n < 2:
        unknown = np.full(settled.shape[1:], np.nan)
        caption = f"no tolerance interval over fewer than 2 seeds{remark}"
        return ToleranceInterval(unknown, unknown, 0.0, 1.0, n, caption)
    first, last = tolerance_ranks(n, share, confidence)
    reached = binomial_cdf(last - first - 1, n, share)
    low, high = ordered[first - 1], ordered[last - 1]
    if reached >= confidence:
        which = f"seed {first} to {last} of {n} in order"
    else:
        share, reached = least_share(n, confidence), confidence
        which = f"lowest to highest of {n} seeds, too few for more"
    caption = f"{percent(confidence)} tolerance interval for {percent(share)} of runs ({which})"
    return ToleranceInterval(low, high, share, reached, n, caption + remark)


@cache
def tolerance_ranks(n: int, share: float, confidence: float) -> tuple[int, int]:
    """(r, s), counted from 1: the narrowest central ranks that hold the share, or else (1, n)."""
    widths = range(1, n)
    enough = bisect_left(widths, True, key=lambda w: binomial_cdf(w - 1, n, share) >= confidence)
    width = min(enough + 1, n - 1)
    first = (n + 1 - width) // 2
    return first, first + width


@cache
def least_share(n: int, confidence: float = CONFIDENCE) -> float:
    """What share of all runs lies between the lowest and the highest of n, in that confidence."""
    outside = solve(lambda share: incomplete_beta(share, 2, n - 1), confidence, 0.0, 1.0)
    return 1 - outside


def share_interval(count: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The share of all runs that do what `count` of `n` did: never less often right than claimed.

    Clopper & Pearson (1934), The use of confidence or fiducial limits illustrated in the case of
    the binomial.
    """
    if not 0 <= count <= n:
        raise ValueError(f"{count} of {n} is no share")
    tail = (1 - confidence) / 2
    low, high = 0.0, 1.0
    if count > 0:
        low = solve(lambda p: incomplete_beta(p, count, n - count + 1), tail, 0.0, 1.0)
    if count < n:
        high = solve(lambda p: incomplete_beta(p, count + 1, n - count), 1 - tail, 0.0, 1.0)
    return low, high
