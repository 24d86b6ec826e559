"""From what one run measured to its learning curve: exact, and on the timestep axis.

Every curve is a step function of the timestep: a value holds on the timesteps of its episode, of
its window, or since the evaluation before. Means over a range are integrals of that function, so
they do not depend on how many episodes happened to end inside the range.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Numbers = Sequence[float] | NDArray[np.float64] | NDArray[np.int64]


def final_start(total_timesteps: int) -> float:
    """The timestep after which a curve is "final": the last 10% of the timesteps."""
    return total_timesteps - total_timesteps / 10


@dataclass(frozen=True, slots=True)
class Curve:
    """The learning curve of one run.

    timestep: where each of the B points stands; a bin or a window stands at its end. [B]
    value: NaN where nothing is known. [B]
    mean: over all timesteps that carry a value.
    final: over those among the last 10% of the timesteps; NaN if there are none.
    """

    timestep: NDArray[np.int64]
    value: NDArray[np.float64]
    mean: float
    final: float


def bin_edges(total_timesteps: int, bins: int) -> NDArray[np.int64]:
    """Borders of `bins` bins of whole timesteps, from 0 to `total_timesteps`. [bins + 1]"""
    import numpy as np

    return np.arange(bins + 1, dtype=np.int64) * total_timesteps // bins


def window_mean(
    ends: NDArray[np.float64],
    values: NDArray[np.float64],
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Means over the timesteps (start, stop] of the function that is values[k] up to ends[k].

    Timesteps after the last end carry no value and do not count; NaN where a window has no other.

    Args:
        ends, values: ends not decreasing, the first piece begins at timestep 0. [K]
        start, stop: the windows. [B]
    """
    import numpy as np

    borders, integral = _integral(ends, values)
    start, stop = np.minimum(start, borders[-1]), np.minimum(stop, borders[-1])
    covered = stop - start
    gained = np.interp(stop, borders, integral) - np.interp(start, borders, integral)
    mean: NDArray[np.float64] = gained / np.where(covered > 0, covered, np.nan)
    return mean


def _integral(
    ends: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(where the pieces of `window_mean` begin and end, the integral up to there)."""
    import numpy as np

    borders = np.concatenate(([0.0], ends))
    length = borders[1:] - borders[:-1]
    if not length.all():  # an evaluation at timestep 0 holds nowhere
        held = length > 0
        borders, length, values = np.concatenate(([0.0], ends[held])), length[held], values[held]
    integral = np.zeros(len(borders))
    np.cumsum(values * length, out=integral[1:])
    return borders, integral


def train_curve(returns: Numbers, steps: Numbers, total_timesteps: int, bins: int) -> Curve:
    """Undiscounted return of the training episode, in equal bins of timesteps.

    Each timestep carries the return of the episode that it belongs to, and a bin is the mean over
    its timesteps. Episodes that never ended are not to be given: their return is not known.

    Args:
        returns, steps: of the finished episodes, in order from timestep 0.
    """
    import numpy as np

    timestep, start, stop = _windows(total_timesteps, min(bins, total_timesteps))
    ends = np.cumsum(np.asarray(steps, dtype=np.float64))
    means = window_mean(ends, _finite(returns), start, stop)
    return Curve(timestep, means[:-2], float(means[-2]), float(means[-1]))


@lru_cache(maxsize=16)
def _windows(
    total_timesteps: int, bins: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """(ends of the bins, where the windows of a train curve start, where they stop): the bins, all
    timesteps, and the last 10% of them. Not to be written to."""
    import numpy as np

    edges = bin_edges(total_timesteps, bins)
    whole, end = (0.0, final_start(total_timesteps)), float(total_timesteps)
    start, stop = np.concatenate((edges[:-1], whole)), np.concatenate((edges[1:], (end, end)))
    found = edges[1:], start, stop
    for each in found:
        each.flags.writeable = False
    return found


def area_under_curve(returns: Numbers, steps: Numbers, total_timesteps: int) -> float:
    """Mean return over all timesteps of finished episodes; arguments as of `train_curve`."""
    return train_curve(returns, steps, total_timesteps, bins=1).mean


def final_performance(returns: Numbers, steps: Numbers, total_timesteps: int) -> float:
    """The same over the last 10% of timesteps; NaN if no finished episode reaches into them."""
    return train_curve(returns, steps, total_timesteps, bins=1).final


def point_curve(timestep: Numbers, value: Numbers, total_timesteps: int) -> Curve:
    """A curve that was measured at given timesteps: evaluations, or windows of a metric.

    Each value stands for the timesteps since the point before it. When no point lies in the last
    10% of the timesteps, the last point is the final value.
    """
    import numpy as np

    at = np.asarray(timestep, dtype=np.int64)
    values = _finite(value)
    if at.size == 0:
        return Curve(at, values, float("nan"), float("nan"))
    mean, final = _scores(at.astype(float), values, total_timesteps)
    if at[-1] == 0:  # evaluated before training only
        mean = float(values.mean())
    if at[-1] <= final_start(total_timesteps):
        final = float(values[-1])
    return Curve(at, values, mean, final)


def _finite(values: Numbers) -> NDArray[np.float64]:
    """Infinite values are unknown ones: a mean over them would say nothing, or win."""
    import numpy as np

    array = np.asarray(values, dtype=np.float64)
    known = np.isfinite(array)
    return array if known.all() else np.where(known, array, np.nan)


def _scores(
    ends: NDArray[np.float64], values: NDArray[np.float64], total_timesteps: int
) -> tuple[float, float]:
    """`window_mean` over all timesteps and over the last 10% of them."""
    import numpy as np

    borders, integral = _integral(ends, values)
    last = float(borders[-1])
    stop, start = min(float(total_timesteps), last), min(final_start(total_timesteps), last)
    gained, before = np.interp((stop, start), borders, integral).tolist()
    mean = gained / stop if stop > 0 else float("nan")
    return mean, (gained - before) / (stop - start) if stop > start else float("nan")
