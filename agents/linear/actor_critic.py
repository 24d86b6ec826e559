"""Linear actor-critic with eligibility traces.

Degris, Pilarski & Sutton, "Model-Free Reinforcement Learning with Continuous Action in Practice"
(2012): the average-reward actor-critic with a Gaussian policy and its variance-scaled form; with a
softmax policy for discrete actions; discounted when `avg_reward_lr` is 0. With x, x' the features
of s, s', and c = 0 on termination, else 1:

    δ  = r - r̄ + γ c v·x' - v·x           r̄ <- r̄ + avg_reward_lr δ
    e_v <- γλ e_v + x                      v <- v + critic_lr δ e_v
    e_u <- γλ e_u + ∇_u log π(a|s)         u <- u + actor_lr [σ²] δ e_u      ([σ²]: when `scaled`)

Both step sizes are divided by the number of active features. Actions are not clipped here: the
environment does, and the likelihood stays that of the draw.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from agents.base import AgentRefused
from agents.group import BySlot
from agents.linear.draws import normal, uniform
from agents.linear.features import activate
from agents.linear.kernels import kernel
from agents.linear.learner import LinearGroup
from agents.linear.policies import (
    gaussian,
    gaussian_direction,
    greedy,
    inverse_cumulative,
    softmax,
    softmax_direction,
)
from agents.linear.settings import LinearACSettings
from agents.linear.traces import forget, learn, value

_CRITIC = 0  # the first function of the weights; the policy's follow


class LinearActorCritic(LinearGroup):
    """See the module's text. For observations within bounds and for discrete ones."""

    CHANGING = ("average_reward",)

    def __init__(
        self,
        settings: Sequence[LinearACSettings],
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        gamma: float,
        rngs: Sequence[np.random.Generator],
        device: str,
        steps: float = math.inf,
    ) -> None:
        self._discrete = isinstance(action_space, gymnasium.spaces.Discrete)
        if isinstance(action_space, gymnasium.spaces.Discrete):
            self._first, parameters = int(action_space.start), int(action_space.n)
            width = 1
        elif isinstance(action_space, gymnasium.spaces.Box) and len(action_space.shape) == 1:
            self._first, parameters = 0, 2 * action_space.shape[0]
            width = action_space.shape[0]
        else:
            raise AgentRefused(f"linearAC needs a vector or a discrete action, not {action_space}")
        # in the average-reward form values are differential: nothing is discounted
        gammas = np.array([1.0 if one.avg_reward_lr > 0 else gamma for one in settings])
        names = ("critic_lr", "actor_lr", "avg_reward_lr", "average_reward", "log_clip")
        super().__init__(
            "linearAC",
            settings,
            observation_space,
            functions=1 + parameters,
            gammas=gammas,
            fields=[*((name, "f8") for name in names), ("temperature", "f8"), ("scaled", "?")],
            law=uniform if self._discrete else normal,
            width=width,
            rngs=rngs,
            device=device,
            steps=steps,
        )
        for name in ("avg_reward_lr", "temperature", "scaled"):
            self.records[name] = [getattr(one, name) for one in settings]
        for name in ("critic_lr", "actor_lr"):
            self.records[name] = [getattr(one, name) / self.tiles.active for one in settings]
        self.records["log_clip"] = [
            math.log(one.clip_stddev) if one.clip_stddev > 0 else math.inf for one in settings
        ]
        # the policy's parameters where each member acted last
        self.policy: np.ndarray = np.full(
            (len(settings), parameters), 1 / parameters if self._discrete else 1.0
        )
        if not self._discrete:
            self.policy[:, :width] = 0.0
        self._width = width

        # `_sample`, `_best` and `_observe`, and their further arguments
        self._do_sample, self._do_best = self._form(_sample), self._form(_best)
        self._do_observe = self._form(_observe)
        tiles, memory = (self.tiles.bounds, self.tiles.layout), self.memory
        common = (self._discrete, self._first, self.policy)
        self._for_sample = (
            self._features,
            memory.weights,
            self.records,
            *common,
            *self._draws.arrays,
        )
        self._for_best = (
            *tiles,
            memory.weights,
            self.records,
            *common,
            *self._evaluation_draws.arrays,
        )
        self._for_observe = (*tiles, self._features, *memory.arrays, self.records, *common)

    def _sample(self, slots: np.ndarray) -> BySlot:
        actions = np.zeros((len(self._all), self._width))
        self._do_sample(slots, actions, *self._for_sample)
        return self._as_of_space(actions)

    def _best(self, slots: np.ndarray, observations: np.ndarray) -> BySlot:
        actions = np.zeros((len(self._all), self._width))
        self._do_best(slots, actions, observations, *self._for_best)
        return self._as_of_space(actions)

    def _as_of_space(self, actions: np.ndarray) -> np.ndarray:
        return actions[:, 0].astype(np.int64) if self._discrete else actions

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

    def state_dict(self, slot: int) -> dict[str, Any]:
        return super().state_dict(slot) | {"policy": self.policy[slot].copy()}

    def load_state_dict(self, slot: int, state: dict[str, Any]) -> None:
        super().load_state_dict(slot, state)
        self.policy[slot] = state["policy"]

    def metrics(self, slot: int) -> dict[str, float]:
        average_reward = float(self.records["average_reward"][slot])
        if self._discrete:
            p = self.policy[slot][self.policy[slot] > 0]
            return {"average_reward": average_reward, "entropy": float(-(p * np.log(p)).sum())}
        stddev = self.policy[slot, self._width :]
        return {"average_reward": average_reward, "stddev": float(stddev.mean())}

    def learned_params(self, slot: int) -> dict[str, np.ndarray]:
        weights, traces = self.memory.weights[slot], self.memory.dense_traces(slot)
        return {
            "critic_weights": weights[:, _CRITIC],
            "actor_weights": weights[:, 1:],
            "critic_trace": traces[:, _CRITIC],
            "actor_trace": traces[:, 1:],
            "average_reward": np.array(self.records["average_reward"][slot]),
        }


@kernel
def _sample(
    slots: np.ndarray,
    actions: np.ndarray,
    features: np.ndarray,
    weights: np.ndarray,
    records: np.ndarray,
    discrete: bool,
    first_action: int,
    policy: np.ndarray,
    draws: np.ndarray,
    used: np.ndarray,
) -> None:
    """Writes a ~ π(·|s) into `actions` [M, A], and what it was drawn from into `policy`."""
    A = actions.shape[1]
    for m in slots:
        features[m, 0] = features[m, 1]
        one, here, numbers = records[m], features[m, 0], draws[m, used[m]]
        used[m] += 1
        if discrete:
            softmax(weights[m], here, one.temperature, policy[m])
            actions[m, 0] = first_action + inverse_cumulative(policy[m], numbers[0])
        else:
            gaussian(weights[m], here, one.log_clip, policy[m])
            for d in range(A):
                actions[m, d] = policy[m, d] + policy[m, A + d] * numbers[d]


@kernel
def _best(
    slots: np.ndarray,
    actions: np.ndarray,
    observations: np.ndarray,
    bounds: np.ndarray,
    layout: np.ndarray,
    weights: np.ndarray,
    records: np.ndarray,
    discrete: bool,
    first_action: int,
    policy: np.ndarray,
    draws: np.ndarray,
    used: np.ndarray,
) -> None:
    """Writes the most likely action into `actions` [M, A]."""
    A = actions.shape[1]
    parameters = policy.shape[1]
    active, there = np.zeros(layout[0] + 1, dtype=np.int64), np.zeros(parameters)
    for m in slots:
        activate(observations[m], bounds, layout, active)
        u = draws[m, used[m], 0]
        used[m] += 1
        if discrete:
            actions[m, 0] = first_action + greedy(weights[m], 1, parameters, active, u)
        else:
            gaussian(weights[m], active, records[m].log_clip, there)
            actions[m] = there[:A]


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
    discrete: bool,
    first_action: int,
    policy: np.ndarray,
) -> bool:
    """One step of learning from s' = `observations`; see `LinearGroup._learn`."""
    finite = True
    functions = weights.shape[2]
    gradient, step = np.ones(functions), np.zeros(functions)
    for m in slots:
        one, here, there = records[m], features[m, 0], features[m, 1]
        activate(observations[m], bounds, layout, there)
        future = 0.0
        if not terminated[m]:
            future = one.gamma * value(weights[m], _CRITIC, there)
        error = rewards[m] - one.average_reward + future - value(weights[m], _CRITIC, here)
        records[m].td_error = error
        if not math.isfinite(error):
            finite = False
            continue
        records[m].average_reward += one.avg_reward_lr * error
        step[_CRITIC] = one.critic_lr * error
        size_of_step = one.actor_lr * error
        if discrete:
            action = int(actions[m, 0]) - first_action
            softmax_direction(action, policy[m], one.temperature, size_of_step, gradient, step)
        else:
            gaussian_direction(actions[m], policy[m], size_of_step, one.scaled, gradient, step)
        learn(m, weights, traces, live, row, width, records, here, gradient, step)
        if (terminated[m] or truncated[m]) and one.clears_traces:
            forget(m, live, row, records)
    return finite
