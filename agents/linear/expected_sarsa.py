"""Linear Expected Sarsa(λ).

van Seijen, van Hasselt, Whiteson & Wiering, "A Theoretical and Empirical Analysis of Expected
Sarsa" (2009), with accumulating traces. With x, x' the features of s, s', and c = 0 on
termination, else 1, and π ε-greedy in Q = W x:

    δ = r + γ c Σ_b π(b|s') Q(s', b) - Q(s, a)
    e <- γλ e;  e_a <- e_a + x;  W <- W + lr δ e
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numba import njit

from agents.base import AgentRefused
from agents.linear.learner import LinearLearner
from agents.linear.settings import ExpectedSarsaSettings
from agents.linear.traces import value


class ExpectedSarsa(LinearLearner):
    """See the module's text. For discrete actions."""

    def __init__(
        self,
        settings: ExpectedSarsaSettings,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        gamma: float,
        rng: np.random.Generator,
        device: str,
    ) -> None:
        if not isinstance(action_space, gymnasium.spaces.Discrete):
            raise AgentRefused(f"ESarsa needs discrete actions, not {action_space}")
        self._actions, self._first = int(action_space.n), int(action_space.start)
        super().__init__(
            "ESarsa",
            settings,
            observation_space,
            functions=self._actions,
            gamma=gamma,
            rng=rng,
            device=device,
        )
        self._epsilon = settings.epsilon
        self._epsilon_decay, self._epsilon_min = settings.epsilon_decay, settings.epsilon_min
        self._lr = settings.lr / self._tiles.active
        self._values = np.zeros(self._actions)

    def sample(self) -> int:
        if self._rng.random() < self._epsilon:
            return self._first + int(self._rng.integers(self._actions))
        return self._greedy(self._here, self._rng)

    def best(self, active: np.ndarray) -> int:
        return self._greedy(active, self.evaluation_rng)

    def _greedy(self, active: np.ndarray, rng: np.random.Generator) -> int:
        action, ties = greedy(self._weights, active, self._values)
        if ties > 1:
            action = int(rng.choice(np.flatnonzero(self._values == self._values[action])))
        return self._first + action

    def td_error(self, action: Any, reward: float, terminated: bool) -> float:
        # the successor's action will be drawn with the next step's ε
        self._epsilon = max(self._epsilon * self._epsilon_decay, self._epsilon_min)
        successor = 0.0
        if not terminated:
            successor = self._gamma * float(
                expected_value(self._weights, self._next, self._epsilon)
            )
        return reward + successor - value(self._weights, action - self._first, self._here)

    def aim(self, action: Any, error: float) -> None:
        self._gradient[:] = 0.0
        self._gradient[action - self._first] = 1.0
        self._step[:] = self._lr * error

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"epsilon": self._epsilon}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._epsilon = state["epsilon"]

    def metrics(self) -> dict[str, float]:
        return {"epsilon": self._epsilon}

    def learned_params(self) -> dict[str, np.ndarray]:
        return {"weights": self._memory.weights, "traces": self._memory.traces}


@njit(cache=True)
def greedy(weights: np.ndarray, active: np.ndarray, values: np.ndarray) -> tuple[int, int]:
    """Writes Q(s, ·); returns (first action of highest value, how many share that value)."""
    best, ties, highest = 0, 0, -np.inf
    for b in range(values.shape[0]):
        values[b] = value(weights, b, active)
        if values[b] > highest:
            best, ties, highest = b, 1, values[b]
        elif values[b] == highest:
            ties += 1
    return best, ties


@njit(cache=True)
def expected_value(weights: np.ndarray, active: np.ndarray, epsilon: float) -> float:
    """Σ_b π(b|s) Q(s, b) for the ε-greedy π; ties share the greedy mass, all being equal."""
    highest, total = -np.inf, 0.0
    for b in range(weights.shape[1]):
        q = value(weights, b, active)
        total += q
        highest = max(highest, q)
    mean: float = total / weights.shape[1]
    return (1.0 - epsilon) * highest + epsilon * mean
