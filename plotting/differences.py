"""Whether two agents differ, and by how much; and what comparing many pairs does to that."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from plotting.aggregates import probability_of_improvement
from plotting.distributions import t_quantile, t_two_sided
from plotting.inference import CONFIDENCE, Diverged, Floats, percent, settle_together

#: Up to so many ways to divide the runs, a permutation test looks at all of them.
MOST_EXACT = 20_000
PERMUTATIONS = 10_000
Method = Literal["welch", "permutation"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Of two means, with Welch's interval for it.

    p: two-sided; NaN, as the interval, where there is no variance to judge by.
    """

    estimate: float
    low: float
    high: float
    p: float


def welch(scores: Floats, others: Floats, confidence: float = CONFIDENCE) -> Difference:
    """Difference of the means of two samples [run] whose variances may differ.

    Welch (1947), The generalization of Student's problem when several different population
    variances are involved; degrees of freedom after Satterthwaite (1946).
    """
    estimate = float(np.mean(scores) - np.mean(others))
    if min(len(scores), len(others)) < 2:
        return Difference(estimate, math.nan, math.nan, math.nan)
    first, second = (_squares(each) / (len(each) - 1) / len(each) for each in (scores, others))
    squared = first + second
    if squared == 0:
        return Difference(estimate, math.nan, math.nan, math.nan)
    # relative to their sum, or squares of very small ones would vanish
    first, second = first / squared, second / squared
    freedom = 1 / (first**2 / (len(scores) - 1) + second**2 / (len(others) - 1))
    error = math.sqrt(squared)
    half_width = t_quantile(confidence, freedom) * error
    p = t_two_sided(estimate / error, freedom)
    return Difference(estimate, estimate - half_width, estimate + half_width, p)


def _squares(scores: Floats) -> float:
    """Of the deviations from the mean, which may differ from equal scores in its last bit."""
    return float(((scores - scores.mean()) ** 2).sum()) if np.ptp(scores) > 0 else 0.0


def permutation_test(
    scores: Floats,
    others: Floats,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> float:
    """Two-sided p of the difference of means, if the agents' runs could be exchanged.

    Exact where there are at most MOST_EXACT ways to divide the runs (Fisher 1935, The design of
    experiments); else from random ones, the given one among them, so that p is never 0 (Phipson &
    Smyth 2010, Permutation p-values should never be zero).
    """
    pooled = np.concatenate((scores, others)).astype(np.float64)
    pooled = pooled - pooled.mean()  # sums of the first part then tell the difference of means
    size, first = len(pooled), len(scores)
    observed = abs(math.fsum(pooled[:first]))
    # sums of the same numbers in another order differ in their last bits
    observed -= 1e-12 * float(np.abs(pooled).sum())
    if math.comb(size, first) <= MOST_EXACT:
        ways = np.array(list(itertools.combinations(range(size), first)))
        return float(np.mean(np.abs(pooled[ways].sum(axis=1)) >= observed))
    hits = 1
    for count in _chunks(permutations, size):
        drawn = rng.permuted(np.broadcast_to(pooled, (count, size)), axis=1)
        hits += int((np.abs(drawn[:, :first].sum(axis=1)) >= observed).sum())
    return hits / (permutations + 1)


def _chunks(total: int, size: int) -> Iterator[int]:
    most = max(1, 1_000_000 // size)
    while total > 0:
        yield min(total, most)
        total -= most


def effect_size(scores: Floats, others: Floats) -> float:
    """Difference of the means in standard deviations of a run, without its bias at few runs: g.

    Hedges (1981), Distribution theory for Glass's estimator of effect size and related estimators.
    NaN with fewer than four runs together, or where there is no variance to judge by.
    """
    freedom = len(scores) + len(others) - 2
    if freedom < 2:
        return math.nan
    squares = _squares(scores) + _squares(others)
    if squares == 0:
        return math.nan
    d = float(np.mean(scores) - np.mean(others)) / math.sqrt(squares / freedom)
    bias = math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2)
    return d * math.exp(bias) / math.sqrt(freedom / 2)


def holm(p: Sequence[float] | Floats) -> Floats:
    """p values [K] adjusted so that any false finding among them is as rare as one alone.

    Holm (1979), A simple sequentially rejective multiple test procedure. NaN, where nothing could
    be tested, counts as a test and stays.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values)  # NaNs go last
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two agents: mean of the first minus mean of the second, and so on.

    p, p_holm: of this pair alone, and adjusted for all pairs.
    effect: Hedges' g.
    improvement: how often a run of the first beats one of the second.
    """

    first: str
    second: str
    difference: Difference
    p: float
    p_holm: float
    effect: float
    improvement: float


def compare_pairwise(
    scores: Mapping[str, Floats],
    test: Method = "welch",
    *,
    rng: np.random.Generator | None = None,
    confidence: float = CONFIDENCE,
    diverged: Diverged = "worst",
) -> tuple[list[Comparison], str]:
    """Every pair of agents in their order, and what a caption must say. Scores [run] by agent.

    Args:
        rng: for test "permutation".
        diverged: what a score that is not finite counts as; the worst is that of all agents.
    """
    if test == "permutation" and rng is None:
        raise ValueError("a permutation test needs a random generator: rng=...")
    parts, remark = settle_together(list(scores.values()), diverged)
    samples = {name: part[~np.isnan(part)] for name, part in zip(scores, parts, strict=True)}
    for name, sample in samples.items():
        if not sample.size:
            raise ValueError(f"no score is left of {name}")
    pairs = list(itertools.combinations(samples, 2))
    differences = [welch(samples[a], samples[b], confidence) for a, b in pairs]
    p = [each.p for each in differences]
    if rng is not None and test == "permutation":
        p = [permutation_test(samples[a], samples[b], rng) for a, b in pairs]
    rows = [
        Comparison(
            first,
            second,
            difference,
            alone,
            float(adjusted),
            effect_size(samples[first], samples[second]),
            float(probability_of_improvement(samples[first][:, None], samples[second][:, None])),
        )
        for (first, second), difference, alone, adjusted in zip(
            pairs, differences, p, holm(p), strict=True
        )
    ]
    how = {"welch": "Welch's t tests", "permutation": "permutation tests"}[test]
    caption = (
        f"differences of means with {percent(confidence)} Welch intervals, each for itself; "
        f"{how}, two-sided, p adjusted for {len(pairs)} pairs by Holm's method"
    )
    return rows, caption + remark
