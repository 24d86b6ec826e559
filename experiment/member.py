"""One run under way, seen from its environment: episodes, counters, evaluations, arrays.

The agent is not here: several members share one (`experiment.loop.Training`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from agents.base import Diverged
from envs.settings import EnvironmentSettings
from envs.state import restore_state, resumes_mid_episode, save_state
from envs.wrappers import Problem
from experiment.step_arrays import StepArrays
from experiment.streams import Streams, as_seed


class Member:
    """A run of a group.

    Attributes:
        observation: what the agent acts on next; of the last step when a reset is due.
        history: what the record will hold, plain lists and numbers.
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
    ) -> None:
        self.settings = settings
        self.environment = environment
        self.streams = streams
        self.step_arrays = step_arrays
        self.saves_mid_episode = resumes_mid_episode(environment)
        self._make_evaluation_environment = evaluation_environment
        self._evaluation_environment: Problem | None = None
        environment.action_space.seed(as_seed(streams.action_space))

        self.timestep = 0
        self.observation: Any = None
        self.reset_is_due = True
        self.diverged: dict[str, Any] | None = None
        self._episode_return = 0.0
        self._episode_steps = 0
        self._window_reward = 0.0
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

    def reset(self) -> None:
        """Begins an episode."""
        seed = as_seed(self.streams.training_environment) if self.timestep == 0 else None
        self.observation, _ = self.environment.reset(seed=seed)
        self.reset_is_due = False
        self._episode_return, self._episode_steps = 0.0, 0

    def step(self, action: Any) -> tuple[float, Any, bool, bool]:
        """(reward, next observation, terminated, truncated) of one step, counted.

        Raises:
            Diverged: the reward is not finite; the step is not counted.
        """
        successor, reward, terminated, truncated, _ = self.environment.step(action)
        reward = float(reward)
        if not math.isfinite(reward):
            raise Diverged("the reward")
        if self.step_arrays.names_of_steps:
            self.step_arrays.add("train_states", self.observation)
            self.step_arrays.add("train_actions", action)
            self.step_arrays.add("train_rewards", reward)
        self.timestep += 1
        self._episode_return += reward
        self._episode_steps += 1
        self._window_reward += reward
        self.observation = successor
        if terminated or truncated:
            self.reset_is_due = True
            self.history["train_episode_rewards"].append(self._episode_return)
            self.history["train_episode_steps"].append(self._episode_steps)
            self.history["train_episode_terminated"].append(bool(terminated))
        return reward, successor, terminated, truncated

    def close_window(self, metrics: Mapping[str, float]) -> None:
        """Samples the metrics, and the mean reward since they were sampled last."""
        reward = self._window_reward / (self.timestep - self._window_start)
        for name, number in {"mean_reward": reward, **metrics}.items():
            series = self.history["metrics"].setdefault(name, {"timestep": [], "value": []})
            series["timestep"].append(self.timestep)
            series["value"].append(float(number))
        self._window_start, self._window_reward = self.timestep, 0.0

    # -- evaluation

    def evaluation_rng(self) -> np.random.Generator:
        """The stream of the evaluation that is due; it belongs to its number alone."""
        number = len(self.history["timesteps_at_eval"])
        stream = self.streams.evaluation_environment
        return np.random.default_rng(
            np.random.SeedSequence(stream.entropy, spawn_key=(*stream.spawn_key, number))
        )

    def begin_evaluation(self) -> Evaluation:
        """The evaluation that is due.

        Every evaluation starts its environment from the same seed, so all of them meet the same
        initial states.
        """
        if self._evaluation_environment is None:
            self._evaluation_environment = self._make_evaluation_environment()
        return Evaluation(
            self._evaluation_environment,
            self.settings.eval_episodes,
            as_seed(self.streams.evaluation_environment),
            keep_states="eval_states" in self.step_arrays.names,
        )

    def end_evaluation(self, evaluation: Evaluation) -> None:
        """Takes over what an evaluation measured."""
        for state in evaluation.states:
            self.step_arrays.add("eval_states", state)
        self.history["timesteps_at_eval"].append(self.timestep)
        self.history["eval_episode_rewards"].append(evaluation.returns)
        self.history["eval_episode_steps"].append(evaluation.steps)
        self.history["eval_time"] += time.perf_counter() - evaluation.started

    # -- leaving and coming back

    _COUNTERS = (
        "timestep",
        "observation",
        "reset_is_due",
        "history",
        "diverged",
        "_episode_return",
        "_episode_steps",
        "_window_reward",
        "_window_start",
    )

    def state_dict(self) -> dict[str, Any]:
        """Everything but the agent that the rest of the run depends on."""
        return {
            "counters": {name: getattr(self, name) for name in self._COUNTERS},
            "environment": save_state(self.environment),
            "step_arrays": self.step_arrays.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continues where `state_dict` was taken."""
        for name, value in state["counters"].items():
            setattr(self, name, value)
        restore_state(self.environment, state["environment"])
        self.step_arrays.load_state_dict(state["step_arrays"])

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

    def close(self) -> None:
        """Closes both environments."""
        self.environment.close()
        if self._evaluation_environment is not None:
            self._evaluation_environment.close()


class Evaluation:
    """Some episodes without learning.

    Attributes:
        returns, steps: of the episodes that are over.
        observation: what the agent acts on next; None when all episodes are over.
    """

    def __init__(
        self, environment: Problem, episodes: int, seed: int, *, keep_states: bool
    ) -> None:
        self.started = time.perf_counter()
        self.returns: list[float] = []
        self.steps: list[int] = []
        self.states: list[Any] = []
        self._environment, self._episodes = environment, episodes
        self._keep_states = keep_states
        self._return, self._steps = 0.0, 0
        self.observation, _ = environment.reset(seed=seed)
        self.over = False

    def step(self, action: Any) -> None:
        """One step of the episode under way.

        Raises:
            Diverged: the return is not finite.
        """
        if self._keep_states:
            self.states.append(np.array(self.observation))
        self.observation, reward, terminated, truncated, _ = self._environment.step(action)
        self._return += float(reward)
        self._steps += 1
        if not (terminated or truncated):
            return
        if not math.isfinite(self._return):
            raise Diverged("the return in evaluation")
        self.returns.append(self._return)
        self.steps.append(self._steps)
        self._return, self._steps = 0.0, 0
        self.over = len(self.returns) == self._episodes
        if not self.over:
            self.observation, _ = self._environment.reset()
