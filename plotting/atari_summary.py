"""Human-normalised scores of own runs on Atari games, and of published agents on the same ones."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plotting.aggregates import mean, stratified_interval
from plotting.data_file import BadInput, Experiment
from plotting.inference import Interval
from plotting.metric import Metric
from plotting.profile_summary import AgentScores, normalised_scores
from plotting.profile_summary import summarize as summarize_profiles
from plotting.published_scores import Benchmark, game_of, read_benchmark

#: Aggregates that are drawn.
AGGREGATES = ("mean", "median", "IQM")


@dataclass(frozen=True, slots=True)
class Compared:
    """Own agents, and published ones.

    games: those of the own experiments.
    scores: mean normalised scores of an own agent, by game.
    beside: names of published agents.
    """

    metric: Metric
    games: tuple[str, ...]
    agents: tuple[AgentScores, ...]
    scores: tuple[dict[str, Interval], ...]
    benchmark: Benchmark
    beside: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether these are all games of the benchmark."""
        return set(self.games) == set(self.benchmark.random)

    def published(self, name: str) -> dict[str, float]:
        """Aggregates of a published agent over these games."""
        return self.benchmark.aggregates(name, list(self.games))


def summarize(
    experiments: Sequence[Experiment], metric: Metric, beside: Sequence[str], resamples: int
) -> Compared:
    """Raises BadInput where an experiment is of no game of the benchmark, an agent lacks a game, or
    a published agent is not known."""
    benchmark = read_benchmark()
    for name in beside:
        if name not in benchmark.agents:
            near = difflib.get_close_matches(name, benchmark.agents, n=1, cutoff=0.0)
            raise BadInput(
                f"--beside {name}: no scores of it are shipped; did you mean {near[0]}? There are "
                f"{', '.join(benchmark.agents)}"
            )
    bounds = {}
    for experiment in experiments:
        game = game_of(experiment.env_name)
        if game not in benchmark.random:
            raise BadInput(
                f"{experiment.path} is of {experiment.env_name}, which is no game of "
                f"{benchmark.title}"
            )
        bounds[experiment.env_name] = benchmark.random[game], benchmark.human[game]
    found = summarize_profiles(experiments, metric, bounds, resamples)
    rng = np.random.default_rng(0)
    scores = []
    for agent in found.agents:
        own = {}
        for settings in agent.experiments:
            table = normalised_scores([settings], found.bounds)
            own[game_of(settings.env_name)] = stratified_interval(
                mean, table, rng=rng, resamples=resamples, diverged="exclude"
            )
        scores.append(own)
    games = tuple(game_of(name) for name in found.environments)
    return Compared(metric, games, found.agents, tuple(scores), benchmark, tuple(beside))
