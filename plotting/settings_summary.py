"""All settings of an experiment: their scores, their hyperparameters, and the best one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plotting.data_file import BadInput, Experiment
from plotting.hyperparameters import Axis, varied_axes
from plotting.metric import Metric
from plotting.phrases import count, sentence, some
from plotting.second_stage import SecondStage, stage_of
from plotting.seeds import no_score, seed_curves, tally, varied
from plotting.selection import Choice, Tally, choose


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of an experiment.

    best: position of the chosen setting.
    params: its hyperparameters that differ between settings.
    seeds: runs of a setting that misses none.
    """

    label: str
    env_name: str
    metric: Metric
    axes: tuple[Axis, ...]
    tallies: tuple[Tally, ...]
    choice: Choice
    best: int
    params: dict[str, Any]
    seeds: int
    stage: SecondStage | None

    @property
    def means(self) -> list[float]:
        """Over the scored runs of each setting, NaN where there is none. [S]"""
        return [each.mean_score if each.scored else math.nan for each in self.tallies]

    @property
    def kind_of_seeds(self) -> str:
        """For a table."""
        return "selection" if self.stage is None else "fresh"


def summarize(experiment: Experiment, label: str, metric: Metric, fewest_axes: int = 0) -> Settings:
    """Raises BadInput where fewer than `fewest_axes` hyperparameters have more than one value."""
    axes = varied_axes(experiment)
    if len(axes) < fewest_axes:
        varying = ", ".join(axis.name for axis in axes) or "none"
        raise BadInput(
            f"{experiment.path}: this needs {count(fewest_axes, 'hyperparameter')} with more than "
            f"one value, and there is {varying}: draw it with plotting/learning_curve.py"
        )
    tallies = tuple(
        tally(experiment, each, seed_curves(experiment, each, metric, bins=1), metric)
        for each in experiment.settings
    )
    choice = choose(tallies)
    if choice is None:
        raise no_score(experiment, metric)
    return Settings(
        label,
        experiment.env_name,
        metric,
        axes,
        tallies,
        choice,
        tallies.index(choice.tally),
        varied(experiment, choice.tally.setting),
        len(experiment.run_numbers),
        stage_of(experiment),
    )


def incomplete(tallies: Sequence[Tally]) -> str:
    """Every run that has no score, for a caption."""
    return sentence(
        "In all settings: {}.",
        [
            some(sum(each.diverged for each in tallies), "diverged run"),
            some(sum(each.missing for each in tallies), "missing run"),
            some(
                sum(len(each.scores) - each.scored for each in tallies),
                "completed run without a score",
            ),
        ],
    )
