"""Linear actor-critic with eligibility traces.

Degris, Pilarski & Sutton, "Model-Free Reinforcement Learning with Continuous Action in Practice"
(2012): the average-reward actor-critic with a Gaussian policy and its variance-scaled form; with a
softmax policy for discrete actions; discounted when `avg_reward_lr` is 0. With x, x' the features
of s, s', and c = 0 on termination, else 1:

    δ  = r - r̄ + γ c v·x' - v·x           r̄ <- r̄ + avg_reward_lr δ
    e_v <- γλ e_v + x                      v <- v + critic_lr δ e_v
    e_u <- γλ e_u + ∇_u log π(a|s)         u <- u + actor_lr [σ²] δ e_u      ([σ²]: when `scaled`)

Both step sizes are divided by the number of active features.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from agents.linear.learner import LinearLearner
from agents.linear.policies import policy_for
from agents.linear.settings import LinearACSettings
from agents.linear.traces import value

_CRITIC = 0  # the first function of the weights; the policy's follow


class LinearActorCritic(LinearLearner):
    """See the module's text. For observations within bounds and for discrete ones."""

    def __init__(
        self,
        settings: LinearACSettings,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        gamma: float,
        rng: np.random.Generator,
        device: str,
    ) -> None:
        self._policy = policy_for(action_space, settings)
        super().__init__(
            "linearAC",
            settings,
            observation_space,
            functions=1 + self._policy.functions,
            # in the average-reward form values are differential: nothing is discounted
            gamma=1.0 if settings.avg_reward_lr > 0 else gamma,
            rng=rng,
            device=device,
        )
        self._average_reward = 0.0
        self._average_reward_lr = settings.avg_reward_lr
        self._critic_lr = settings.critic_lr / self._tiles.active
        self._actor_lr = settings.actor_lr / self._tiles.active

    def sample(self) -> Any:
        return self._policy.sample(self._weights, self._here, self._rng)

    def best(self, active: np.ndarray) -> Any:
        return self._policy.best(self._weights, active, self.evaluation_rng)

    def td_error(self, action: Any, reward: float, terminated: bool) -> float:
        successor = 0.0 if terminated else self._gamma * value(self._weights, _CRITIC, self._next)
        return reward - self._average_reward + successor - value(self._weights, _CRITIC, self._here)

    def aim(self, action: Any, error: float) -> None:
        self._average_reward += self._average_reward_lr * error
        self._step[_CRITIC] = self._critic_lr * error
        self._policy.direction(action, self._actor_lr * error, self._gradient, self._step)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "policy": self._policy.state_dict(),
            "average_reward": self._average_reward,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._policy.load_state_dict(state["policy"])
        self._average_reward = state["average_reward"]

    def metrics(self) -> dict[str, float]:
        return {"average_reward": self._average_reward, **self._policy.metrics()}

    def learned_params(self) -> dict[str, np.ndarray]:
        weights, traces = self._memory.weights, self._memory.traces
        return {
            "critic_weights": weights[:, _CRITIC],
            "actor_weights": weights[:, 1:],
            "critic_trace": traces[:, _CRITIC],
            "actor_trace": traces[:, 1:],
            "average_reward": np.array(self._average_reward),
        }
