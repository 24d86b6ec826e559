"""Agents with networks go on to the bit, replay included, in every kind of simulator."""

from __future__ import annotations

from typing import Any

import pytest
from left_runs import train
from sweep_runs import build

SMALL: dict[str, Any] = {"batch_size": 8, "hidden_dim": 12, "steps_before_learning": 30}
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "SAC, MuJoCo": ("SAC", "InvertedPendulum-v5", {"automatic_entropy_tuning": True}),
    "SAC, Box2D": ("SAC", "LunarLanderContinuous-v3", {}),
    "SAC, a mixture": ("SAC", "Pendulum-v1", {"policy_type": "GaussianMixture"}),
    "SACDiscrete, Box2D": ("SACDiscrete", "LunarLander-v3", {}),
    "SACDiscrete, pictures": ("SACDiscrete", "MinAtar/Breakout-v1", {"encoder": "minatar"}),
    "VAC": ("VAC", "MountainCarContinuous-v0", {"num_samples": 4}),
    "VACDiscrete": ("VACDiscrete", "sweep/MountainCarDiscrete-v1", {}),
    "GreedyAC": ("GreedyAC", "Reacher-v5", {"n_rho": [6, 0.4], "policy_type": "Gaussian"}),
    "GreedyACDiscrete": ("GreedyACDiscrete", "Acrobot-v1", {}),
    "FKL": ("FKL", "sweep/AcrobotContinuous-v1", {"num_samples": 5}),
    "TD3, MuJoCo": ("TD3", "Hopper-v5", {"uniform_exploration_steps": 20}),
    "DQN": ("DQN", "CartPole-v1", {"epsilon_steps": 100, "replay_capacity": 60}),
}


@pytest.mark.parametrize("case", CASES)
def test_left_and_taken_up_it_ends_the_same(case: str) -> None:
    agent, env_name, parameters = CASES[case]
    experiment = build(
        {"agent_name": agent, "parameters": SMALL | parameters},
        env_name=env_name,
        total_timesteps=150,
        steps_per_episode=40,
        eval_interval_timesteps=60,
        eval_episodes=1,
    )
    names = ("train_states", "train_actions", "update_states", "update_actions", "learned_params")
    undisturbed = train(experiment, 0, [], names)
    assert train(experiment, 0, [3, 31, 64, 65, 101], names) == undisturbed
