"""Batches of members for the tests, and random experience to feed them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import torch

import agents
from agents.dqn.settings import DQNSettings
from agents.forward_kl.settings import FKLSettings
from agents.greedy_ac.settings import GreedyACDiscreteSettings, GreedyACSettings
from agents.neural.group import LearnerGroup
from agents.neural.policy_settings import SoftmaxSettings
from agents.neural.settings import NeuralSettings
from agents.soft_actor_critic.settings import SACDiscreteSettings, SACSettings
from agents.td3.settings import TD3Settings
from agents.vac.settings import VACDiscreteSettings, VACSettings

GAMMA = 0.97
OBSERVATIONS = gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32)
BOX = gymnasium.spaces.Box(np.array([-2, 0], np.float32), np.array([2, 1], np.float32))
CHOICE = gymnasium.spaces.Discrete(3, start=1)


def mixed(base: NeuralSettings, members: int) -> list[NeuralSettings]:
    """Settings that differ in everything that may differ."""
    rng = np.random.default_rng(17)
    settings = []
    for i in range(members):
        fields: dict[str, Any] = {name: getattr(base, name) for name in base.__struct_fields__}
        fields |= {
            "critic_lr": float(10 ** rng.uniform(-4, -2)),
            "actor_lr_scale": float(10 ** rng.uniform(-1, 1)),
            "alpha": float(10 ** rng.uniform(-2, 0)),
            "tau": float(rng.uniform(0.001, 0.5)),
            "betas": (float(rng.uniform(0.0, 0.95)), 0.999 if i % 2 else 0.9),
            "soft_q": i % 3 > 0,
            "exploration_noise": float(rng.uniform(0, 0.5)),
            "target_noise": float(rng.uniform(0, 0.5)),
            "epsilon_min": float(rng.uniform(0, 0.5)),
            "epsilon": 1 - 0.04 * i,
            "epsilon_steps": 100 + 50 * i,
            "target_noise_clip": 0.1 * (i + 1),
            "clip_stddev": (1000.0, -1.0, 3.0)[i % 3],
            "adam_eps": 10.0 ** -(4 + i % 5),
            "eta": 0.5 + 0.1 * i,
            "repulsive_coef": fields.get("repulsive_coef", 0) * (i % 3),
        }
        known = {name: fields[name] for name in base.__struct_fields__}
        settings.append(type(base)(**known))
    return settings


def batch(
    settings: Sequence[NeuralSettings],
    seeds: Sequence[int],
    *,
    observations: gymnasium.Space[Any] = OBSERVATIONS,
    actions: gymnasium.Space[Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> LearnerGroup:
    if actions is None:
        actions = CHOICE if isinstance(settings[0], (SoftmaxSettings, DQNSettings)) else BOX
    agent: LearnerGroup = agent_of(settings[0])(
        settings,
        observations,
        actions,
        gamma=GAMMA,
        rngs=[np.random.default_rng(seed) for seed in seeds],
        dtype=dtype,
    )
    return agent


def agent_of(settings: NeuralSettings) -> Any:
    """The class of the agent whose settings these are."""
    names = [n for n in agents.AGENTS if agents.settings_type(n) is type(settings)]
    return agents.agent_type(names[0])


class World:
    """A made-up problem for each member: its observations depend on its own actions and seed."""

    def __init__(self, seeds: Sequence[int], width: int = 3) -> None:
        self.rngs = [np.random.default_rng(1000 + seed) for seed in seeds]
        self.states = np.stack([rng.normal(size=width) for rng in self.rngs]).astype(np.float32)

    def run(self, agent: LearnerGroup, steps: int) -> list[np.ndarray]:
        """Interacts; returns the actions of every step."""
        history = []
        for _ in range(steps):
            actions = agent.act(self.states, agent.live or (0,), explore=True)
            history.append(actions)
            force = np.tanh(actions.reshape(len(actions), -1).sum(1)).astype(np.float32)
            shocks = [rng.normal(size=self.states.shape[1]) for rng in self.rngs]
            following = (0.9 * self.states + 0.3 * np.stack(shocks)).astype(np.float32)
            following += 0.2 * force[:, None]
            rewards = -(following**2).sum(1)
            terminated = following[:, 0] > 0.8
            truncated = np.zeros(len(actions), dtype=bool)
            agent.observe(
                self.states, actions, rewards, following, terminated, truncated, agent.live
            )
            self.states = following
        return history


def equal_states(one: Any, other: Any) -> bool:
    """Whether two nested states are the same to the bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal_states(one[k], other[k]) for k in one)
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(equal_states, one, other))
    if isinstance(one, np.ndarray):
        same: bool = one.shape == other.shape and one.tobytes() == other.tobytes()
        return same
    return bool(one == other) or (one != one and other != other)


VARIANTS: dict[str, NeuralSettings] = {
    "pathwise": SACSettings(),
    "tuned": SACSettings(automatic_entropy_tuning=True),
    "one critic, tanh, odd widths": SACSettings(
        double_q=False, hidden_dim=37, activation="tanh", batch_size=7
    ),
    "likelihood": SACSettings(reparameterized=False, num_samples=3, baseline_actions=5),
    "likelihood, one critic": SACSettings(
        reparam_baseline=(False, 0), double_q=False, uniform_exploration_steps=40
    ),
    "mixed": SACSettings(
        policy_type="GaussianMixture", reparam_baseline=("mixed", 3), batch_size=9
    ),
    "straight through, repulsive": SACSettings(
        policy_type="SquashedGaussianMixture", impl="straight_through", repulsive_coef=0.4
    ),
    "estimated entropy": SACSettings(
        policy_type="GaussianMixture", reparameterized=False, lmbda=0.3, batch_size=9
    ),
    "discrete": SACDiscreteSettings(),
    "discrete, tuned, one critic": SACDiscreteSettings(
        automatic_entropy_tuning=True, double_q=False, hidden_dim=19
    ),
    "VAC": VACSettings(num_samples=5),
    "VAC, no baseline": VACSettings(policy_type="Gaussian", num_samples=2, gradient_steps=2),
    "VACDiscrete": VACDiscreteSettings(),
    "GreedyAC": GreedyACSettings(policy_type="Gaussian"),
    "GreedyAC, squashed": GreedyACSettings(
        n_rho=(7, 0.3), entropy_from_single_sample=False, batch_size=9
    ),
    "GreedyACDiscrete": GreedyACDiscreteSettings(),
    "FKL": FKLSettings(num_samples=6),
    "TD3": TD3Settings(uniform_exploration_steps=40),
    "DQN": DQNSettings(update_interval=3, gradient_steps=2),
    "DQN, not double": DQNSettings(double_q=False, huber_loss=False, hidden_dim=19),
}
