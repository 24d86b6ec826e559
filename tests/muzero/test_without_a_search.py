"""A policy that no search improves: it acts itself, and learns what went well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from batches import small
from gymnasium.spaces import Box, Discrete
from hypothesis import given
from hypothesis import strategies as st
from q_runs import ACTIONS, INPUTS, MODES, decisions_for, driver_of, seen, short

from agents.muzero.actions import DiscreteActions
from agents.muzero.advantages import MOST, weights
from agents.muzero.building import build_learner
from agents.muzero.observations import Observations


@pytest.mark.parametrize("search", ["puct", "gumbel"])
def test_the_policy_acts_in_training_and_its_mode_in_evaluation(search: str) -> None:
    settings = small(num_simulations=0, search=search)
    learner = build_learner(
        settings,
        Observations(Box(-1, 1, (INPUTS,))),
        DiscreteActions(Discrete(ACTIONS)),
        np.random.default_rng(0),
        "cpu",
        4096,
    )
    values: Any = learner.values  # type: ignore[attr-defined]
    values += 0.5 * np.random.default_rng(1).normal(size=len(values))
    learner.online.refresh()
    observations = np.repeat(seen(1), 4000, axis=0)
    logits = learner.online.roots(observations[:1])[1][0].astype(float)
    policy = np.exp(logits - logits.max())
    policy /= policy.sum()
    decisions, rng = decisions_for(settings), np.random.default_rng(2)
    advice = decisions.explore(learner.online, observations, observations, None, 0.1, rng)
    shares = np.bincount(advice.actions, minlength=ACTIONS) / 4000
    # within 5 deviations
    assert shares == pytest.approx(policy, abs=5 * 0.5 / np.sqrt(4000))
    assert advice.policies.tolist() == np.eye(ACTIONS)[advice.actions].tolist()
    done = decisions.greedy(learner.online, observations[:50], None, rng)
    assert set(done.tolist()) == {policy.argmax()}
    legal = np.ones((50, ACTIONS), bool)
    legal[:, policy.argmax()] = False
    done = decisions.explore(learner.online, seen(50), observations[:50], legal, 1.0, rng).actions
    assert policy.argmax() not in done


def test_a_search_in_evaluation_alone_is_one() -> None:
    settings = small(num_simulations=0, eval_simulations=5)
    learner = build_learner(
        settings,
        Observations(Box(-1, 1, (INPUTS,))),
        DiscreteActions(Discrete(ACTIONS)),
        np.random.default_rng(0),
        "cpu",
        8,
    )
    decisions, rng = decisions_for(settings), np.random.default_rng(0)
    visits = [
        decisions.search(learner.online, seen(2), None, rng, explore=explore)[0].visits.sum()
        for explore in (True, False)
    ]
    assert visits == [0, 10]


@given(seed=st.integers(0, 99), scale=st.floats(0.01, 100), temperature=st.floats(0.1, 10))
def test_weights_depend_on_advantages_in_their_own_deviations(
    seed: int, scale: float, temperature: float
) -> None:
    rng = np.random.default_rng(seed)
    z, v = rng.normal(size=(2, 6, 3)).astype(np.float32)
    mask = (rng.random((6, 3)) < 0.8).astype(np.float32)
    mask[0] = 1
    found = weights(z, v, mask, temperature)
    deviations = (z - v) / (z - v)[mask > 0].std() / temperature
    assert found == pytest.approx(np.exp(np.minimum(deviations, np.log(MOST))), rel=1e-3)
    scaled = weights(np.float32(scale) * z, np.float32(scale) * v, mask, temperature)
    assert scaled == pytest.approx(found, rel=1e-2)


def test_where_everything_is_as_expected_every_action_counts_once() -> None:
    z = np.ones((4, 2), np.float32)
    assert (weights(z, z, np.ones_like(z), 1.0) == 1).all()
    assert np.isfinite(weights(z, z, np.zeros_like(z), 1.0)).all()


def test_a_batch_is_learned_by_how_its_actions_went() -> None:
    mode = MODES["a policy without a search"]
    driver = driver_of(short(mode, eval_episodes=0))
    driver.advance(150, lambda: False)
    training = driver.training
    batch = training.replay.sample(8, np.random.default_rng(0), horizon=5)
    values = training._values(batch)
    known = batch.targets.policy_mask > 0
    assert set(batch.policies[known].sum(axis=1).tolist()) == {1.0}
    observations = training.replay.rows("observations", batch.targets.rows.reshape(-1))
    expected = weights(
        values,
        training.learner.target.values(observations).reshape(values.shape).copy(),
        batch.targets.policy_mask,
        1.0,
    )
    counted = training._weighed(batch, values).policies.sum(axis=2)
    assert counted == pytest.approx(np.where(known, expected, 0.0), rel=1e-4)
    assert counted[known].std() > 0.1


def test_searching_again_leaves_what_was_done() -> None:
    mode = MODES["a policy without a search"]
    driver = driver_of(short(mode, eval_episodes=0))
    driver.advance(90, lambda: False)
    arrays = driver.training.replay.arrays
    before = arrays["policies"].copy(), arrays["values"].copy()
    driver.training.learner.renew_target()
    driver.training.reanalyse(8)
    assert np.array_equal(arrays["policies"], before[0])
    assert not np.array_equal(arrays["values"], before[1])
