"""The linear agents do what their equations say, a step at a time."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pytest

from agents.base import AgentRefused, Transition
from agents.linear.actor_critic import LinearActorCritic
from agents.linear.expected_sarsa import ExpectedSarsa
from agents.linear.features import activate
from agents.linear.kernels import compiled
from agents.linear.learner import LinearGroup
from agents.linear.settings import ExpectedSarsaSettings, LinearACSettings
from agents.linear.traces import FIELDS, TracedWeights, forget, learn

BOX = gymnasium.spaces.Box(-1, 1, (2,), dtype=np.float64)
ONE_TORQUE = gymnasium.spaces.Box(-2, 2, (1,), dtype=np.float32)
S0, S1, S2 = np.array([-0.8, -0.8]), np.array([0.1, 0.1]), np.array([0.8, 0.8])


class One:
    """A group of one member, seen as that member."""

    def __init__(self, group: LinearGroup) -> None:
        self.group = group
        self.weights = group.memory.weights[0]

    def act(self, observation: np.ndarray, *, explore: bool) -> Any:
        return self.group.act([observation], [0], explore=explore)[0]

    def observe(self, transition: Transition) -> None:
        observation, action, reward, successor, terminated, truncated = transition
        self.group.observe(
            [observation], [action], [reward], [successor], [terminated], [truncated], [0]
        )

    def number(self, name: str) -> float:
        return float(self.group.records[name][0])

    def value_at(self, observation: np.ndarray, function: int = 0) -> float:
        return float(self.weights[self.active(observation), function].sum())

    def active(self, observation: np.ndarray) -> np.ndarray:
        tiles = self.group.tiles
        out = np.zeros(tiles.active, dtype=np.int64)
        compiled(activate)(observation, tiles.bounds, tiles.layout, out)
        return out


def actor_critic(
    action_space: gymnasium.Space[Any] = ONE_TORQUE, gamma: float = 0.9, **settings: Any
) -> One:
    chosen = LinearACSettings(**({"tilings": 3, "bins": 4} | settings))
    rngs = [np.random.default_rng(1)]
    return One(LinearActorCritic([chosen], BOX, action_space, gamma=gamma, rngs=rngs, device="cpu"))


def expected_sarsa(**settings: Any) -> One:
    chosen = ExpectedSarsaSettings(**({"tilings": 3, "bins": 4} | settings))
    space, rngs = gymnasium.spaces.Discrete(3), [np.random.default_rng(1)]
    return One(ExpectedSarsa([chosen], BOX, space, gamma=0.9, rngs=rngs, device="cpu"))


def policy(agent: One) -> np.ndarray:
    """[μ, σ] of the Gaussian that the agent drew from last."""
    assert isinstance(agent.group, LinearActorCritic)
    parameters: np.ndarray = agent.group.policy[0]
    return parameters


def test_the_first_step_by_hand() -> None:
    """All weights 0: μ = 0, σ = 1, δ = r. 3 tilings and the bias: 4 active features."""
    agent = actor_critic(critic_lr=0.4, actor_lr=0.8, avg_reward_lr=0.5)
    action = float(agent.act(S0, explore=True)[0])
    agent.observe(Transition(S0, np.array([action]), 2.0, S1, False, False))
    assert agent.number("average_reward") == 0.5 * 2.0
    assert agent.value_at(S0) == pytest.approx(4 * (0.4 / 4) * 2.0)
    assert agent.value_at(S0, 1) == pytest.approx(0.8 * 2.0 * action)
    assert agent.value_at(S0, 2) == pytest.approx(0.8 * 2.0 * (action**2 - 1))


def test_two_steps_by_hand_with_traces() -> None:
    lam, critic, actor, eta = 0.5, 0.4, 0.2, 0.1
    agent = actor_critic(decay=lam, critic_lr=critic, actor_lr=actor, avg_reward_lr=eta)
    K = 4
    a0 = float(agent.act(S0, explore=True)[0])
    agent.observe(Transition(S0, np.array([a0]), 1.0, S1, False, False))
    # S0 and S1 share nothing but the bias
    v_bias = v_0 = critic / K * 1.0
    u_bias = actor / K * a0
    s_bias = actor / K * (a0**2 - 1)
    mean, stddev = u_bias, math.exp(s_bias)
    a1 = float(agent.act(S1, explore=True)[0])
    np.testing.assert_allclose(policy(agent), [mean, stddev])
    agent.observe(Transition(S1, np.array([a1]), 3.0, S2, False, False))
    delta = 3.0 - eta * 1.0 + v_bias - v_bias  # both S1 and S2 have only the bias so far
    assert agent.number("average_reward") == pytest.approx(eta * 1.0 + eta * delta)
    v_0 += critic / K * delta * lam
    v_bias += critic / K * delta * (1 + lam)
    assert agent.value_at(S0) == pytest.approx(v_bias + 3 * v_0)
    gradient_mean = (a1 - mean) / stddev**2
    u_bias_new = u_bias + actor / K * delta * (gradient_mean + lam * a0)
    u_0 = actor / K * a0 + actor / K * delta * lam * a0
    assert agent.value_at(S0, 1) == pytest.approx(u_bias_new + 3 * u_0)


def test_scaled_multiplies_the_actor_step_by_the_variance() -> None:
    for scaled in (False, True):
        agent = actor_critic(actor_lr=0.4, critic_lr=0.0, decay=0.0, scaled=scaled, gamma=0.0)
        agent.weights[0, 2] = math.log(2.0)  # σ = 2 everywhere
        action = float(agent.act(S0, explore=True)[0])
        agent.observe(Transition(S0, np.array([action]), 1.0, S1, False, False))
        variance = 4.0
        expected = 0.4 * (variance if scaled else 1.0) * action / variance
        assert agent.value_at(S0, 1) == pytest.approx(expected)


def test_clip_stddev_bounds_sigma_on_both_sides() -> None:
    agent = actor_critic(clip_stddev=10.0)
    for weight, bound in ((99.0, 10.0), (-99.0, 0.1)):
        agent.weights[0, 2] = weight
        agent.act(S0, explore=True)
        np.testing.assert_allclose(policy(agent)[1], bound)


def test_the_average_reward_form_does_not_discount_and_the_other_does() -> None:
    for eta, gamma_used in ((0.1, 1.0), (0.0, 0.9)):
        agent = actor_critic(avg_reward_lr=eta, gamma=0.9)
        agent.weights[0, 0] = 1.0
        agent.act(S0, explore=True)
        agent.observe(Transition(S0, np.zeros(1), 0.0, S1, False, False))
        assert agent.number("td_error") == pytest.approx(gamma_used - 1.0)


def test_truncation_bootstraps_and_termination_does_not() -> None:
    def error(terminated: bool) -> float:
        agent = actor_critic(critic_lr=1.0, decay=0.0)
        agent.weights[0, 0] = 1.0
        agent.act(S0, explore=True)
        before = agent.value_at(S0)
        agent.observe(Transition(S0, np.array([0.0]), 0.0, S1, terminated, not terminated))
        return agent.value_at(S0) - before

    assert error(terminated=False) == pytest.approx(0.9 - 1.0)
    assert error(terminated=True) == pytest.approx(-1.0)


def test_traces_end_with_the_episode_unless_they_accumulate() -> None:
    for accumulate in (False, True):
        agent = actor_critic(accumulate_trace=accumulate)
        action = agent.act(S0, explore=True)
        agent.observe(Transition(S0, action, 1.0, S1, False, True))
        assert bool(agent.group.memory.dense_traces(0).any()) is accumulate


def test_softmax_gradient_has_the_temperature() -> None:
    agent = actor_critic(
        gymnasium.spaces.Discrete(3), actor_lr=0.4, critic_lr=0.0, decay=0.0, temperature=2.0
    )
    action = agent.act(S0, explore=True)
    agent.observe(Transition(S0, action, 1.0, S1, False, False))
    for b in range(3):
        expected = 0.4 * ((b == action) - 1 / 3) / 2.0
        assert agent.value_at(S0, 1 + b) == pytest.approx(expected)


def test_softmax_samples_with_its_probabilities() -> None:
    agent = actor_critic(gymnasium.spaces.Discrete(3))
    agent.weights[0, 1:] = [math.log(0.2), math.log(0.5), math.log(0.3)]
    counts = np.bincount([agent.act(S0, explore=True) for _ in range(20_000)], minlength=3)
    np.testing.assert_allclose(counts / 20_000, [0.2, 0.5, 0.3], atol=0.015)


def test_evaluation_takes_the_mean_or_the_best_action_and_changes_nothing() -> None:
    for space in (ONE_TORQUE, gymnasium.spaces.Discrete(3)):
        agent = actor_critic(space)
        for observation in (S0, S1, S2):
            action = agent.act(observation, explore=True)
            agent.observe(Transition(observation, action, 1.0, S1, False, False))
        agent.group.begin_evaluation(0, np.random.default_rng(5))
        before = repr(agent.group.state_dict(0))
        agent.act(S0, explore=False)
        assert repr(agent.group.state_dict(0)) == before


def test_expected_sarsa_by_hand() -> None:
    agent = expected_sarsa(lr=0.4, epsilon=0.3, decay=0.5)
    agent.weights[0] = [1.0, 4.0, 2.0]  # the bias: the same values everywhere
    action = agent.act(S0, explore=True)
    agent.observe(Transition(S0, action, 1.0, S1, False, False))
    expected = 0.7 * 4.0 + 0.3 * (1.0 + 4.0 + 2.0) / 3
    delta = 1.0 + 0.9 * expected - [1.0, 4.0, 2.0][action]
    after = agent.weights[agent.active(S0)].sum(axis=0)
    change = after - np.array([1.0, 4.0, 2.0])
    np.testing.assert_allclose(change, [0.4 * delta * (b == action) for b in range(3)], atol=1e-12)


def test_expected_sarsa_decays_epsilon_to_its_minimum() -> None:
    agent = expected_sarsa(epsilon=1.0, epsilon_decay=0.5, epsilon_min=0.2)
    for expected in (0.5, 0.25, 0.2, 0.2):
        action = agent.act(S0, explore=True)
        agent.observe(Transition(S0, action, 0.0, S1, False, False))
        assert agent.group.metrics(0)["epsilon"] == expected


class Traced:
    """Weights and traces of one member."""

    def __init__(self, features: int, active: int, functions: int, decay: float) -> None:
        self.records = np.zeros(1, dtype=list(FIELDS))
        self.memory = TracedWeights(features, active, functions, np.array([decay]), self.records)

    def learn(self, active: np.ndarray, gradient: np.ndarray, step: np.ndarray) -> None:
        compiled(learn)(0, *self.memory.arrays, self.records, active, gradient, step)


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9, 0.99, 1.0])
def test_sparse_traces_equal_dense_ones(decay: float) -> None:
    rng = np.random.default_rng(0)
    sparse = Traced(50, 4, 2, decay)
    weights, traces = np.zeros((50, 2)), np.zeros((50, 2))
    for t in range(400):
        active = rng.integers(0, 50, 4)
        gradient, step = rng.normal(size=2), rng.normal(size=2)
        sparse.learn(active, gradient, step)
        traces *= decay
        np.add.at(traces, active, gradient)
        weights += step * traces
        if t % 150 == 149:
            compiled(forget)(0, sparse.memory.live, sparse.memory.row, sparse.records)
            traces[:] = 0
    np.testing.assert_allclose(sparse.memory.weights[0], weights, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(sparse.memory.dense_traces(0), traces, rtol=1e-10, atol=1e-9)


def test_the_cost_of_a_step_does_not_grow_with_the_table() -> None:
    sparse = Traced(2**20, 17, 3, 0.5)
    rng = np.random.default_rng(0)
    for _ in range(1000):
        sparse.learn(rng.integers(0, 2**20, 17), np.ones(3), np.ones(3))
    horizon = sparse.records["horizon"][0]
    assert horizon == 40
    assert 17 * horizon - 100 < sparse.records["count"][0] <= 17 * horizon
    assert sparse.memory.traces.shape == (1, 17 * (horizon + 1), 3)


def test_a_diverging_critic_is_named_and_learns_no_more() -> None:
    agent = actor_critic(critic_lr=1e200)
    steps = 0
    while not agent.group.diverged:
        before = agent.weights.copy()
        action = agent.act(S0, explore=True)
        agent.observe(Transition(S0, action, 1e200, S1, False, False))
        steps += 1
        assert steps < 100
    assert agent.group.diverged == {0: "the TD error"}
    np.testing.assert_array_equal(agent.weights, before)


def test_a_loaded_member_acts_on_what_it_sees_not_on_what_the_slot_saw() -> None:
    one, other = actor_critic().group, actor_critic().group
    successors = [S1]
    for agent, seen in ((one, successors), (other, [S2])):
        actions = agent.act([S0], [0], explore=True)
        agent.observe([S0], actions, [1.0], seen, [False], [False], [0])
    other._features[:] = 0
    one.load_state_dict(0, other.state_dict(0))
    one._features[:] = 0  # as if another member had been there
    assert one.act(successors, [0], explore=True) == other.act([S1], [0], explore=True)


def test_ties_are_broken_evenly_by_the_evaluations_own_numbers() -> None:
    for agent in (expected_sarsa(), actor_critic(gymnasium.spaces.Discrete(3))):
        counts = []
        for seed in (5, 5, 6):
            agent.group.begin_evaluation(0, np.random.default_rng(seed))
            chosen = [agent.act(S0, explore=False) for _ in range(3000)]
            counts.append(np.bincount(chosen, minlength=3).tolist())
        assert counts[0] == counts[1] != counts[2]
        np.testing.assert_allclose(counts, 1000, atol=120)


def test_members_that_train_together_have_one_shape() -> None:
    settings = [LinearACSettings(tilings=2), LinearACSettings(tilings=4)]
    rngs = [np.random.default_rng(seed) for seed in range(2)]
    with pytest.raises(AgentRefused, match="need one tilings"):
        LinearActorCritic(settings, BOX, ONE_TORQUE, gamma=1.0, rngs=rngs, device="cpu")


def test_what_an_agent_cannot_do_is_refused() -> None:
    with pytest.raises(AgentRefused, match="CPU only"):
        LinearActorCritic(
            [LinearACSettings()],
            BOX,
            ONE_TORQUE,
            gamma=1.0,
            rngs=[np.random.default_rng(0)],
            device="cuda",
        )
    with pytest.raises(AgentRefused, match="discrete actions"):
        ExpectedSarsa(
            [ExpectedSarsaSettings()],
            BOX,
            ONE_TORQUE,
            gamma=1.0,
            rngs=[np.random.default_rng(0)],
            device="cpu",
        )
