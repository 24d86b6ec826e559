"""What the linear agents share: features, traced weights, and the order of a step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from agents.base import AgentRefused, Diverged, Transition
from agents.linear.features import tiles_for
from agents.linear.settings import LinearSettings
from agents.linear.traces import TracedWeights


class LinearLearner(ABC):
    """One TD error a step, several linear functions that learn from it.

    A subclass says how it acts (`sample`, `best`), its TD error, and for each function the
    gradient and step size (`_gradient`, `_step`, both [functions], ready when `aim` returns).
    """

    def __init__(
        self,
        name: str,
        settings: LinearSettings,
        observation_space: gymnasium.Space[Any],
        *,
        functions: int,
        gamma: float,
        rng: np.random.Generator,
        device: str,
    ) -> None:
        if device != "cpu":
            raise AgentRefused(f"{name} runs on the CPU only, not on {device!r}")
        self._tiles = tiles_for(observation_space, settings, agent=name)
        self._memory = TracedWeights(self._tiles.size, functions, gamma * settings.decay)
        self._weights = self._memory.weights
        self._gamma = gamma
        self._clear_traces = not settings.accumulate_trace
        self._rng = rng
        self._here = self._tiles.empty()  # active features of s
        self._next = self._tiles.empty()  # active features of s', which is s in the next step
        self._next_observation: Any = None
        self._gradient, self._step = np.ones(functions), np.zeros(functions)
        self.on_update: Callable[[str, Any], None] | None = None
        self.evaluation_rng = np.random.default_rng(0)

    @abstractmethod
    def sample(self) -> Any:
        """The behaviour policy's action for the features `_here`."""

    @abstractmethod
    def best(self, active: np.ndarray) -> Any:
        """The action of evaluation; ties are broken by `evaluation_rng`."""

    @abstractmethod
    def td_error(self, action: Any, reward: float, terminated: bool) -> float:
        """δ of the step from `_here` to `_next`."""

    @abstractmethod
    def aim(self, action: Any, error: float) -> None:
        """Sets `_gradient` and `_step` (step sizes times δ)."""

    def act(self, observation: Any, *, explore: bool) -> Any:
        if not explore:
            active = self._tiles.empty()
            self._tiles.write(observation, active)
            return self.best(active)
        if observation is self._next_observation:
            self._here, self._next = self._next, self._here
        else:
            self._tiles.write(observation, self._here)
        return self.sample()

    def observe(self, transition: Transition) -> None:
        observation, action, reward, next_observation, terminated, truncated = transition
        self._tiles.write(next_observation, self._next)
        self._next_observation = next_observation
        error = self.td_error(action, reward, terminated)
        if not math.isfinite(error):
            raise Diverged("the TD error")
        self.aim(action, error)
        self._memory.learn(self._here, self._gradient, self._step)
        if (terminated or truncated) and self._clear_traces:
            self._memory.clear_traces()
        if self.on_update is not None:
            self.on_update("update_states", observation)
            self.on_update("update_actions", action)
            self.on_update("update_rewards", reward)
            self.on_update("update_next_states", next_observation)

    def state_dict(self) -> dict[str, Any]:
        return {"memory": self._memory.state_dict(), "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._memory.load_state_dict(state["memory"])
        self._rng.bit_generator.state = state["rng"]
        self._next_observation = None
