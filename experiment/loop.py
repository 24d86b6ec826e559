"""The interaction of one agent with one environment, counted in timesteps.

Training can be left between any two steps and taken up again exactly (`state_dict`). Evaluation
runs on an environment and random streams of its own, and changes nothing that training reads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from agents.base import Agent, Diverged, Transition
from envs.settings import EnvironmentSettings
from envs.state import restore_state, resumes_mid_episode, save_state
from envs.wrappers import Problem
from experiment.step_arrays import StepArrays
from experiment.streams import Streams, as_seed

#: A run's metrics are sampled this often.
METRIC_WINDOWS = 100


class Training:
    """One run under way.

    Attributes:
        timestep: training steps taken.
        stop: set it (a signal handler may) to leave `advance` between two steps.
        history: what the record will hold, plain lists and numbers.
        saves_mid_episode: whether the environment's state can be saved exactly within episodes.
        on_step: called after every training step (to draw the scene, say).
    """

    def __init__(
        self,
        settings: EnvironmentSettings,
        environment: Problem,
        evaluation_environment: Callable[[], Problem],
        agent: Agent,
        streams: Streams,
        step_arrays: StepArrays,
    ) -> None:
        self.settings = settings
        self.environment = environment
        self.agent = agent
        self.step_arrays = step_arrays
        self.stop = False
        self.on_step: Callable[[], None] | None = None
        self._make_evaluation_environment = evaluation_environment
        self._evaluation_environment: Problem | None = None
        self._streams = streams
        self.saves_mid_episode = resumes_mid_episode(environment)
        self._continuous = isinstance(environment.action_space, gymnasium.spaces.Box)

        self.timestep = 0
        self._observation: Any = None
        self._reset_is_due = True
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
        if step_arrays.names_of_updates:
            agent.on_update = step_arrays.add
        environment.action_space.seed(as_seed(streams.action_space))

    # -- the course of a run

    @property
    def finished(self) -> bool:
        """Whether every timestep and every evaluation is done."""
        return self.timestep >= self.settings.total_timesteps and not self.evaluation_is_due

    @property
    def evaluation_is_due(self) -> bool:
        """Evaluations stand at the start, every interval, and at the end."""
        if self.settings.eval_episodes == 0:
            return False
        done = self.history["timesteps_at_eval"]
        last = done[-1] if done else -1
        return last < self.timestep and (
            self.timestep % self.settings.eval_interval_timesteps == 0
            or self.timestep == self.settings.total_timesteps
        )

    @property
    def can_be_saved(self) -> bool:
        """Whether `state_dict` is exact here: anywhere, or only between episodes."""
        return self.saves_mid_episode or self._reset_is_due

    def advance(self, deadline: float, *, to_episode_end: bool = False) -> None:
        """Trains until an evaluation is due or the run ends, or leaves early when `stop` is set
        or the monotonic clock passes `deadline` (with `to_episode_end`: not before a border).

        Raises:
            Diverged: a number stopped being finite; `history` holds all before it.
        """
        started = time.perf_counter()
        try:
            while not self.evaluation_is_due and self.timestep < self.settings.total_timesteps:
                left_early = self._train_until(self._next_border(), deadline, to_episode_end)
                if self.timestep == self._window_end():
                    self._close_window()
                if left_early:
                    break
        finally:
            self.history["train_time"] += time.perf_counter() - started

    def _next_border(self) -> int:
        """The next timestep at which something happens between two steps."""
        total, interval = self.settings.total_timesteps, self.settings.eval_interval_timesteps
        evaluation = (
            total
            if self.settings.eval_episodes == 0
            else (self.timestep // interval + 1) * interval
        )
        return min(total, evaluation, self._window_end())

    def _train_until(self, until: int, deadline: float, to_episode_end: bool) -> bool:
        """The inner loop. Returns whether it was left before timestep `until`."""
        act, observe, step = self.agent.act, self.agent.observe, self.environment.step
        clock, isfinite, continuous = time.monotonic, math.isfinite, self._continuous
        arrays, on_step = self.step_arrays, self.on_step
        keep_steps = bool(arrays.names_of_steps)
        observation, timestep = self._observation, self.timestep
        episode_return, episode_steps = self._episode_return, self._episode_steps
        window_reward = self._window_reward
        left_early = False
        try:
            while timestep < until:
                if self._reset_is_due:
                    observation = self._reset()
                    episode_return, episode_steps = 0.0, 0
                action = act(observation, explore=True)
                if continuous and not isfinite(action.sum()):
                    raise Diverged("the action")
                next_observation, reward, terminated, truncated, _ = step(action)
                reward = float(reward)
                if not isfinite(reward):
                    raise Diverged("the reward")
                timestep += 1
                episode_return += reward
                episode_steps += 1
                window_reward += reward
                if keep_steps:
                    arrays.add("train_states", observation)
                    arrays.add("train_actions", action)
                    arrays.add("train_rewards", reward)
                observe(
                    Transition(observation, action, reward, next_observation, terminated, truncated)
                )
                observation = next_observation
                if terminated or truncated:
                    self._reset_is_due = True
                    self._close_episode(episode_return, episode_steps, terminated)
                    episode_return, episode_steps = 0.0, 0
                if on_step is not None:
                    on_step()
                if (self.stop or clock() >= deadline) and (
                    self._reset_is_due or not to_episode_end
                ):
                    left_early = timestep < until
                    break
        finally:
            self._observation, self.timestep = observation, timestep
            self._episode_return, self._episode_steps = episode_return, episode_steps
            self._window_reward = window_reward
        return left_early

    def _reset(self) -> Any:
        first = self.timestep == 0
        seed = as_seed(self._streams.training_environment) if first else None
        observation, _ = self.environment.reset(seed=seed)
        self._reset_is_due = False
        return observation

    def _close_episode(self, episode_return: float, steps: int, terminated: bool) -> None:
        self.history["train_episode_rewards"].append(episode_return)
        self.history["train_episode_steps"].append(steps)
        self.history["train_episode_terminated"].append(bool(terminated))

    # -- metrics

    def _window_end(self) -> int:
        """The first border of a metric window after the window's start."""
        total = self.settings.total_timesteps
        windows = min(METRIC_WINDOWS, total)
        done = self._window_start * windows // total
        return -(-(done + 1) * total // windows)

    def _close_window(self) -> None:
        reward = self._window_reward / (self.timestep - self._window_start)
        for name, number in {"mean_reward": reward, **self.agent.metrics()}.items():
            series = self.history["metrics"].setdefault(name, {"timestep": [], "value": []})
            series["timestep"].append(self.timestep)
            series["value"].append(float(number))
        self._window_start, self._window_reward = self.timestep, 0.0

    # -- evaluation

    def evaluate(self, *, patience: float = 0.0) -> None:
        """Runs the evaluation that is due; leaves it undone when `stop` is set meanwhile and the
        monotonic clock has passed `patience`.

        Every evaluation starts its environment from the same seed, so all of them meet the same
        initial states, and draws from a stream that belongs to its number alone.
        """
        started = time.perf_counter()
        if self._evaluation_environment is None:
            self._evaluation_environment = self._make_evaluation_environment()
        number = len(self.history["timesteps_at_eval"])
        stream = self._streams.evaluation_environment
        self.agent.evaluation_rng = np.random.default_rng(
            np.random.SeedSequence(stream.entropy, spawn_key=(*stream.spawn_key, number))
        )
        returns, steps = [], []
        states: list[Any] = []
        for episode in range(self.settings.eval_episodes):
            seed = as_seed(stream) if episode == 0 else None
            outcome = self._evaluation_episode(seed, states, patience)
            if outcome is None:
                return
            returns.append(outcome[0])
            steps.append(outcome[1])
        for state in states:
            self.step_arrays.add("eval_states", state)
        self.history["timesteps_at_eval"].append(self.timestep)
        self.history["eval_episode_rewards"].append(returns)
        self.history["eval_episode_steps"].append(steps)
        self.history["eval_time"] += time.perf_counter() - started

    def _evaluation_episode(
        self, seed: int | None, states: list[Any], patience: float
    ) -> tuple[float, int] | None:
        environment = self._evaluation_environment
        assert environment is not None
        keep_states = "eval_states" in self.step_arrays.names
        observation, _ = environment.reset(seed=seed)
        total, steps, over = 0.0, 0, False
        while not over:
            if self.stop and time.monotonic() >= patience:
                return None
            if keep_states:
                states.append(np.array(observation))
            action = self.agent.act(observation, explore=False)
            if self._continuous and not math.isfinite(action.sum()):
                raise Diverged("the action in evaluation")
            observation, reward, terminated, truncated, _ = environment.step(action)
            total += float(reward)
            steps += 1
            over = terminated or truncated
        if not math.isfinite(total):
            raise Diverged("the return in evaluation")
        return total, steps

    # -- leaving and coming back

    _COUNTERS = (
        "timestep",
        "history",
        "_observation",
        "_reset_is_due",
        "_episode_return",
        "_episode_steps",
        "_window_reward",
        "_window_start",
    )

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on. Exact where `can_be_saved`."""
        return {
            "counters": {name: getattr(self, name) for name in self._COUNTERS},
            "agent": self.agent.state_dict(),
            "environment": save_state(self.environment),
            "step_arrays": self.step_arrays.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues where `state_dict` was taken."""
        for name, value in state["counters"].items():
            setattr(self, name, value)
        self.agent.load_state_dict(state["agent"])
        restore_state(self.environment, state["environment"])
        self.step_arrays.load_state_dict(state["step_arrays"])

    def results(self) -> dict[str, Any]:
        """The run's measurements, the unfinished last episode included and marked."""
        unfinished = not self._reset_is_due
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
