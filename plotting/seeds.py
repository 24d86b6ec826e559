"""From the runs of a setting to the curves of its seeds, and to what they came to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiment.curves import Curve
from plotting.data_file import BadInput, Experiment, Setting, read_curve
from plotting.metric import Metric
from plotting.selection import Tally


@dataclass(frozen=True, slots=True)
class SeedCurve:
    """The curve of one completed run."""

    run: int
    seed: int
    curve: Curve


def seed_curves(
    experiment: Experiment, setting: Setting, metric: Metric, bins: int
) -> tuple[SeedCurve, ...]:
    """Of the completed runs; one that lacks this kind of curve has an empty one."""
    empty = empty_curve()
    total = experiment.total_timesteps
    return tuple(
        SeedCurve(
            run.number,
            run.seed,
            read_curve(run, metric.kind, total, bins) if metric.kind in run.kinds else empty,
        )
        for run in setting.runs
        if not run.diverged
    )


@dataclass(frozen=True, slots=True)
class RunCurve:
    """One run, also one that diverged: its curve goes as far as it came."""

    run: int
    seed: int
    diverged: bool
    curve: Curve
    score: float


def run_curves(
    experiment: Experiment, setting: Setting, metric: Metric, bins: int
) -> tuple[RunCurve, ...]:
    """Of all runs of a setting; the score of a diverged one is NaN, whatever it had reached."""
    found = []
    for run in setting.runs:
        curve = empty_curve()
        if metric.kind in run.kinds:
            curve = read_curve(run, metric.kind, experiment.total_timesteps, bins)
        score = math.nan if run.diverged else metric.score(curve)
        found.append(RunCurve(run.number, run.seed, run.diverged, curve, score))
    return tuple(found)


def empty_curve() -> Curve:
    """Of a run that has none."""
    import numpy as np

    return Curve(np.empty(0, np.int64), np.empty(0), math.nan, math.nan)


def tally(
    experiment: Experiment, setting: Setting, completed: Sequence[SeedCurve], metric: Metric
) -> Tally:
    """What the runs of a setting came to."""
    return Tally(
        setting.number,
        scores=tuple(metric.score(each.curve) for each in completed),
        diverged=sum(run.diverged for run in setting.runs),
        missing=len(experiment.run_numbers) - len(setting.runs),
    )


def no_score(experiment: Experiment, metric: Metric, way_out: str = "") -> BadInput:
    """The refusal of an experiment that has nothing to choose a setting by."""
    return BadInput(
        f"{experiment.path}: no run has a value of {metric}: "
        f"use --metric {metric.kind}-mean{way_out}"
    )


def varied(experiment: Experiment, number: int) -> dict[str, Any]:
    """The hyperparameters of a setting that are not the same in all settings of the file."""
    everyone = [setting.agent_params for setting in experiment.settings]
    chosen = next(s.agent_params for s in experiment.settings if s.number == number)
    return {
        name: value
        for name, value in chosen.items()
        if any(name not in other or other[name] != value for other in everyone)
    }
