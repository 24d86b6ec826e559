"""One run under way, seen from its environment: episodes, counters, evaluations, arrays.

The agent is not here: several members share one (`experiment.loop.Training`). Neither is what
happens at every step of every member: that is counted in arrays (`Counters`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from envs.settings import EnvironmentSettings
from envs.state import restore_state, resumes_mid_episode, save_state
from envs.wrappers import Problem
from experiment.course import Course
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


class Member(Course):
    """A run of a group.

    Attributes:
        reset_is_due: whether the next step begins an episode.
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
        super().__init__(settings, streams, step_arrays)
        self.environment = environment
        self.make_evaluation_environment = evaluation_environment
        self.counters = counters
        self._slot = slot
        self.saves_mid_episode = resumes_mid_episode(environment)
        environment.action_space.seed(as_seed(streams.action_space))
        self.reset_is_due = True

    @property
    def timestep(self) -> int:
        return self.counters.timestep if self.diverged is None else self.diverged["timestep"]

    @property
    def can_be_saved(self) -> bool:
        return self.saves_mid_episode or self.reset_is_due

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

    def close_window(self, metrics: Mapping[str, float]) -> None:
        """Samples the metrics, and the mean reward since they were sampled last."""
        self._end_window(float(self.counters.window_rewards[self._slot]), metrics)
        self.counters.window_rewards[self._slot] = 0.0

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
