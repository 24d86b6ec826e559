"""What share of the variance between settings each hyperparameter makes, and what to say of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from plotting.data_file import Experiment
from plotting.metric import Metric
from plotting.phrases import count
from plotting.settings_summary import Settings, incomplete
from plotting.settings_summary import summarize as summarize_settings
from plotting.tables import as_csv
from plotting.variance import Effect, effects, is_full_grid

COLUMNS = ("experiment", "effect", "share", "low", "high", "by_chance", "full_grid", "seeds")
_MOST_PAIRS = 6
OF_THE_VALUES = "Shares are of the values that were run: wider lists would give larger ones."


@dataclass(frozen=True, slots=True)
class Importance:
    """full: whether every combination of the values has a score."""

    of: Settings
    effects: tuple[Effect, ...]
    full: bool

    @property
    def drawn(self) -> list[Effect]:
        """Every hyperparameter, the largest pairs, and the rest."""
        pairs = [each for each in self.effects if len(each.names) == 2][:_MOST_PAIRS]
        return [each for each in self.effects if len(each.names) != 2 or each in pairs]


def summarize(experiment: Experiment, label: str, metric: Metric) -> Importance:
    """The shares of an experiment that varies something."""
    return importance_of(summarize_settings(experiment, label, metric, fewest_axes=1))


def importance_of(settings: Settings) -> Importance:
    """The shares of settings that differ in something."""
    import numpy as np

    runs = max(len(each.scores) for each in settings.tallies)
    scores = np.array(
        [[*each.scores, *[math.nan] * (runs - len(each.scores))] for each in settings.tallies]
    )
    full = is_full_grid(settings.axes, settings.means)
    return Importance(settings, tuple(effects(settings.axes, scores)), full)


def name_of(effect: Effect) -> str:
    """For a row."""
    return " × ".join(effect.names) if effect.names else "all other interactions"


def note(of: Importance) -> str:
    """The caption of one experiment."""
    tallies = of.of.tallies
    text = f"{count(len(tallies), 'setting')}, {count(of.of.seeds, 'seed')} each; "
    if of.full:
        text += "a full grid, so the shares are exact and add up to 100%."
    else:
        without = sum(not each.scored for each in tallies)
        text += (
            "not a full grid"
            + (f" ({count(without, 'setting')} without a score)" if without else "")
            + ", so shares are those of groups of settings with equal values: they may overlap, "
            "and interactions are unknown."
        )
    hidden = len(of.effects) - len(of.drawn)
    if hidden:
        text += f" {count(hidden, 'smaller pair')} not drawn."
    return f"{text} {incomplete(tallies)}".strip()


def table(found: Sequence[Importance]) -> str:
    """One row an effect, also those that are not drawn."""
    rows = [
        (
            *(each.of.label, name_of(effect), effect.share, effect.low, effect.high),
            *(effect.by_chance, int(each.full), each.of.kind_of_seeds),
        )
        for each in found
        for effect in each.effects
    ]
    return as_csv(COLUMNS, rows)
