"""Q-learning: what is done, what is learned, with a search and without, and as distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from batches import small, some_batch
from gymnasium.spaces import Box, Discrete
from left_runs import train
from numpy.typing import NDArray
from q_runs import (
    ACTIONS,
    C51,
    INPUTS,
    MODES,
    decisions_for,
    driver_of,
    learner_for,
    seen,
    short,
)

from agents.muzero.actions import DiscreteActions
from agents.muzero.building import build_learner
from agents.muzero.decisions import search_settings
from agents.muzero.interfaces import Learner
from agents.muzero.mirrored_inference import MirroredQInference
from agents.muzero.observations import Observations
from agents.muzero.q_targets import taken
from agents.muzero.replay import Field, Replay
from agents.muzero.targets import CUT, LAST, STEP, TERMINAL
from agents.muzero.torch_inference import TorchInference
from agents.muzero.torch_q_inference import QInference
from agents.muzero.torch_q_learner import QLearner

# -- what is done


@pytest.mark.parametrize("variant", [{}, C51])
def test_without_a_search_the_greatest_q_is_done(variant: dict[str, Any]) -> None:
    learner = learner_for(num_simulations=0, **variant)
    observations, rng = seen(7), np.random.default_rng(2)
    _, q, values = learner.online.roots(observations)
    assert values == pytest.approx(q.max(axis=1))
    assert len(set(q.argmax(axis=1))) > 1
    decisions = decisions_for(learner.settings)
    done = decisions.greedy(learner.online, observations, None, rng)
    assert done.tolist() == q.argmax(axis=1).tolist()
    advice = decisions.explore(learner.online, observations, observations, None, 1.0, rng)
    assert advice.actions.tolist() == q.argmax(axis=1).tolist()
    assert advice.values == pytest.approx(q.max(axis=1))
    assert advice.policies.tolist() == np.eye(ACTIONS)[advice.actions].tolist()


@pytest.mark.parametrize("simulations", [0, 3])
def test_actions_are_random_as_often_as_epsilon_says_and_always_legal(simulations: int) -> None:
    learner = learner_for(num_simulations=simulations)
    observations, rng = np.repeat(seen(1), 8, axis=0), np.random.default_rng(3)
    decisions = decisions_for(learner.settings)
    legal = np.ones((8, ACTIONS), bool)
    legal[:, 0] = False

    def counts(epsilon: float) -> NDArray[np.int64]:
        done = [
            decisions.greedy(learner.online, observations, legal, rng, epsilon) for _ in range(250)
        ]
        return np.bincount(np.concatenate(done), minlength=ACTIONS)

    assert sorted(counts(0.0)) == [0, 0, 2000]
    usual = int(counts(0.0).argmax())
    strayed = counts(0.5)
    assert strayed[0] == 0
    # half of the random ones are the other legal action: 500 of 2000, within 5 deviations
    assert 2000 - strayed[usual] == pytest.approx(500, abs=100)


def test_a_search_without_a_policy_has_noise_only_where_it_is_asked_for() -> None:
    observations = seen(6)
    found = {}
    for q_dirichlet in (False, True):
        learner = learner_for(
            num_simulations=4,
            q_dirichlet=q_dirichlet,
            dirichlet_fraction=0.9,
            q_normalisation="none",
        )
        decisions = decisions_for(learner.settings)
        found[q_dirichlet] = [
            decisions.search(learner.online, observations, None, np.random.default_rng(seed))[0].q
            for seed in (0, 1)
        ]
    assert np.array_equal(found[False][0], found[False][1])
    assert not np.array_equal(found[True][0], found[True][1])


def test_the_processors_model_is_the_networks() -> None:
    """The copy that fused searches read, and torch itself, find the same after each update."""
    learner = learner_for()
    settings = learner.settings
    observations, batch, values = some_batch(
        np.random.default_rng(5), settings, inputs=INPUTS, actions=ACTIONS
    )
    learner.update(observations, batch, values, 0.01)
    learner.online.refresh()
    compiled = learner.online
    assert isinstance(compiled, MirroredQInference)
    by_torch = QInference(
        compiled.network, torch.from_numpy, learner._values_of, learner._rewards_of
    )
    latents, q, found = compiled.roots(observations[0])
    numbers, its_q, its_found = by_torch.roots(observations[0])
    assert q == pytest.approx(its_q, abs=1e-5)
    assert found == pytest.approx(its_found, abs=1e-5)
    actions = np.array([0, 1, 2, 0, 1, 2])
    for _ in range(2):
        mine = compiled.model.recurrent(latents, actions)
        its = by_torch.model.recurrent(numbers, actions)
        for one, other in zip(mine[1:], its[1:], strict=True):
            assert one == pytest.approx(other, abs=1e-4)
        latents, numbers = mine.latents, its.latents


def test_a_search_of_q_goes_by_less_exploration_than_one_of_a_policy() -> None:
    for options, c1 in (({}, 0.25), ({"q_learning": False}, 1.25), ({"c1": 0.7}, 0.7)):
        settings = small(**({"q_learning": True} | options))
        found = search_settings(settings, 8, 0.9, two_player=False)
        assert found.c1 == c1
        assert found.kind == ("q_ucb" if settings.q_learning else "puct")


# -- what is learned


def ring_of(*rows: tuple[int, float], unroll: int = 2) -> Replay:
    """One environment's rows of (kind, reward); what is done in row i is i mod 3."""
    fields = {"policies": Field((ACTIONS,), np.float32)}
    ring = Replay(1, 16, fields, unroll=unroll, actions=ACTIONS, discount=0.5)
    for i, (kind, reward) in enumerate(rows):
        ring.add(0, kinds=kind, rewards=reward, actions=i % ACTIONS, policies=np.eye(3)[i % 3])
    return ring


def taken_from(ring: Replay, start: int, horizon: int = 2) -> tuple[list[int], list[bool]]:
    rng = np.random.default_rng(0)
    while True:
        batch = ring.sample(1, rng, horizon=horizon)
        if batch.starts[0] == start:
            actions, mask = taken(batch)
            return actions[0].tolist(), mask[0].tolist()


def test_q_is_learned_of_what_was_done_where_a_reward_is_known() -> None:
    ring = ring_of((STEP, 1), (STEP, 2), (STEP, 4), (STEP, 8))
    assert taken_from(ring, 0) == ([0, 1, 2], [True] * 3)
    # of the newest step nothing is known that followed
    actions, mask = taken_from(ring, 2)
    assert (actions[:2], mask) == ([2, 0], [True, False, False])


def test_beyond_a_termination_q_is_0_of_any_action() -> None:
    ring = ring_of((STEP, 1), (TERMINAL, 2), unroll=4)
    actions, mask = taken_from(ring, 0)
    assert actions[:2] == [0, 1]
    assert set(actions[2:]) == {0, 1, 2}
    assert mask == [True] * 5


def test_nothing_was_done_in_what_was_seen_last() -> None:
    ring = ring_of((CUT, 1), (LAST, 0), (STEP, 1), (STEP, 1))
    assert taken_from(ring, 0)[1] == [True, False, False]


def test_a_target_is_the_greatest_q_of_what_is_legal() -> None:
    learner = learner_for()
    observations = seen(6)
    _, q, _ = learner.target.roots(observations)
    legal = np.random.default_rng(0).random((6, ACTIONS)) < 0.5
    legal[:, 2] |= ~legal.any(axis=1)
    assert not legal.all()
    expected = np.where(legal, q, -np.inf).max(axis=1)
    assert learner.target.values(observations, legal) == pytest.approx(expected)
    # of a place that was never written nothing is asked
    nothing = np.zeros((6, ACTIONS), bool)
    assert np.isfinite(learner.target.values(observations, nothing)).all()


@pytest.mark.parametrize("mode", MODES)
def test_left_anywhere_every_mode_ends_the_same(mode: str) -> None:
    undisturbed = train(short(MODES[mode]), 0, [], ("learned_params",))
    assert undisturbed[0]["metrics"]["updates"]["value"][-1] > 5
    assert train(short(MODES[mode]), 0, [14, 77, 121], ("learned_params",)) == undisturbed


def test_in_a_game_of_two_moves_are_legal_and_so_are_those_of_targets() -> None:
    fields: dict[str, Any] = {
        "env_name": "sweep/TicTacToe-v1",
        "kwargs": {"opponent": "self", "observation": "flat"},
        "eval_kwargs": {"opponent": "random"},
        "eval_episodes": 0,
    }
    driver = driver_of(short({"epsilon": [0.5]}, **fields))
    driver.advance(161, lambda: False)
    arrays = driver.training.replay.arrays
    written = min(driver.training.replay.written)
    legal, done = arrays["legal"][:, :written], arrays["actions"][:, :written]
    assert not legal.all()
    assert np.take_along_axis(legal, done[..., None], axis=2).all()
    assert np.isfinite(driver.metrics()["value_loss"])


@pytest.mark.parametrize("multistep", [1, 3])
def test_without_a_model_and_a_search_it_is_dqn(multistep: int) -> None:
    """Loss and gradient are those of a DQN that is written as in a textbook."""
    options = {"multistep": [multistep], "ssl": ["none"], "max_grad_norm": [None]}
    driver = driver_of(short(MODES["without a search"] | options, eval_episodes=0))
    driver.advance(142, lambda: False)  # the target network is some updates old
    training = driver.training
    learner, replay = training.learner, training.replay
    assert isinstance(learner, QLearner)
    support = learner._values_of
    gamma = training.replay._discount
    batch = replay.sample(64, np.random.default_rng(0), horizon=multistep)
    online, target = learner.online.network, learner.target.network
    assert not torch.equal(next(online.parameters()), next(target.parameters()))

    def q(network: Any, observation: Any) -> torch.Tensor:
        logits = network.predict(network.represent(torch.from_numpy(observation)[None]))[0]
        found: torch.Tensor = logits.view(-1, support.bins)
        return found

    arrays = {name: array.reshape(-1, *array.shape[2:]) for name, array in replay.arrays.items()}
    newest = {e * replay.capacity + int(replay.written[e]) - 1 for e in range(3)}
    loss = torch.zeros(())
    for start in batch.starts:
        total, place, over, known = 0.0, int(start), False, 0
        for _ in range(multistep):
            if over or arrays["kinds"][place] == LAST or place in newest:
                break
            total += gamma**known * arrays["rewards"][place]
            over = arrays["kinds"][place] == TERMINAL
            place, known = place + 1, known + 1
        if known == 0:
            continue  # the newest step
        if not over:
            with torch.no_grad():
                ahead = support.decode_logits(q(target, arrays["observations"][place]).numpy())
            total += gamma**known * float(ahead.max())
        hot = torch.from_numpy(support.encode(np.array(total, np.float32)))
        log_p = q(online, arrays["observations"][start])[arrays["actions"][start]].log_softmax(-1)
        loss = loss - (hot * log_p).sum() / len(batch.starts)
    gradients = torch.autograd.grad(
        training.settings.value_loss_weight * loss, list(online.parameters()), allow_unused=True
    )
    norm = torch.cat([one.reshape(-1) for one in gradients if one is not None]).norm().item()

    read = replay.rows("observations", batch.starts[None])
    learnt = learner.update(read, batch, training._values(batch), 0.0)
    assert learnt.losses["value_loss"] == pytest.approx(loss.item(), rel=1e-4)
    assert learnt.losses["gradient_norm"] == pytest.approx(norm, rel=1e-3)


def test_targets_come_from_a_network_that_stays_until_it_is_renewed() -> None:
    driver = driver_of(short({"target_update_interval": [1000]}, eval_episodes=0))
    driver.advance(60, lambda: False)
    training = driver.training
    batch = training.replay.sample(32, np.random.default_rng(0), horizon=2)
    before = training._values(batch)
    online = training.learner.online.values(training.replay.rows("observations", batch.starts))
    updates = training.learner.updates
    for _ in range(5):
        training._update()
    batch = training.replay.sample(32, np.random.default_rng(0), horizon=2)
    after = training.learner.online.values(training.replay.rows("observations", batch.starts))
    assert training.learner.updates == updates + 5
    assert not np.allclose(online, after)
    assert np.array_equal(training._values(batch), before)
    # nor are they what was stored
    training.replay.arrays["values"] += 100
    assert np.array_equal(training._values(batch), before)
    training.learner.renew_target()
    assert not np.allclose(training._values(batch), before)


def test_without_the_local_network_targets_are_what_was_stored() -> None:
    driver = driver_of(short(MODES["what was stored"], eval_episodes=0))
    driver.advance(60, lambda: False)
    training = driver.training
    batch = training.replay.sample(32, np.random.default_rng(0), horizon=2)
    before = training._values(batch)
    training.learner.renew_target()
    assert np.array_equal(training._values(batch), before)
    training.replay.arrays["values"] += 1
    expected = before + batch.targets.factors
    assert training._values(batch) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("searched", [False, True])
def test_what_is_stored_is_the_searchs_word_or_the_networks(searched: bool) -> None:
    options = {
        "search_value_targets": [searched],
        "steps_before_learning": [1000],
        "epsilon": [0.0],
    }
    driver = driver_of(short(options, eval_episodes=0))
    online = driver.training.learner.online
    assert isinstance(online, QInference)
    with torch.no_grad():
        for parameter in online.network.parameters():
            parameter.add_(0.3 * torch.sin(torch.arange(parameter.numel())).view(parameter.shape))
    online.refresh()
    driver.advance(30, lambda: False)
    replay = driver.training.replay
    stored = replay.arrays["values"][:, :9].reshape(-1)
    observations = replay.arrays["observations"][:, :9].reshape(-1, 4)
    network = online.values(observations)
    assert (stored == pytest.approx(network, abs=1e-5)) is not searched


def test_rewards_that_are_learned_from_may_be_clipped() -> None:
    driver = driver_of(short({"clip_rewards": [0.5]}, eval_episodes=0))
    driver.advance(30, lambda: False)
    assert set(driver.training.replay.arrays["rewards"][:, :9].ravel().tolist()) <= {0.0, 0.5}
    assert driver.reward_sum == 30.0


def test_the_newest_steps_keep_their_priority() -> None:
    ring = Replay(
        1, 8, {"policies": Field((2,), np.float32)}, unroll=0, actions=2, discount=1, exponent=1.0
    )
    for _ in range(2):
        ring.add(0, kinds=STEP)
    ring.prioritise(np.array([0, 1]), np.array([3.0, np.nan], np.float32))
    starts = ring.sample(8000, np.random.default_rng(0), horizon=1).starts
    assert (starts == 0).mean() == pytest.approx(3 / 4, abs=0.03)


@pytest.mark.parametrize("variant", [{}, C51])
def test_a_learner_of_q_learns_its_batch_of_pictures(variant: dict[str, Any]) -> None:
    settings = small(q_learning=True, hidden_size=4, jumps=2, **variant)
    space: Any = Box(0, 1, (10, 10, 4), np.bool_)
    learner: Learner = build_learner(
        settings,
        Observations(space),
        DiscreteActions(Discrete(ACTIONS)),
        np.random.default_rng(0),
        "cpu",
        8,
    )
    assert isinstance(learner, QLearner)
    rng = np.random.default_rng(1)
    observations, batch, values = some_batch(rng, settings, inputs=400, actions=ACTIONS)
    if variant:
        values = rng.dirichlet(0.1 * np.ones(11), values.shape).astype(np.float32)
    losses = [learner.update(observations, batch, values, 0.01).losses for _ in range(30)]
    for name in ("value_loss", "reward_loss"):
        assert losses[-1][name] < losses[0][name]
    latents, q, _ = learner.online.roots(observations[0])
    assert q.shape == (6, ACTIONS)
    steps = learner.online.model.recurrent(latents, np.zeros(6, np.int64))
    assert steps.logits.shape == (6, ACTIONS)
    assert steps.values == pytest.approx(steps.logits.max(axis=1))
    assert isinstance(learner.online, TorchInference)
