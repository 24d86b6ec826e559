"""The runs of one setting of each experiment, for tools that know no settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plotting.curve_summary import choose_setting
from plotting.data_file import BadInput, Experiment, Setting
from plotting.metric import Metric
from plotting.second_stage import stage_of
from plotting.seeds import seed_curves, tally


@dataclass(frozen=True, slots=True)
class Chosen:
    """seeds: selection, where these runs chose the setting and flatter it; else fresh, or "" where
    nothing was chosen from anything."""

    experiment: Experiment
    setting: Setting
    seeds: str

    def __str__(self) -> str:
        """What it is, for a person."""
        of = self.experiment
        flattered = (
            " (chosen on these seeds, which flatter it)" if self.seeds == "selection" else ""
        )
        return f"{of.agent_name} on {of.env_name}: setting {self.setting.number}{flattered}"


def choose_settings(
    experiments: Sequence[Experiment], metric: Metric, number: int | None
) -> list[Chosen]:
    """The best setting of each experiment, or setting `number`.

    Raises:
        BadInput: two experiments of one agent on one environment; no such setting, or no score.
    """
    found: dict[tuple[str, str], Chosen] = {}
    for experiment in experiments:
        pair = (experiment.agent_name, experiment.env_name)
        if pair in found:
            raise BadInput(
                f"{experiment.path} is a second experiment of {pair[0]} on {pair[1]}: give one"
            )
        found[pair] = _choose(experiment, metric, number)
    return list(found.values())


def _choose(experiment: Experiment, metric: Metric, number: int | None) -> Chosen:
    tallies = [
        tally(experiment, each, seed_curves(experiment, each, metric, bins=1), metric)
        for each in experiment.settings
    ]
    choice = choose_setting(experiment, tallies, metric, number)
    setting = next(s for s in experiment.settings if s.number == choice.tally.setting)
    seeds = ""
    if stage_of(experiment) is not None:
        seeds = "fresh"
    elif number is None and choice.settings > 1:
        seeds = "selection"
    return Chosen(experiment, setting, seeds)
