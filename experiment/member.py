"""One run under way, seen from its environment: episodes, counters, evaluations, arrays.

The agent is not here: several members share one (`experiment.loop.Training`). Neither is what
happens at every step of every member: that is counted in arrays (`Counters`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from agents.base import Diverged
from envs.settings import EnvironmentSettings
from envs.state import restore_state, resumes_mid_episode, save_state
from envs.wrappers import Problem
from experiment.step_arrays import StepArrays
from experiment.streams import Streams, as_seed


class Counters:
    """What is counted at every step of a group, by slot.

    Attributes:
        timestep: steps taken by every member that has not diverged.
        episode_returns: [M] reward since the episode began.
        window_rewards: [M] reward since the metrics were sampled last.
        episode_starts: [M] timestep at which the episode began.
    """

    def __init__(self, members: int) -> None:
        self.timestep = 0
        self._rewards = np.zeros((2, members))
        self.episode_returns, self.window_rewards = self._rewards
        self.episode_starts = np.zeros(members, dtype=np.int64)

    def add(self, rewards: np.ndarray) -> None:
        """One step of the group, with the reward [M] of each; 0 where none was earned."""
        self._rewards += rewards
        self.timestep += 1


class Member:
    """A run of a group.

    Attributes:
        history: what the record will hold, plain lists and numbers.
        reset_is_due: whether the next step begins an episode.
        saves_mid_episode: whether the environment's state can be saved exactly within episodes.
        diverged: {"timestep", "what"} once a number stopped being finite; it trains no further.
    """

    def __init__(
        self,
        settings: EnvironmentSettings,
        environment: Problem,
        evaluation_environment: Callable[[], Problem],
        streams: Streams,
        step_arrays: StepArrays,
        counters: Counters,
        slot: int,
    ) -> None:
        self.settings = settings
        self.environment = environment
        self.make_evaluation_environment = evaluation_environment
        self.streams = streams
        self.step_arrays = step_arrays
        self.counters = counters
        self._slot = slot
        self.saves_mid_episode = resumes_mid_episode(environment)
        environment.action_space.seed(as_seed(streams.action_space))

        self.reset_is_due = True
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
    def timestep(self) -> int:
        """The steps that it has taken."""
        return self.counters.timestep if self.diverged is None else self.diverged["timestep"]

    @property
    def can_be_saved(self) -> bool:
        """Whether `state_dict` is exact here: anywhere, or only between episodes."""
        return self.saves_mid_episode or self.reset_is_due

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

    def begin_episode(self) -> int | None:
        """To be called with each reset of the environment; returns the seed to reset it with."""
        self.reset_is_due = False
        self.counters.episode_returns[self._slot] = 0.0
        self.counters.episode_starts[self._slot] = self.timestep
        return as_seed(self.streams.training_environment) if self.timestep == 0 else None

    def end_episode(self, *, terminated: bool) -> None:
        """Records the episode whose last step has just been counted."""
        self.reset_is_due = True
        self.history["train_episode_rewards"].append(self._episode_return)
        self.history["train_episode_steps"].append(self._episode_steps)
        self.history["train_episode_terminated"].append(terminated)

    @property
    def _episode_return(self) -> float:
        return float(self.counters.episode_returns[self._slot])

    @property
    def _episode_steps(self) -> int:
        return self.timestep - int(self.counters.episode_starts[self._slot])

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

    def close_window(self, metrics: Mapping[str, float]) -> None:
        """Samples the metrics, and the mean reward since they were sampled last."""
        total = float(self.counters.window_rewards[self._slot])
        reward = total / (self.timestep - self._window_start)
        for name, number in {"mean_reward": reward, **metrics}.items():
            series = self.history["metrics"].setdefault(name, {"timestep": [], "value": []})
            series["timestep"].append(self.timestep)
            series["value"].append(float(number))
        self._window_start = self.timestep
        self.counters.window_rewards[self._slot] = 0.0

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

    # -- leaving and coming back

    def state_dict(self, observation: Any) -> dict[str, Any]:
        """Everything but the agent that the rest of the run depends on; `observation` is what the
        agent acts on next."""
        counters = {
            "timestep": self.timestep,
            "observation": observation,
            "reset_is_due": self.reset_is_due,
            "history": self.history,
            "diverged": self.diverged,
            "episode_return": self._episode_return,
            "episode_steps": self._episode_steps,
            "window_reward": float(self.counters.window_rewards[self._slot]),
            "window_start": self._window_start,
        }
        return {
            "counters": counters,
            "environment": save_state(self.environment),
            "step_arrays": self.step_arrays.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> Any:
        """Continues where `state_dict` was taken; returns its observation."""
        saved, counters = state["counters"], self.counters
        counters.timestep = saved["timestep"]
        counters.episode_returns[self._slot] = saved["episode_return"]
        counters.episode_starts[self._slot] = saved["timestep"] - saved["episode_steps"]
        counters.window_rewards[self._slot] = saved["window_reward"]
        self.reset_is_due, self.diverged = saved["reset_is_due"], saved["diverged"]
        self.history, self._window_start = saved["history"], saved["window_start"]
        restore_state(self.environment, state["environment"])
        self.step_arrays.load_state_dict(state["step_arrays"])
        return saved["observation"]

    def results(self) -> dict[str, Any]:
        """The run's measurements, the unfinished last episode included and marked."""
        unfinished = not self.reset_is_due
        episode: dict[str, list[Any]] = {
            "train_episode_rewards": [self._episode_return],
            "train_episode_steps": [self._episode_steps],
            "train_episode_terminated": [False],
        }
        results = dict(self.history)
        if unfinished:
            results |= {name: results[name] + last for name, last in episode.items()}
        results["last_episode_unfinished"] = unfinished
        results["total_train_episodes"] = len(results["train_episode_rewards"])
        return results


class Evaluation:
    """The episodes of one member's evaluation.

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
