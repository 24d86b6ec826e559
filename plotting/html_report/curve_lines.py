"""The learning curves of a page: every setting's mean, and of the best ones all that is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

from plotting.curve_caption import general_note, left_out
from plotting.curve_summary import Summary, average
from plotting.data_file import KINDS, Kind
from plotting.html_report.packed import pack
from plotting.html_report.readings import BINS, Readings
from plotting.metric import Metric
from plotting.selection import Choice

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Characters that all curves of a page may take together: means, and details of the best settings.
MEANS, DETAILS = 180_000, 220_000
_FEWEST_POINTS, _FEWEST_DETAILED = 20, 4
_CHARACTERS = 2  # a number


def curves_of(
    readings: Readings, label: str, metrics: dict[str, Any], pages: int
) -> dict[str, Any]:
    """By kind of curve; curves of a setting by its position.

    Args:
        metrics: as `scores.metrics_of` has them.
        pages: experiments that share the room.
    """
    kinds = [kind for kind in KINDS if any(one["kind"] == kind for one in metrics.values())]
    settings = len(readings.experiment.settings)
    points = MEANS // pages // (_CHARACTERS * settings * max(len(kinds), 1))
    seeds = len(readings.experiment.run_numbers)
    of_setting = _CHARACTERS * (2 + seeds) * BINS * len(kinds)
    detailed = max(_FEWEST_DETAILED, DETAILS // pages // max(of_setting, 1))
    found: dict[str, Any] = {}
    for kind in kinds:
        ranks = [one["rank"] for one in metrics.values() if one["kind"] == kind]
        best = _first(ranks, detailed)
        everyone = range(settings) if points >= _FEWEST_POINTS else sorted(best)
        found[kind] = _of_kind(readings, label, kind, everyone, best, min(points, BINS))
    return found


def _first(ranks: Sequence[Sequence[int]], count: int) -> set[int]:
    """The best by each of the metrics in turn, until there are `count`."""
    found: set[int] = set()
    for position in chain.from_iterable(zip_longest(*ranks)):
        if len(found) < count:
            found.add(position)
    return found


def _of_kind(
    readings: Readings,
    label: str,
    kind: Kind,
    everyone: Sequence[int],
    detailed: set[int],
    points: int,
) -> dict[str, Any]:
    import numpy as np

    metric = Metric(kind, "mean")
    tallies = readings.tallies(metric)
    summaries: dict[int, Summary] = {}
    for position in everyone:
        seeds = readings.seeds(position, kind)
        if any(np.isfinite(each.curve.value).any() for each in seeds):
            choice = Choice(tallies[position], 1, len(tallies), by_hand=True)
            # alone: nothing is to be said of the other settings
            alone = [tallies[position]]
            summaries[position] = average(readings.experiment, label, metric, choice, alone, seeds)
    axis = _thinned(np.unique(np.concatenate([s.timestep for s in summaries.values()])), BINS)
    coarse = _thinned(axis, max(points, _FEWEST_POINTS))
    lines: dict[str, Any] = {}
    for position, one in summaries.items():
        here = axis if position in detailed else coarse
        lines[str(position)] = {"mean": pack(_at(here, one.timestep, one.mean))}
        if position in detailed:
            lines[str(position)] |= {
                "low": pack(_at(here, one.timestep, one.low)),
                "high": pack(_at(here, one.timestep, one.high)),
                "seeds": [pack(_at(here, s.curve.timestep, s.curve.value)) for s in one.seeds],
                "names": [each.seed for each in one.seeds],
                "note": " ".join(filter(None, left_out(one))),
            }
    some = next(iter(summaries.values()))
    return {
        "fine": axis.tolist(),
        "coarse": coarse.tolist(),
        "lines": lines,
        "note": general_note([some]),
    }


def _thinned(axis: NDArray[np.int64], points: int) -> NDArray[np.int64]:
    """At most so many of the points, evenly among them, the first and the last one included."""
    import numpy as np

    if len(axis) <= points:
        return axis
    chosen: NDArray[np.int64] = axis[np.linspace(0, len(axis) - 1, points).round().astype(int)]
    return chosen


def _at(
    axis: NDArray[np.int64], timestep: NDArray[np.int64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The drawn line at the timesteps of the axis; NaN outside its range."""
    import numpy as np

    if not len(timestep):
        return np.full(len(axis), np.nan)
    return np.interp(axis, timestep, values, left=np.nan, right=np.nan)
