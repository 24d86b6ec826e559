"""Linear Expected Sarsa(λ).

van Seijen, van Hasselt, Whiteson & Wiering, "A Theoretical and Empirical Analysis of Expected
Sarsa" (2009), with accumulating traces. With x, x' the features of s, s', and c = 0 on
termination, else 1, and π ε-greedy in Q = W x:

    δ = r + γ c Σ_b π(b|s') Q(s', b) - Q(s, a)
    e <- γλ e;  e_a <- e_a + x;  W <- W + lr δ e
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from agents.base import AgentRefused
from agents.group import BySlot
from agents.linear.draws import uniform
from agents.linear.features import activate
from agents.linear.kernels import kernel
from agents.linear.learner import LinearGroup
from agents.linear.policies import greedy
from agents.linear.settings import ExpectedSarsaSettings
from agents.linear.traces import forget, learn, value


class ExpectedSarsa(LinearGroup):
    """See the module's text. For discrete actions."""

    CHANGING = ("epsilon",)

    def __init__(
        self,
        settings: Sequence[ExpectedSarsaSettings],
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        gamma: float,
        rngs: Sequence[np.random.Generator],
        device: str,
        steps: float = math.inf,
    ) -> None:
        if not isinstance(action_space, gymnasium.spaces.Discrete):
            raise AgentRefused(f"ESarsa needs discrete actions, not {action_space}")
        self._first = int(action_space.start)
        names = ("epsilon", "epsilon_decay", "epsilon_min")
        super().__init__(
            "ESarsa",
            settings,
            observation_space,
            functions=int(action_space.n),
            gammas=np.full(len(settings), gamma),
            fields=[("lr", "f8"), *((name, "f8") for name in names)],
            law=uniform,
            width=2,
            rngs=rngs,
            device=device,
            steps=steps,
        )
        self.records["lr"] = [one.lr / self.tiles.active for one in settings]
        for name in names:
            self.records[name] = [getattr(one, name) for one in settings]

        # `_sample`, `_best` and `_observe`, and their further arguments
        self._do_sample, self._do_best = self._form(_sample), self._form(_best)
        self._do_observe = self._form(_observe)
        tiles, memory = (self.tiles.bounds, self.tiles.layout), self.memory
        self._for_sample = (self._features, memory.weights, self.records, *self._draws.arrays)
        self._for_best = (*tiles, memory.weights, *self._evaluation_draws.arrays)
        self._for_observe = (*tiles, self._features, *memory.arrays, self.records, self._first)

    def _sample(self, slots: np.ndarray) -> BySlot:
        actions = np.zeros(len(self._all), dtype=np.int64)
        self._do_sample(slots, actions, *self._for_sample)
        return self._first + actions

    def _best(self, slots: np.ndarray, observations: np.ndarray) -> BySlot:
        actions = np.zeros(len(self._all), dtype=np.int64)
        self._do_best(slots, actions, observations, *self._for_best)
        return self._first + actions

    def _learn(
        self,
        slots: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        successors: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
    ) -> bool:
        step = (actions, rewards, successors, terminated, truncated)
        return bool(self._do_observe(slots, *step, *self._for_observe))

    def metrics(self, slot: int) -> dict[str, float]:
        return {"epsilon": float(self.records["epsilon"][slot])}

    def learned_params(self, slot: int) -> dict[str, np.ndarray]:
        return {"weights": self.memory.weights[slot], "traces": self.memory.dense_traces(slot)}


@kernel
def _sample(
    slots: np.ndarray,
    actions: np.ndarray,
    features: np.ndarray,
    weights: np.ndarray,
    records: np.ndarray,
    draws: np.ndarray,
    used: np.ndarray,
) -> None:
    """Writes ε-greedy actions [M]: one number decides whether to explore, another which it is."""
    functions = weights.shape[2]
    for m in slots:
        features[m, 0] = features[m, 1]
        numbers = draws[m, used[m]]
        used[m] += 1
        if numbers[0] < records[m].epsilon:
            actions[m] = int(numbers[1] * functions)
        else:
            actions[m] = greedy(weights[m], 0, functions, features[m, 0], numbers[1])


@kernel
def _best(
    slots: np.ndarray,
    actions: np.ndarray,
    observations: np.ndarray,
    bounds: np.ndarray,
    layout: np.ndarray,
    weights: np.ndarray,
    draws: np.ndarray,
    used: np.ndarray,
) -> None:
    """Writes greedy actions [M]."""
    active = np.zeros(layout[0] + 1, dtype=np.int64)
    for m in slots:
        activate(observations[m], bounds, layout, active)
        actions[m] = greedy(weights[m], 0, weights.shape[2], active, draws[m, used[m], 0])
        used[m] += 1


@kernel
def _observe(
    slots: np.ndarray,
    actions: np.ndarray,
    rewards: np.ndarray,
    observations: np.ndarray,
    terminated: np.ndarray,
    truncated: np.ndarray,
    bounds: np.ndarray,
    layout: np.ndarray,
    features: np.ndarray,
    weights: np.ndarray,
    traces: np.ndarray,
    live: np.ndarray,
    row: np.ndarray,
    width: tuple[int, ...],
    records: np.ndarray,
    first_action: int,
) -> bool:
    """One step of learning from s' = `observations`; see `LinearGroup._learn`."""
    finite = True
    functions = weights.shape[2]
    gradient, step = np.zeros(functions), np.zeros(functions)
    for m in slots:
        one, here, there = records[m], features[m, 0], features[m, 1]
        activate(observations[m], bounds, layout, there)
        # the successor's action will be drawn with the next step's ε
        records[m].epsilon = max(one.epsilon * one.epsilon_decay, one.epsilon_min)
        future = 0.0
        if not terminated[m]:
            future = one.gamma * _expected_value(weights[m], there, records[m].epsilon)
        action = int(actions[m, 0]) - first_action
        error = rewards[m] + future - value(weights[m], action, here)
        records[m].td_error = error
        if not math.isfinite(error):
            finite = False
            continue
        gradient[:] = 0.0
        gradient[action] = 1.0
        step[:] = one.lr * error
        learn(m, weights, traces, live, row, width, records, here, gradient, step)
        if (terminated[m] or truncated[m]) and one.clears_traces:
            forget(m, live, row, records)
    return finite


@kernel
def _expected_value(weights: np.ndarray, active: np.ndarray, epsilon: float) -> float:
    """Σ_b π(b|s) Q(s, b) for the ε-greedy π; ties share the greedy mass, all being equal."""
    highest, total = -np.inf, 0.0
    for b in range(weights.shape[1]):
        q = value(weights, b, active)
        total += q
        highest = max(highest, q)
    mean: float = total / weights.shape[1]
    return (1.0 - epsilon) * highest + epsilon * mean
