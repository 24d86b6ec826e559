"""The policies that learn nothing, as an agent: a sweep of them, and rollouts of them by index."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gymnasium

from agents.base import AgentRefused, Transition
from agents.collecting.policies import RolloutPolicy, noise_policy
from agents.collecting.settings import RandomPolicySettings

if TYPE_CHECKING:
    import numpy as np


class RandomPolicy:
    """See `agents.base.Agent`. An episode's numbers come from a child of the agent's generator; all
    episodes of one evaluation are one to the policy, which is not told where they end."""

    def __init__(
        self,
        settings: RandomPolicySettings,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        gamma: float,
        rng: np.random.Generator,
        device: str,
    ) -> None:
        if device != "cpu":
            raise AgentRefused(f"randomPolicy runs on the CPU only, not on {device!r}")
        self.on_update: Callable[[str, Any], None] | None = None
        policy = noise_policy(settings.policy, settings.parameters, observation_space, action_space)
        self._training: RolloutPolicy = policy
        self._evaluation = copy.deepcopy(policy)
        self._rng = rng
        self._training.begin(rng.spawn(1)[0])
        self._evaluation_rng = rng  # each evaluation sets its own

    @property
    def evaluation_rng(self) -> np.random.Generator:
        """See `agents.base.Agent`."""
        return self._evaluation_rng

    @evaluation_rng.setter
    def evaluation_rng(self, rng: np.random.Generator) -> None:
        self._evaluation_rng = rng
        self._evaluation.begin(rng)

    def act(self, observation: Any, *, explore: bool) -> Any:
        return (self._training if explore else self._evaluation).act(observation)

    def observe(self, transition: Transition) -> None:
        """Learns nothing."""
        if transition.terminated or transition.truncated:
            self._training.begin(self._rng.spawn(1)[0])

    def state_dict(self) -> dict[str, Any]:
        return {"training": copy.deepcopy(self._training), "rng": copy.deepcopy(self._rng)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._training, self._rng = copy.deepcopy(state["training"]), copy.deepcopy(state["rng"])

    def metrics(self) -> dict[str, float]:
        return {}

    def learned_params(self) -> dict[str, np.ndarray]:
        return {}
