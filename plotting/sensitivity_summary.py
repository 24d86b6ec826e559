"""From an experiment to its sensitivity: what each value of each hyperparameter came to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plotting.data_file import BadInput, Experiment
from plotting.hyperparameters import Axis, varied_axes
from plotting.inference import interval
from plotting.kinds import Kind
from plotting.metric import Metric
from plotting.second_stage import SecondStage, stage_of
from plotting.seeds import no_score, seed_curves, tally, varied
from plotting.selection import Choice, Tally, choose, most_completed


@dataclass(frozen=True, slots=True)
class Score:
    """One setting: mean and interval over its completed runs, NaN where there is none."""

    tally: Tally
    mean: float
    low: float
    high: float

    @property
    def all_diverged(self) -> bool:
        """No run was completed."""
        return self.tally.diverged > 0 and not self.tally.scores


@dataclass(frozen=True, slots=True)
class Panel:
    """One hyperparameter. Lines hold positions of settings, None where a value has none.

    at_best: the setting with this value whose others are the best setting's. [V]
    tuned: the best setting among those with this value; None where hardly any share one. [V]
    """

    axis: Axis
    at_best: tuple[int | None, ...]
    tuned: tuple[int | None, ...] | None

    @property
    def has_neighbours(self) -> bool:
        """Whether the line through the best setting goes anywhere."""
        return sum(k is not None for k in self.at_best) > 1


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What is drawn of one experiment, and what its caption must say.

    scores: of every setting, in order. [S]
    best: the chosen setting's position among them.
    params: hyperparameters of the chosen setting that differ between settings.
    seeds: runs of a setting that misses none.
    not_tried: combinations of the values that no setting has; None where values are no grid.
    stage: the second stage that these runs are.
    kind: what is estimated over the seeds.
    """

    label: str
    env_name: str
    metric: Metric
    choice: Choice
    scores: tuple[Score, ...]
    best: int
    params: dict[str, Any]
    panels: tuple[Panel, ...]
    seeds: int
    not_tried: int | None
    stage: SecondStage | None
    kind: Kind

    @property
    def on_lines(self) -> tuple[Score, ...]:
        """The settings that some line goes through."""
        lines = [line for panel in self.panels for line in (panel.at_best, panel.tuned or ())]
        drawn = {k for line in lines for k in line if k is not None}
        return tuple(self.scores[k] for k in sorted(drawn))


def summarize(
    experiment: Experiment, label: str, metric: Metric, kind: Kind = "mean-t"
) -> Sensitivity:
    """Chooses the best setting and looks from it along each hyperparameter."""
    axes = varied_axes(experiment)
    if not axes:
        raise BadInput(
            f"{experiment.path}: no hyperparameter has more than one value: "
            "draw it with plotting/learning_curve.py"
        )
    tallies = [
        tally(experiment, each, seed_curves(experiment, each, metric, bins=1), metric)
        for each in experiment.settings
    ]
    choice = choose(tallies)
    if choice is None:
        raise no_score(experiment, metric)
    return look_around(experiment, label, metric, axes, tallies, choice, kind)


def look_around(
    experiment: Experiment,
    label: str,
    metric: Metric,
    axes: Sequence[Axis],
    tallies: Sequence[Tally],
    choice: Choice,
    kind: Kind = "mean-t",
) -> Sensitivity:
    """From the chosen setting along each axis; the tallies are of all settings."""
    best = tallies.index(choice.tally)
    combinations = list(zip(*(axis.position for axis in axes), strict=True))
    return Sensitivity(
        label=label,
        env_name=experiment.env_name,
        metric=metric,
        choice=choice,
        scores=scores_of(tallies, kind),
        best=best,
        params=varied(experiment, choice.tally.setting),
        panels=tuple(
            Panel(axis, _at_best(number, axis, combinations, best), _tuned(axis, tallies))
            for number, axis in enumerate(axes)
        ),
        seeds=len(experiment.run_numbers),
        not_tried=_not_tried(axes, combinations),
        stage=stage_of(experiment),
        kind=kind,
    )


def scores_of(tallies: Sequence[Tally], kind: Kind = "mean-t") -> tuple[Score, ...]:
    """The estimate and interval of each setting."""
    import numpy as np

    runs = max(len(each.scores) for each in tallies)
    padded = [(*each.scores, *[math.nan] * (runs - len(each.scores))) for each in tallies]
    rng = np.random.default_rng(0)
    found = interval(np.array(padded).T, kind, diverged="exclude", rng=rng)
    numbers = (found.estimate.tolist(), found.low.tolist(), found.high.tolist())
    return tuple(Score(*row) for row in zip(tallies, *numbers, strict=True))


def _at_best(
    number: int, axis: Axis, combinations: Sequence[tuple[int, ...]], best: int
) -> tuple[int | None, ...]:
    """Along axis `number`, all others staying where the best setting is."""
    here = combinations[best]
    settings = {each: position for position, each in reversed(list(enumerate(combinations)))}
    settings[here] = best
    return tuple(
        settings.get((*here[:number], place, *here[number + 1 :]))
        for place in range(len(axis.values))
    )


def _tuned(axis: Axis, tallies: Sequence[Tally]) -> tuple[int | None, ...] | None:
    if not axis.crowded:
        return None
    fullest = most_completed(tallies)
    position = {each.setting: number for number, each in enumerate(tallies)}
    line = []
    for place in range(len(axis.values)):
        with_value = [t for t, p in zip(tallies, axis.position, strict=True) if p == place]
        choice = choose(with_value, fullest)
        line.append(None if choice is None else position[choice.tally.setting])
    return tuple(line)


def _not_tried(axes: Sequence[Axis], combinations: Sequence[tuple[int, ...]]) -> int | None:
    if len(axes) > 1 and not all(axis.crowded for axis in axes):
        return None
    return math.prod(len(axis.values) for axis in axes) - len(set(combinations))
