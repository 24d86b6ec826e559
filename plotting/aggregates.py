"""One number for an agent's scores on several tasks, and its interval over runs.

A table has the scores [run, task], NaN where a task has fewer runs than another; every function
also takes a stack of tables [..., run, task] whose NaNs stand at the same places. Definitions are
those of Agarwal et al. (2021), Deep reinforcement learning at the edge of the statistical
precipice.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from plotting.inference import (
    CONFIDENCE,
    Diverged,
    Floats,
    Interval,
    iqm,
    percent,
    quantiles,
    settle_together,
)

RESAMPLES = 50_000
#: With fewer runs of a task, intervals are clearly too short (docs/statistics.md has by how much).
FEW_RUNS = 10
_CHUNK = 1 << 16  # scores at a time: they stay in the processor's cache


def mean(scores: Floats) -> Floats:
    """Over tasks, of the mean over runs. [..., run, task] -> [...]"""
    return np.asarray(_task_means(scores).mean(axis=-1))


def median(scores: Floats) -> Floats:
    """Over tasks, of the mean over runs. [..., run, task] -> [...]"""
    return np.asarray(np.median(_task_means(scores), axis=-1))


def interquartile_mean(scores: Floats) -> Floats:
    """Of all runs on all tasks together. [..., run, task] -> [...]"""
    return iqm(_pooled(scores))


def optimality_gap(scores: Floats, target: float = 1.0) -> Floats:
    """How much all runs together fall short of the target on average. [..., run, task] -> [...]"""
    return np.asarray(target - np.minimum(_pooled(scores), target).mean(axis=-1))


def probability_of_improvement(scores: Floats, others: Floats) -> Floats:
    """How often a run of `scores` beats one of `others` on a task, a tie being half a win.

    That is Mann & Whitney's U (1947) of every task as a share, averaged over tasks.
    [..., run, task], [..., other run, task] -> [...]
    """
    left, right = scores[..., :, None, :], others[..., None, :, :]
    wins = (left > right).sum(axis=(-3, -2)) + 0.5 * (left == right).sum(axis=(-3, -2))
    pairs = (~np.isnan(scores)).sum(axis=-2) * (~np.isnan(others)).sum(axis=-2)
    return np.asarray((wins / pairs).mean(axis=-1))


def score_distribution(scores: Floats, thresholds: Floats) -> Floats:
    """Performance profile: the share of all runs that score more than each threshold.

    [..., run, task], [T] -> [..., T]. After Dolan & Moré (2002), Benchmarking optimization
    software with performance profiles.
    """
    return _above(_pooled(scores), thresholds)


def mean_score_distribution(scores: Floats, thresholds: Floats) -> Floats:
    """The share of tasks whose mean is more than each threshold. [..., run, task] -> [..., T]"""
    return _above(_task_means(scores), thresholds)


def stratified_interval(
    statistic: Callable[..., Floats],
    *tables: Floats,
    rng: np.random.Generator,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    diverged: Diverged = "worst",
    name: str | None = None,
) -> Interval:
    """Percentile interval of `statistic(*tables)`: the runs of every task are drawn anew.

    Runs are drawn from their own task and table only, independently of one another; tasks are
    not drawn, so nothing is said of tasks that are not in the tables. Each table is [run, task].

    Args:
        diverged: what a score that is not finite counts as; the worst is that of its task in any
            of the tables.
        name: for the caption; that of the function otherwise.
    """
    settled, remark = settle_together(tables, diverged)
    counts = np.stack([(~np.isnan(table)).sum(axis=0) for table in settled])
    if not counts.all():
        raise ValueError(f"no score is left of task {int((counts == 0).any(axis=0).argmax())}")
    estimate = statistic(*settled)
    words = name or getattr(statistic, "__name__", "estimate").replace("_", " ")
    if counts.min() < 2:
        unknown = np.full(np.shape(estimate), np.nan)
        caption = f"{words}, without interval as a task has one run only{remark}"
        return Interval(estimate, unknown, unknown, counts[0], caption)
    chunk = max(1, _CHUNK // max(table.size for table in settled))
    parts = []
    for start in range(0, resamples, chunk):
        count = min(chunk, resamples - start)
        parts.append(statistic(*(resample(table, count, rng) for table in settled)))
    low, high = quantiles(np.concatenate(parts), confidence)
    caption = (
        f"{words} and {percent(confidence)} percentile interval of {resamples:,} stratified "
        f"bootstrap resamples over {_tasks_and_runs(counts)}{remark}"
    )
    return Interval(estimate, low, high, counts[0], caption)


def _tasks_and_runs(counts: NDArray[np.int64]) -> str:
    """In words, from the runs [table, task]."""
    fewest, most = int(counts.min()), int(counts.max())
    text = f"{counts.shape[1]} tasks of {fewest if fewest == most else f'{fewest} to {most}'} runs"
    if fewest < FEW_RUNS:
        text += f" (caution: with fewer than {FEW_RUNS} it covers less than that)"
    return text


def resample(table: Floats, count: int, rng: np.random.Generator) -> Floats:
    """`count` tables [count, run, task] of scores drawn with replacement from the same task."""
    runs, tasks = table.shape
    known = ~np.isnan(table)
    ranks = known.sum(axis=0)
    # known scores first; below one bound for all tasks, places are drawn several times as fast
    packed = np.take_along_axis(table, np.argsort(~known, axis=0, kind="stable"), axis=0)
    bound = runs if known.all() else ranks
    places = rng.integers(bound, size=(count, runs, tasks)) * tasks + np.arange(tasks)
    drawn: Floats = packed.take(places)
    if not known.all():
        drawn[:, np.arange(runs)[:, None] >= ranks] = np.nan
    return drawn


def _pooled(scores: Floats) -> Floats:
    """[..., run, task] -> [..., run on any task], without NaNs."""
    pooled = scores.reshape(*scores.shape[:-2], -1)
    known = ~np.isnan(pooled.reshape(-1, pooled.shape[-1])[0])
    return pooled if known.all() else pooled[..., known]


def _task_means(scores: Floats) -> Floats:
    known = ~np.isnan(scores)
    means: Floats = np.where(known, scores, 0.0).sum(axis=-2) / known.sum(axis=-2)
    return means


def _above(values: Floats, thresholds: Floats) -> Floats:
    """The share of values [..., N] above each threshold. [..., T]

    Counted by how many thresholds lie below a value, not by comparing every pair.
    """
    order = np.argsort(thresholds)
    below = np.searchsorted(thresholds[order], values.reshape(-1, values.shape[-1]))
    rows, size = len(below), len(thresholds) + 1
    places = below + size * np.arange(rows)[:, None]
    counts = np.bincount(places.ravel(), minlength=rows * size).reshape(rows, size)
    above = np.empty((rows, len(thresholds)))
    above[:, order] = counts[:, ::-1].cumsum(axis=1)[:, -2::-1]
    shares: Floats = above / values.shape[-1]
    return shares.reshape(*values.shape[:-1], len(thresholds))
