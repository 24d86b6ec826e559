"""Soft actor-critic learns to swing the pendulum up, as quickly as its authors' runs did."""

from __future__ import annotations

import numpy as np
import pytest
from members import agent_of

import envs
from agents.neural.settings import NeuralSettings
from agents.soft_actor_critic.settings import SACDiscreteSettings, SACSettings


def training_returns(
    settings: NeuralSettings, env_name: str, seeds: int, episodes: int
) -> np.ndarray:
    """Returns [seeds, episodes] of 200-step episodes; gamma 0.99."""
    worlds = [
        envs.make(
            envs.EnvironmentSettings(
                env_name=env_name, total_timesteps=10**6, steps_per_episode=200, eval_episodes=0
            )
        )
        for _ in range(seeds)
    ]
    agent = agent_of(settings)(
        [settings] * seeds,
        worlds[0].observation_space,
        worlds[0].action_space,
        gamma=0.99,
        rngs=[np.random.default_rng(seed) for seed in range(seeds)],
    )
    returns = np.zeros((seeds, episodes))
    for episode in range(episodes):
        seed_now = [seed if episode == 0 else None for seed in range(seeds)]
        states = np.stack([w.reset(seed=s)[0] for w, s in zip(worlds, seed_now, strict=True)])
        over = False
        while not over:
            actions = agent.act(states, agent.live, explore=True)
            steps = [world.step(action) for world, action in zip(worlds, actions, strict=True)]
            following, rewards, terminated, truncated = (
                np.stack(column) for column in list(zip(*steps, strict=True))[:4]
            )
            agent.observe(states, actions, rewards, following, terminated, truncated, agent.live)
            returns[:, episode] += rewards
            states, over = following, bool((terminated | truncated).any())
    assert not agent.diverged
    return returns


@pytest.mark.slow
def test_continuous_actions() -> None:
    settings = SACSettings(
        alpha=0.1, critic_lr=1e-2, actor_lr_scale=0.1, steps_before_learning=1000
    )
    returns = training_returns(settings, "sweep/PendulumContinuous-v1", seeds=10, episodes=60)
    blocks = returns.reshape(10, 6, 10).mean((0, 2))
    print(blocks)
    # published mean training returns of episodes 0-9, 20-29 and 50-59: -164, 56 and 117
    assert blocks[0] < -100
    assert blocks[2] > 20
    assert blocks[5] > 100


@pytest.mark.slow
@pytest.mark.parametrize("reparameterized", [True, False])
def test_tuned_temperature_and_likelihood(reparameterized: bool) -> None:
    settings = SACSettings(
        automatic_entropy_tuning=reparameterized,
        alpha=0.1,
        critic_lr=1e-2,
        actor_lr_scale=0.1,
        reparameterized=reparameterized,
        num_samples=1 if reparameterized else 4,
        baseline_actions=0 if reparameterized else 4,
    )
    returns = training_returns(settings, "sweep/PendulumContinuous-v1", seeds=4, episodes=50)
    print(returns.reshape(4, 5, 10).mean((0, 2)))
    assert returns[:, -10:].mean() > 60


@pytest.mark.slow
def test_discrete_actions() -> None:
    settings = SACDiscreteSettings(alpha=0.1, critic_lr=3e-3)
    returns = training_returns(settings, "sweep/PendulumDiscrete-v1", seeds=4, episodes=50)
    print(returns.reshape(4, 5, 10).mean((0, 2)))
    assert returns[:, -10:].mean() > 60
