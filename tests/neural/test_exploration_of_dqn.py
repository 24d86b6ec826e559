"""DQN: how ε falls, and whose random numbers explore."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from members import World, batch

from agents.dqn.settings import DQNSettings


def test_epsilon_falls_in_a_straight_line_and_stays() -> None:
    """Each member's its own."""
    settings = [
        DQNSettings(epsilon=1.0, epsilon_min=0.1, epsilon_steps=90),
        DQNSettings(epsilon=0.5, epsilon_min=0.5, epsilon_steps=10),
        DQNSettings(epsilon=0.8, epsilon_min=0.0, epsilon_steps=40),
    ]
    learner: Any = batch(settings, [0, 1, 2], dtype=torch.float64)._learner
    for steps, expected in [
        (0, [1.0, 0.5, 0.8]),
        (1, [0.99, 0.5, 0.78]),
        (30, [0.7, 0.5, 0.2]),
        (40, [0.6, 0.5, 0.0]),
        (90, [0.1, 0.5, 0.0]),
        (10**6, [0.1, 0.5, 0.0]),
    ]:
        learner.steps = steps
        assert learner.epsilon()[:, 0].tolist() == pytest.approx(expected)


def test_random_actions_have_the_probability_epsilon() -> None:
    """And are uniform: a third of them is the greedy one."""
    steps, epsilons = 6000, [0.0, 0.3, 1.0]
    agent = batch([DQNSettings(epsilon=e, epsilon_min=e) for e in epsilons], [0, 1, 2])
    states = World([0, 1, 2]).states
    greedy = agent.act(states, [0, 1, 2], explore=False)
    taken = np.stack([agent.act(states, [0, 1, 2], explore=True) for _ in range(steps)])
    for m, epsilon in enumerate(epsilons):
        shares = np.bincount(taken[:, m] - 1, minlength=3) / steps
        expected = np.full(3, epsilon / 3)
        expected[greedy[m] - 1] += 1 - epsilon
        error = np.sqrt(expected * (1 - expected) / steps)
        assert (np.abs(shares - expected) <= 4.5 * error).all(), (shares, expected)


def test_exploration_is_of_the_members_own_stream() -> None:
    settings = DQNSettings(epsilon=0.5, epsilon_min=0.5)
    states = World([0, 1]).states

    def actions(*seeds: int) -> np.ndarray:
        agent = batch([settings] * 2, seeds)
        return np.stack([agent.act(states, [0, 1], explore=True) for _ in range(200)])

    one, other = actions(3, 4), actions(5, 4)
    assert (one[:, 1] == other[:, 1]).all()
    assert (one[:, 0] != other[:, 0]).any()


def test_evaluation_draws_nothing() -> None:
    settings = [DQNSettings(epsilon=0.5, epsilon_min=0.5)]
    plain, evaluated = batch(settings, [3]), batch(settings, [3])
    states = World([0]).states
    for _ in range(100):
        evaluated.act(states, [0], explore=False)
        assert plain.act(states, [0], explore=True) == evaluated.act(states, [0], explore=True)


def test_uniform_exploration_comes_before() -> None:
    settings = DQNSettings(epsilon=0.0, epsilon_min=0.0, uniform_exploration_steps=50)
    agent = batch([settings], [0])
    world = World([0])
    first = {int(a[0]) for a in world.run(agent, 50)}
    assert first == {1, 2, 3}
    states = world.states
    taken = {int(agent.act(states, [0], explore=True)[0]) for _ in range(20)}
    assert taken == {int(agent.act(states, [0], explore=False)[0])}
