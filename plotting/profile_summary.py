"""From experiments to a table of normalised scores [run, environment] for every agent."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plotting.aggregates import (
    interquartile_mean,
    mean,
    median,
    optimality_gap,
    score_distribution,
    stratified_interval,
)
from plotting.data_file import BadInput, Experiment
from plotting.inference import Floats, Interval
from plotting.metric import Metric
from plotting.phrases import ranges
from plotting.settings_summary import Settings
from plotting.settings_summary import summarize as summarize_settings

if TYPE_CHECKING:
    from collections.abc import Callable

Bounds = Mapping[str, tuple[float, float]]
_THRESHOLDS = 101
AGGREGATES: dict[str, Callable[[Floats], Floats]] = {
    "IQM": interquartile_mean,
    "median": median,
    "mean": mean,
    "optimality gap": optimality_gap,
}


@dataclass(frozen=True, slots=True)
class AgentScores:
    """One agent on all environments.

    experiments: by environment, in the order of the table's columns.
    profile: share of runs above each threshold. [T]
    aggregates: by name, each of one number.
    """

    agent: str
    experiments: tuple[Settings, ...]
    profile: Interval
    aggregates: dict[str, Interval]

    @property
    def seeds(self) -> str:
        """fresh, selection; or "" where nothing was chosen from anything."""
        if any(each.stage is None and each.choice.settings > 1 for each in self.experiments):
            return "selection"
        return "fresh" if any(each.stage for each in self.experiments) else ""


@dataclass(frozen=True, slots=True)
class Profiles:
    """All agents. bounds: what counts as 0 and as 1 on each environment; given: which by hand."""

    metric: Metric
    environments: tuple[str, ...]
    agents: tuple[AgentScores, ...]
    bounds: dict[str, tuple[float, float]]
    given: frozenset[str]
    thresholds: Floats


def summarize(
    experiments: Sequence[Experiment], metric: Metric, bounds: Bounds, resamples: int
) -> Profiles:
    """Raises BadInput where an agent lacks an environment, or has one twice."""
    by_pair: dict[tuple[str, str], Settings] = {}
    for experiment in experiments:
        pair = (experiment.agent_name, experiment.env_name)
        if pair in by_pair:
            raise BadInput(
                f"{experiment.path} is a second experiment of {pair[0]} on {pair[1]}: give one"
            )
        by_pair[pair] = summarize_settings(experiment, " on ".join(pair), metric)
    agents = list(dict.fromkeys(agent for agent, _ in by_pair))
    environments = tuple(dict.fromkeys(environment for _, environment in by_pair))
    for agent in agents:
        for environment in environments:
            if (agent, environment) not in by_pair:
                raise BadInput(
                    f"no experiment of {agent} on {environment}, where another agent has one: "
                    "every agent is needed on every environment"
                )
    chosen = _bounds(by_pair, environments, bounds)
    tables = {
        agent: normalised_scores(
            [by_pair[agent, environment] for environment in environments], chosen
        )
        for agent in agents
    }
    known = np.concatenate([table[np.isfinite(table)] for table in tables.values()])
    thresholds = np.linspace(min(0.0, known.min()), max(1.0, known.max()), _THRESHOLDS)
    found = [
        _agent(agent, [by_pair[agent, e] for e in environments], table, thresholds, resamples)
        for agent, table in tables.items()
    ]
    return Profiles(metric, environments, tuple(found), chosen, frozenset(bounds), thresholds)


def _bounds(
    by_pair: Mapping[tuple[str, str], Settings], environments: Sequence[str], given: Bounds
) -> dict[str, tuple[float, float]]:
    for name, (low, high) in given.items():
        if name not in environments:
            near = difflib.get_close_matches(name, environments, n=1, cutoff=0.0)
            raise BadInput(f"--bounds {name}: no such environment here; did you mean {near[0]}?")
        if low == high:
            raise BadInput(f"--bounds {name}: {low:g} cannot be both 0 and 1")
    chosen = {}
    for environment in environments:
        scores = [
            score
            for (_, of), settings in by_pair.items()
            if of == environment
            for score in settings.choice.tally.scores
            if not math.isnan(score)
        ]
        low, high = given.get(environment, (min(scores), max(scores)))
        if low == high:
            raise BadInput(
                f"all runs on {environment} score {low:g}: say what counts as 0 and as 1 with "
                f"--bounds {environment}=LOW:HIGH"
            )
        chosen[environment] = (low, high)
    return chosen


def normalised_scores(settings: Sequence[Settings], bounds: Bounds) -> Floats:
    """[run, environment], NaN where there are fewer runs; a diverged run counts as 0.

    That is the lower bound: without bounds of the user's, the lowest score of any agent there.
    """
    columns = []
    for each in settings:
        low, high = bounds[each.env_name]
        tally = each.choice.tally
        scores = [0.0 if math.isnan(s) else (s - low) / (high - low) for s in tally.scores]
        columns.append(scores + [0.0] * tally.diverged)
    runs = max(map(len, columns))
    return np.array([column + [math.nan] * (runs - len(column)) for column in columns]).T


def _agent(
    agent: str,
    settings: Sequence[Settings],
    table: Floats,
    thresholds: Floats,
    resamples: int,
) -> AgentScores:
    rng = np.random.default_rng(0)

    def profile(scores: Floats) -> Floats:
        return score_distribution(scores, thresholds)

    def estimate(statistic: Callable[[Floats], Floats]) -> Interval:
        return stratified_interval(
            statistic, table, rng=rng, resamples=resamples, diverged="exclude"
        )

    return AgentScores(
        agent,
        tuple(settings),
        estimate(profile),
        {name: estimate(statistic) for name, statistic in AGGREGATES.items()},
    )


def runs_of(agent: AgentScores) -> str:
    """How many runs there are on each environment: 10, or 5-10."""
    counts = sorted(
        {len(each.choice.tally.scores) + each.choice.tally.diverged for each in agent.experiments}
    )
    return ranges(counts[:1]) if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"
