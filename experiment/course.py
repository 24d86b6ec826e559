"""The course of one run: when it is looked at, and what has been measured so far."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from agents.base import Diverged
from envs.settings import EnvironmentSettings
from experiment.step_arrays import StepArrays
from experiment.streams import Streams, as_seed

#: A run's metrics are sampled this often.
METRIC_WINDOWS = 100


def next_border(settings: EnvironmentSettings, timestep: int) -> int:
    """The timestep after `timestep` at which a run is looked at next: evaluated, or measured."""
    total, interval = settings.total_timesteps, settings.eval_interval_timesteps
    border = min(total, window_end(settings, timestep + 1))
    if settings.eval_episodes == 0:
        return border
    return min(border, (timestep // interval + 1) * interval)


def window_end(settings: EnvironmentSettings, timestep: int) -> int:
    """The end of the metric window that timestep `timestep` (from 1 on) belongs to."""
    total = settings.total_timesteps
    windows = min(METRIC_WINDOWS, total)
    window = (max(timestep, 1) - 1) * windows // total + 1
    return -(-window * total // windows)


class Course(ABC):
    """A run under way.

    Attributes:
        history: what the record will hold, plain lists and numbers.
        diverged: {"timestep", "what"} once a number stopped being finite; it trains no further.
        saves_mid_episode: whether it can be saved exactly within episodes.
    """

    saves_mid_episode: bool

    def __init__(
        self, settings: EnvironmentSettings, streams: Streams, step_arrays: StepArrays
    ) -> None:
        self.settings = settings
        self.streams = streams
        self.step_arrays = step_arrays
        self.diverged: dict[str, Any] | None = None
        self._window_start = 0
        self.history: dict[str, Any] = {
            "eval_episode_rewards": [],
            "eval_episode_steps": [],
            "timesteps_at_eval": [],
            "train_episode_rewards": [],
            "train_episode_steps": [],
            "train_episode_terminated": [],
            "train_time": 0.0,
            "eval_time": 0.0,
            "metrics": {},
        }

    @property
    @abstractmethod
    def timestep(self) -> int:
        """The steps that it has taken."""

    @property
    @abstractmethod
    def can_be_saved(self) -> bool:
        """Whether its state is exact here: anywhere, or only between episodes."""

    @abstractmethod
    def results(self) -> dict[str, Any]:
        """The run's measurements, as the record has them."""

    @property
    def evaluation_is_due(self) -> bool:
        """Evaluations stand at the start, every interval, and at the end."""
        if self.settings.eval_episodes == 0 or self.diverged is not None:
            return False
        done = self.history["timesteps_at_eval"]
        last = done[-1] if done else -1
        return last < self.timestep and (
            self.timestep % self.settings.eval_interval_timesteps == 0
            or self.timestep == self.settings.total_timesteps
        )

    # -- training

    def count(self, counts: Mapping[str, int]) -> None:
        """Notes what an agent has counted beside timesteps, so that curves can be drawn over it."""
        if not counts:
            return
        series = self.history.setdefault("counts", {"timestep": []})
        if series["timestep"][-1:] == [self.timestep]:
            return
        series["timestep"].append(self.timestep)
        for name, number in counts.items():
            series.setdefault(name, []).append(number)

    def _end_window(self, reward: float, metrics: Mapping[str, float]) -> None:
        """Samples the metrics; `reward` was earned since they were sampled last."""
        mean = reward / (self.timestep - self._window_start)
        for name, number in {"mean_reward": mean, **metrics}.items():
            series = self.history["metrics"].setdefault(name, {"timestep": [], "value": []})
            series["timestep"].append(self.timestep)
            series["value"].append(float(number))
        self._window_start = self.timestep

    # -- evaluation

    def evaluation_rng(self) -> np.random.Generator:
        """The stream of the evaluation that is due; it belongs to its number alone."""
        number = len(self.history["timesteps_at_eval"])
        stream = self.streams.evaluation_environment
        return np.random.default_rng(
            np.random.SeedSequence(stream.entropy, spawn_key=(*stream.spawn_key, number))
        )

    @property
    def evaluation_seed(self) -> int:
        """Every evaluation starts its environment from the same seed, so all of them meet the
        same initial states."""
        return as_seed(self.streams.evaluation_environment)

    def end_evaluation(self, evaluation: Evaluation, seconds: float) -> None:
        """Takes over what an evaluation measured."""
        for state in evaluation.states:
            self.step_arrays.add("eval_states", state)
        self.history["timesteps_at_eval"].append(self.timestep)
        self.history["eval_episode_rewards"].append(evaluation.returns)
        self.history["eval_episode_steps"].append(evaluation.steps)
        self.history["eval_time"] += seconds


class Evaluation:
    """The episodes of one run's evaluation.

    Attributes:
        returns, steps: of the episodes that are over.
        states: the observations that were acted on, where they are recorded.
    """

    def __init__(self, episodes: int) -> None:
        self.returns: list[float] = []
        self.steps: list[int] = []
        self.states: list[Any] = []
        self._episodes = episodes

    @property
    def over(self) -> bool:
        """Whether all episodes are."""
        return len(self.returns) == self._episodes

    def end_episode(self, episode_return: float, steps: int) -> None:
        """
        Raises:
            Diverged: the return is not finite.
        """
        if not math.isfinite(episode_return):
            raise Diverged("the return in evaluation")
        self.returns.append(episode_return)
        self.steps.append(steps)
