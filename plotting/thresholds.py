"""How long runs take to reach a return, of which some never do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiment.curves import window_mean
from plotting.inference import CONFIDENCE, percent
from plotting.shares import share_interval


@dataclass(frozen=True, slots=True)
class Reach:
    """When a run reached the threshold; a censored time where it did not.

    timestep: the end of the episode that reached it, or how long it was tried in vain.
    """

    timestep: int
    reached: bool


def time_to_threshold(
    returns: Sequence[float],
    steps: Sequence[int],
    threshold: float,
    total_timesteps: int,
    window: int | None = None,
) -> Reach:
    """The end of the first finished episode whose return is at least `threshold`.

    Args:
        returns, steps: of the finished episodes, in order from timestep 0.
        total_timesteps: how long the run was, an unfinished episode included.
        window: instead of one episode's return, the mean return over that many timesteps before
            the end of an episode, so that luck in a single one does not count.
    """
    values = np.asarray(returns, dtype=np.float64)
    ends = np.cumsum(np.asarray(steps, dtype=np.int64))
    if window is not None:
        whole = ends >= window
        stop = ends[whole].astype(np.float64)
        means = window_mean(ends.astype(np.float64), values, stop - window, stop)
        values, ends = means, ends[whole]
    reached = values >= threshold
    if reached.any():
        return Reach(int(ends[reached.argmax()]), True)
    return Reach(total_timesteps, False)


@dataclass(frozen=True, slots=True)
class ReachSummary:
    """Of n runs `reached` did; `share` of them, with its interval `low` to `high`.

    median: the timestep by which half of all runs had reached the threshold; None if fewer did.
    """

    n: int
    reached: int
    share: float
    low: float
    high: float
    median: int | None
    caption: str


def summarize_reaches(reaches: Sequence[Reach], confidence: float = CONFIDENCE) -> ReachSummary:
    """Counts a run that was censored, however early, as one that would not have reached it.

    So the median may be too late but never too early, and no mean over those that did is given:
    it would flatter an agent that fails on its slow seeds.
    """
    n = len(reaches)
    if n == 0:
        raise ValueError("there is no run to summarise")
    times = sorted(each.timestep for each in reaches if each.reached)
    half = (n + 1) // 2
    median = times[half - 1] if len(times) >= half else None
    low, high = share_interval(len(times), n, confidence)
    caption = (
        f"{len(times)} of {n} seeds reached it ({percent(confidence)} Clopper-Pearson interval "
        f"{percent(low)} to {percent(high)} of all), "
    )
    if median is None:
        caption += "fewer than half, so there is no median time"
    else:
        caption += f"half of them all by timestep {median}"
    return ReachSummary(n, len(times), len(times) / n, low, high, median, caption)
