"""From an experiment to its best setting, and to those that may be as good."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plotting.best import possible_bests, probabilities_of_being_best
from plotting.data_file import Experiment
from plotting.inference import interval
from plotting.metric import Metric
from plotting.second_stage import Finalist, SecondStage, seeds_of, stage_of
from plotting.seeds import no_score, seed_curves, tally, varied
from plotting.selection import Choice, Tally, comparable

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Candidate:
    """One setting.

    params: hyperparameters that differ between settings.
    mean, low, high: over its completed runs, NaN where there is none.
    probability: of being the best; NaN where it was not compared, or on one seed.
    possible: whether it cannot be told apart from the best.
    before: the same setting on the selection seeds, if these are fresh.
    """

    tally: Tally
    agent_params: Mapping[str, Any]
    params: Mapping[str, Any]
    mean: float
    low: float
    high: float
    probability: float
    possible: bool
    before: Finalist | None


@dataclass(frozen=True, slots=True)
class Selection:
    """What an experiment says of its settings.

    candidates: those that were compared, best first; then the others, by number.
    seeds: of all its runs.
    stage: the second stage that these runs are.
    """

    label: str
    env_name: str
    metric: Metric
    choice: Choice
    candidates: tuple[Candidate, ...]
    seeds: tuple[int, ...]
    stage: SecondStage | None

    @property
    def possible(self) -> tuple[Candidate, ...]:
        """The best one, and those that cannot be told apart from it, by their means."""
        return tuple(each for each in self.candidates if each.possible)

    @property
    def kind_of_seeds(self) -> str:
        """fresh, selection; or nothing where nothing was chosen."""
        if self.stage is not None:
            return "fresh"
        return "selection" if self.choice.settings > 1 else ""


def summarize(
    experiment: Experiment, label: str, metric: Metric, rng: np.random.Generator
) -> Selection:
    """Compares the settings that can be compared."""
    tallies = [
        tally(experiment, each, seed_curves(experiment, each, metric, bins=1), metric)
        for each in experiment.settings
    ]
    compared, relaxed = comparable(tallies)
    if not compared:
        raise no_score(experiment, metric)
    choice = Choice(compared[0], len(compared), len(tallies), relaxed)
    stage = stage_of(experiment)
    likely = _probabilities(compared, rng)
    others = [each for each in tallies if each not in compared]
    settings = {each.number: each.agent_params for each in experiment.settings}
    candidates = []
    for each in [*compared, *others]:
        probability, possible = likely.get(each.setting, (math.nan, False))
        params = settings[each.setting]
        mean, low, high = _interval(each)
        candidates.append(
            Candidate(
                each,
                params,
                varied(experiment, each.setting),
                mean,
                low,
                high,
                probability,
                possible,
                stage.finalist(params) if stage else None,
            )
        )
    seeds = tuple(seeds_of(experiment))
    return Selection(label, experiment.env_name, metric, choice, tuple(candidates), seeds, stage)


def _probabilities(
    compared: Sequence[Tally], rng: np.random.Generator
) -> dict[int, tuple[float, bool]]:
    """Setting -> (probability, whether it may be the best)."""
    import numpy as np

    scores = np.array([[s for s in each.scores if not math.isnan(s)] for each in compared])
    found = probabilities_of_being_best(scores, rng)
    # the one with the highest mean is named as the best, however seldom it wins
    possible = {0, *possible_bests(found)}
    return {each.setting: (float(found[k]), k in possible) for k, each in enumerate(compared)}


def _interval(of: Tally) -> tuple[float, float, float]:
    import numpy as np

    found = interval(np.array(of.scores or [math.nan]), diverged="exclude")
    return float(found.estimate), float(found.low), float(found.high)
