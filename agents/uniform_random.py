"""The baseline that every learner has to beat: uniformly random actions."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agents.base import AgentRefused, AgentSettings, Transition

if TYPE_CHECKING:  # reading an agent file needs neither
    import gymnasium
    import numpy as np


class UniformRandomSettings(AgentSettings, frozen=True, kw_only=True):
    """Uniformly random actions; no hyperparameters."""


class UniformRandom:
    """Samples the action space: uniform where it is bounded, as Gymnasium samples elsewhere."""

    def __init__(
        self,
        settings: UniformRandomSettings,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        gamma: float,
        rng: np.random.Generator,
        device: str,
    ) -> None:
        if device != "cpu":
            raise AgentRefused(f"random runs on the CPU only, not on {device!r}")
        self.on_update: Callable[[str, Any], None] | None = None
        # two copies, so that evaluating does not move the training stream
        self._training, self._evaluation = copy.deepcopy(action_space), copy.deepcopy(action_space)
        _reseed(self._training, rng)
        self._evaluation.seed(0)
        self._evaluation_rng = rng  # each evaluation sets its own

    @property
    def evaluation_rng(self) -> np.random.Generator:
        """See `agents.base.Agent`."""
        return self._evaluation_rng

    @evaluation_rng.setter
    def evaluation_rng(self, rng: np.random.Generator) -> None:
        self._evaluation_rng = rng
        _reseed(self._evaluation, rng)

    def act(self, observation: Any, *, explore: bool) -> Any:
        return (self._training if explore else self._evaluation).sample()

    def observe(self, transition: Transition) -> None:
        """Learns nothing."""

    def state_dict(self) -> dict[str, Any]:
        return {"training": self._training}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._training = state["training"]

    def metrics(self) -> dict[str, float]:
        return {}

    def learned_params(self) -> dict[str, np.ndarray]:
        return {}


def _reseed(space: gymnasium.Space[Any], rng: np.random.Generator) -> None:
    space.seed(int(rng.integers(2**31)))
