"""From experiments to what is drawn of them: the chosen setting's runs, their mean and interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from plotting.curves import Curve, stack
from plotting.data_file import DATA_FILE, KINDS, BadInput, Experiment, Kind, Setting, read_curve
from plotting.inference import mean_interval
from plotting.selection import Choice, Tally, choose, choose_by_hand

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Suffix = Literal["mean", "final"]
SUFFIXES: tuple[Suffix, ...] = ("mean", "final")
METRICS = tuple(f"{kind}-{suffix}" for kind in ("train", "eval", "reward") for suffix in SUFFIXES)


@dataclass(frozen=True, slots=True)
class Metric:
    """Which curve is drawn, and which part of it settings are compared by."""

    kind: Kind
    suffix: Suffix

    def __str__(self) -> str:
        return f"{self.kind}-{self.suffix}"

    def score(self, curve: Curve) -> float:
        """One run's number."""
        return curve.mean if self.suffix == "mean" else curve.final


@dataclass(frozen=True, slots=True)
class SeedCurve:
    """The curve of one run of the chosen setting."""

    run: int
    seed: int
    curve: Curve


@dataclass(frozen=True, slots=True)
class Summary:
    """What is drawn of one experiment, and what its caption must say.

    params: hyperparameters of the chosen setting that differ between settings.
    total_timesteps: of the longest run.
    seeds: the runs that are drawn, by run number.
    timestep, mean, low, high, n: the mean over those seeds; n varies where curves end. [B]
    as_measured: False where the points of the seeds had to be interpolated to a common axis.
    no_curve: completed runs without a single value.
    diverged_elsewhere, missing_elsewhere: runs of the settings that are not drawn.
    """

    label: str
    metric: Metric
    choice: Choice
    params: dict[str, Any]
    total_timesteps: int
    seeds: tuple[SeedCurve, ...]
    timestep: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.int64]
    as_measured: bool
    no_curve: int
    diverged_elsewhere: int
    missing_elsewhere: int


def pick_metric(name: str | None, experiments: Sequence[Experiment]) -> Metric:
    """The metric called `name`, or the first kind of curve that every experiment has."""
    common = [kind for kind in KINDS if all(kind in each.kinds for each in experiments)]
    if name is None:
        if not common:
            raise BadInput(_nothing_in_common(experiments))
        return Metric(common[0], "mean")
    metric = _parse(name)
    for experiment in experiments:
        if metric.kind not in experiment.kinds:
            raise BadInput(_no_data(metric, experiment))
    return metric


def _parse(name: str) -> Metric:
    for kind in KINDS:
        for suffix in SUFFIXES:
            if name == f"{kind}-{suffix}":
                return Metric(kind, suffix)
    import difflib

    near = difflib.get_close_matches(name, METRICS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    raise BadInput(f"there is no metric {name!r}: {hint}(the metrics are {', '.join(METRICS)})")


_CONTENTS = {
    "eval": "evaluations",
    "train": "finished training episodes",
    "reward": "metrics.mean_reward",
}


def _no_data(metric: Metric, experiment: Experiment) -> str:
    problem = (
        f"{experiment.path} has no {_CONTENTS[metric.kind]} in a completed run, so no {metric}"
    )
    others = [kind for kind in KINDS if kind in experiment.kinds]
    if not others:
        return f"{problem} and no other metric either"
    return f"{problem}: use --metric {others[0]}-{metric.suffix}"


def _nothing_in_common(experiments: Sequence[Experiment]) -> str:
    for experiment in experiments:
        if not experiment.kinds:
            contents = ", ".join(_CONTENTS.values())
            return f"{experiment.path} has no completed run with anything to draw ({contents})"
    each = "; ".join(f"{e.path}: {', '.join(sorted(e.kinds))}" for e in experiments)
    return f"the experiments have no kind of curve in common ({each}): draw them separately"


def labels(experiments: Sequence[Experiment]) -> list[str]:
    """The agent's name; with the environment's where there are several; with the folder's if equal.

    Folders of the same name are told apart by the shortest path that does.
    """
    several = len({experiment.env_name for experiment in experiments}) > 1
    names = [f"{e.env_name} {e.agent_name}" if several else e.agent_name for e in experiments]
    places = [_place(experiment) for experiment in experiments]
    for experiment, place in zip(experiments, places, strict=True):
        if places.count(place) > 1:
            raise BadInput(f"{experiment.path} is given twice: give it once")
    return [
        name if names.count(name) == 1 else f"{name} ({_shortest_suffix(place, places)})"
        for name, place in zip(names, places, strict=True)
    ]


def _place(experiment: Experiment) -> Path:
    path = experiment.path.resolve()
    return path.parent if path.name == DATA_FILE else path.with_suffix("")


def _shortest_suffix(place: Path, places: Sequence[Path]) -> str:
    for length in range(1, len(place.parts)):
        suffix = place.parts[-length:]
        if sum(other.parts[-length:] == suffix for other in places) == 1:
            return "/".join(suffix)
    return str(place)


def summarize(
    experiment: Experiment, label: str, metric: Metric, bins: int, setting: int | None
) -> Summary:
    """Chooses the setting (or takes `setting`) and averages its runs."""
    import numpy as np

    curves = {each.number: _curves(experiment, each, metric, bins) for each in experiment.settings}
    tallies = [
        _tally(experiment, each, curves[each.number], metric) for each in experiment.settings
    ]
    choice = _choose(experiment, tallies, metric, setting)
    chosen = curves[choice.tally.setting]
    seeds = tuple(each for each in chosen if np.isfinite(each.curve.value).any())
    if not seeds:
        raise BadInput(
            f"{experiment.path}: setting {choice.tally.setting} has no run with {metric}"
        )
    timestep, values, as_measured = stack([each.curve for each in seeds])
    interval = mean_interval(values)
    # Where most seeds have no value any more, the mean would be that of the few that happen to.
    kept = 2 * interval.n >= len(seeds)
    others = [tally for tally in tallies if tally.setting != choice.tally.setting]
    return Summary(
        label=label,
        metric=metric,
        choice=choice,
        params=_varied(experiment, choice.tally.setting),
        total_timesteps=experiment.total_timesteps,
        seeds=seeds,
        timestep=timestep[kept],
        mean=interval.mean[kept],
        low=interval.low[kept],
        high=interval.high[kept],
        n=interval.n[kept],
        as_measured=as_measured,
        no_curve=len(choice.tally.scores) - len(seeds),
        diverged_elsewhere=sum(tally.diverged for tally in others),
        missing_elsewhere=sum(tally.missing for tally in others),
    )


def _curves(
    experiment: Experiment, setting: Setting, metric: Metric, bins: int
) -> tuple[SeedCurve, ...]:
    """Of the completed runs; one that lacks this kind of curve has an empty one."""
    import numpy as np

    empty = Curve(np.empty(0, np.int64), np.empty(0), math.nan, math.nan)
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


def _tally(
    experiment: Experiment, setting: Setting, completed: Sequence[SeedCurve], metric: Metric
) -> Tally:
    return Tally(
        setting.number,
        scores=tuple(metric.score(each.curve) for each in completed),
        diverged=sum(run.diverged for run in setting.runs),
        missing=len(experiment.run_numbers) - len(setting.runs),
    )


def _choose(
    experiment: Experiment, tallies: Sequence[Tally], metric: Metric, setting: int | None
) -> Choice:
    if setting is None:
        choice = choose(tallies)
        if choice is None:
            raise BadInput(
                f"{experiment.path}: no run has a value of {metric}: "
                f"use --metric {metric.kind}-mean, or --setting"
            )
        return choice
    choice = choose_by_hand(tallies, setting)
    if choice is None:
        numbers = [tally.setting for tally in tallies]
        nearest = min(numbers, key=lambda number: (abs(number - setting), number))
        raise BadInput(
            f"{experiment.path} has no setting {setting}: the nearest is {nearest} "
            f"(of {len(numbers)}, from {numbers[0]} to {numbers[-1]})"
        )
    return choice


def _varied(experiment: Experiment, number: int) -> dict[str, Any]:
    """The hyperparameters of a setting that are not the same in all settings of the file."""
    everyone = [setting.agent_params for setting in experiment.settings]
    chosen = next(s.agent_params for s in experiment.settings if s.number == number)
    return {
        name: value
        for name, value in chosen.items()
        if any(name not in other or other[name] != value for other in everyone)
    }
