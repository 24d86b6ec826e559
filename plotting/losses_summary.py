"""From experiments to the series that their runs measured while they learned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plotting.curve_summary import Summary
from plotting.curve_summary import summarize as summarize_curve
from plotting.curves import smoothed, stack
from plotting.data_file import BadInput, Experiment
from plotting.inference import interval
from plotting.kinds import Kind, statistic
from plotting.metric import Metric
from plotting.phrases import value
from plotting.run_facts import Measured, read_measured
from plotting.tables import as_csv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BINS = 100  # of the curve of training episodes


@dataclass(frozen=True, slots=True)
class Band:
    """The mean of a series over the seeds that have it: timestep, mean, low, high, n. [B]"""

    timestep: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Losses:
    """A setting: its curve, and its series by name."""

    curve: Summary
    series: dict[str, Band]


def summarize(
    experiment: Experiment,
    label: str,
    metric: Metric,
    settings: Sequence[int],
    series: Sequence[str],
    kind: Kind,
    smooth: int | None,
) -> list[Losses]:
    """Those of `settings`, or of the best setting where none are given.

    Args:
        series: which; none: all whose name has a "loss" in it.

    Raises:
        BadInput: no run has such a series.
    """
    found = []
    for number in dict.fromkeys(settings) or (None,):
        curve = summarize_curve(experiment, label, metric, _BINS, number, kind, smooth)
        if len(settings) > 1:
            curve = replace(curve, label=_named(curve))
        drawn = {seed.run for seed in curve.seeds}
        chosen = next(s for s in experiment.settings if s.number == curve.choice.tally.setting)
        runs = [read_measured(run) for run in chosen.runs if run.number in drawn]
        names = series or _losses(runs)
        bands = {
            name: band
            for name in names
            if (band := _band(runs, name, experiment.total_timesteps, kind, smooth)) is not None
        }
        found.append(Losses(curve, bands))
    missing = set(series) - {name for each in found for name in each.series}
    if missing or not any(each.series for each in found):
        raise BadInput(_nothing(experiment, sorted(missing)))
    return found


def _named(curve: Summary) -> str:
    varied = [f"{name} {value(each)}" for name, each in curve.params.items()]
    return f"{curve.label}, {', '.join(varied) or f'setting {curve.choice.tally.setting}'}"


def _losses(runs: Iterable[Measured]) -> list[str]:
    return [name for name in _known(runs) if "loss" in name]


def _known(runs: Iterable[Measured]) -> list[str]:
    """The series that some run has a value of, in the order in which they were recorded."""
    return list(dict.fromkeys(name for run in runs for name in run.metrics))


def _band(
    runs: Sequence[Measured], name: str, total: int, kind: Kind, smooth: int | None
) -> Band | None:
    """None where no run has a value."""
    import numpy as np

    from experiment.curves import point_curve

    measured = [run.metrics[name] for run in runs if name in run.metrics]
    curves = [point_curve(each.timestep, each.value, total) for each in measured]
    curves = [curve for curve in curves if np.isfinite(curve.value).any()]
    if not curves:
        return None
    if smooth is not None:
        curves = [smoothed(curve, smooth) for curve in curves]
    timestep, values, _ = stack(curves)
    found = interval(values, kind, diverged="exclude", rng=np.random.default_rng(0))
    # where most seeds have no value, the mean would be that of the few that happen to
    kept = (2 * found.n >= len(curves)) & (found.n > 0)
    return Band(
        timestep[kept], found.estimate[kept], found.low[kept], found.high[kept], found.n[kept]
    )


def _nothing(experiment: Experiment, missing: Sequence[str]) -> str:
    runs = [read_measured(run) for setting in experiment.settings for run in setting.runs[:1]]
    known = ", ".join(_known(runs)) or "none"
    what = f"no {', '.join(missing)}" if missing else "no series that is called a loss"
    return f"{experiment.path}: the drawn runs measured {what}: name a --series of these: {known}"


def series_table(found: Sequence[Losses]) -> str:
    """One row a point of a mean line of a series."""
    rows = []
    for each in found:
        setting = each.curve.choice.tally.setting
        for name, band in each.series.items():
            columns = (band.timestep, band.mean, band.low, band.high, band.n)
            for row in zip(*(column.tolist() for column in columns), strict=True):
                rows.append((each.curve.label, setting, name, *row))
    mean = statistic(found[0].curve.kind)
    return as_csv(("experiment", "setting", "series", "timestep", mean, "low", "high", "n"), rows)
