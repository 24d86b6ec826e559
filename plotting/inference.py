"""What is known from a few seeds of a mean, a median or an interquartile mean, and its words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from plotting.distributions import t_quantile
from plotting.kinds import KINDS as KINDS
from plotting.kinds import Kind as Kind

CONFIDENCE = 0.95
RESAMPLES = 10_000
FEW_SEEDS = 5
#: With fewer seeds, bootstrap intervals are clearly too short (docs/statistics.md has by how much).
BOOTSTRAP_SEEDS = 20

Floats = NDArray[np.float64]
#: What a score that is not finite counts as: the worst of the others, a given one, or nothing.
Diverged = float | Literal["worst", "exclude"]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate over seeds and its interval, each of the shape of what was estimated.

    low, high: NaN where n < 2, since one seed says nothing about the spread.
    n: the seeds that count.
    caption: what a reader has to be told.
    """

    estimate: Floats
    low: Floats
    high: Floats
    n: NDArray[np.int64]
    caption: str


def interval(
    values: Floats,
    kind: Kind = "mean-t",
    *,
    confidence: float = CONFIDENCE,
    diverged: Diverged = "worst",
    rng: np.random.Generator | None = None,
    resamples: int = RESAMPLES,
) -> Interval:
    """The estimate and interval for each column of `values` [seed, ...], or of values [seed].

    Student's t (1908) is the default: at the few seeds that sweeps have it holds its level, where
    bootstrap intervals (Efron & Tibshirani 1993, chapter 13) are too short.

    Args:
        diverged: what scores that are not finite count as. Give the lowest possible score where
            it is known: the worst of the others may be a good one.
        rng: for the bootstrap kinds.

    Raises:
        ValueError: a bootstrap without a generator, or nothing finite to find the worst score in.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no interval {kind!r}: the kinds are {', '.join(KINDS)}")
    settled, remark = settle(values, diverged)
    if kind == "mean-t":
        found = _student(settled, confidence)
    elif rng is None:
        raise ValueError(f"{kind} needs a random generator: interval(..., rng=...)")
    else:
        found = _bootstrap(settled, kind, confidence, rng, resamples)
    n = (~np.isnan(settled)).sum(axis=0)
    caption = in_words(int(n.max(initial=0)), kind, confidence)
    if n.size and n.min() < n.max():
        caption += f", in places over {n.min()} only"
    return Interval(*found, n, caption + remark)


def in_words(seeds: int, kind: Kind = "mean-t", confidence: float = CONFIDENCE) -> str:
    """What is known of a number over this many seeds."""
    if seeds == 1:
        return f"one seed, so no interval (caution: fewer than {FEW_SEEDS} seeds)"
    statistic, _, method = kind.partition("-")
    names = {"iqm": "interquartile mean", "t": "Student-t"}
    bootstrap = "" if method == "t" else " bootstrap"
    text = (
        f"{names.get(statistic, statistic)} and {percent(confidence)} "
        f"{names.get(method, method)}{bootstrap} interval over {seeds} seeds"
    )
    if bootstrap and seeds < BOOTSTRAP_SEEDS:
        return f"{text} (caution: with fewer than {BOOTSTRAP_SEEDS} it covers less than that)"
    if seeds < FEW_SEEDS:
        text += f" (caution: fewer than {FEW_SEEDS} seeds)"
    return text


def percent(share: float) -> str:
    """95%, 99.99%."""
    return f"{100 * share:.4g}%"


def settle(values: Floats, diverged: Diverged) -> tuple[Floats, str]:
    """Values [seed, ...] with those that are not finite replaced, and what to say of it.

    Those that count as the worst get the lowest finite value of their column, excluded ones NaN.

    Raises:
        ValueError: the worst is asked for in a column that has no finite value.
    """
    array = np.asarray(values, dtype=np.float64)
    bad = ~np.isfinite(array)
    if not bad.any():
        return array, ""
    remark = f"; {bad.sum()} without a finite score, "
    if diverged == "exclude":
        return np.where(bad, np.nan, array), remark + "left out"
    if diverged != "worst":
        return np.where(bad, diverged, array), f"{remark}counted as {diverged:g}"
    if bad.all(axis=0).any():
        raise ValueError("no score is finite: say what a diverged run counts as")
    worst = np.where(bad, np.inf, array).min(axis=0)
    counted = f"as {worst:g}, " if array.ndim == 1 else "as "
    return np.where(bad, worst, array), f"{remark}counted {counted}the worst of the others"


def settle_together(samples: Sequence[Floats], diverged: Diverged) -> tuple[list[Floats], str]:
    """`settle` of several samples as one: all are held against the same worst score."""
    together, remark = settle(np.concatenate(samples), diverged)
    ends = np.cumsum([len(sample) for sample in samples])
    return np.split(together, ends[:-1]), remark


def iqm(values: Floats) -> Floats:
    """Interquartile mean over the last axis: without the lowest and the highest quarter.

    A quarter is rounded down, so that of up to three values it is the mean. Agarwal et al. (2021),
    Deep reinforcement learning at the edge of the statistical precipice.
    """
    ordered = np.sort(values, axis=-1)
    size = ordered.shape[-1]
    middle: Floats = ordered[..., size // 4 : size - size // 4].mean(axis=-1)
    return middle


def quantiles(samples: Floats, confidence: float) -> Floats:
    """The central `confidence` of `samples` [resample, ...]: lower and upper border. [2, ...]"""
    borders: Floats = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return borders


def _student(values: Floats, confidence: float) -> tuple[Floats, Floats, Floats]:
    known = ~np.isnan(values)
    n = np.asarray(known.sum(axis=0))
    mean = np.where(known, values, 0.0).sum(axis=0) / np.where(n > 0, n, np.nan)
    squares = np.where(known, values - mean, 0.0) ** 2
    variance = squares.sum(axis=0) / np.where(n > 1, n - 1, np.nan)
    counts, which = np.unique(n, return_inverse=True)
    each = [t_quantile(confidence, int(k) - 1) if k > 1 else np.nan for k in counts]
    half_width = np.take(each, which).reshape(n.shape) * np.sqrt(
        variance / np.where(n > 1, n, np.nan)
    )
    return mean, mean - half_width, mean + half_width


_STATISTICS: dict[str, Callable[[Floats], Floats]] = {
    "mean": lambda values: np.asarray(values.mean(axis=-1)),
    "median": lambda values: np.asarray(np.median(values, axis=-1)),
    "iqm": iqm,
}


def _bootstrap(
    values: Floats, kind: Kind, confidence: float, rng: np.random.Generator, resamples: int
) -> tuple[Floats, Floats, Floats]:
    name, _, method = kind.partition("-")
    statistic = _STATISTICS[name]
    columns = values.reshape(len(values), -1)
    found = np.full((3, columns.shape[1]), np.nan)
    drawn: dict[int, NDArray[np.int64]] = {}  # a resample has the same seeds in every column
    for k, column in enumerate(columns.T):
        known = column[~np.isnan(column)]
        if (n := len(known)) == 0:
            continue
        found[0, k] = estimate = statistic(known)
        if n > 1:
            if n not in drawn:
                drawn[n] = rng.integers(n, size=(resamples, n))
            borders = quantiles(statistic(known[drawn[n]]), confidence)
            found[1:, k] = borders if method == "percentile" else 2 * estimate - borders[::-1]
    estimate, low, high = found.reshape(3, *values.shape[1:])
    return estimate, low, high
