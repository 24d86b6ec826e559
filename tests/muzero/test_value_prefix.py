"""Rewards as differences of a running sum, in learning and in searches."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from batches import small, some_batch
from gymnasium.spaces import Box, Discrete
from torch import nn

from agents.muzero.actions import DiscreteActions
from agents.muzero.building import build_learner
from agents.muzero.observations import Observations
from agents.muzero.torch_inference import PrefixModel
from agents.muzero.torch_learner import TorchLearner
from agents.muzero.torch_scalars import decode
from agents.muzero.value_prefix import HORIZON, sums
from agents.search.scalars import Support

ACTIONS = 3
SPACES: dict[str, gymnasium.Space[Any]] = {
    "vectors": Box(-1, 1, (5,)),
    "pictures": Box(0, 1, (10, 10, 4), np.bool_),
}


def learner_of(kind: str, **options: Any) -> tuple[TorchLearner, int]:
    """One whose sums are not 0 from the start, and numbers in an observation."""
    observations = Observations(SPACES[kind])
    learner = build_learner(
        small(**({"value_prefix": True, "hidden_size": 4} | options)),
        observations,
        DiscreteActions(Discrete(ACTIONS)),
        np.random.default_rng(0),
        "cpu",
        8,
    )
    assert isinstance(learner, TorchLearner)
    return learner, observations.width


def test_a_sum_begins_again() -> None:
    rewards = torch.tensor([[1.0, 2, 3, 4, 5, 6, 7], [0, 0, 1, 0, 0, 0, -1]]).T
    assert HORIZON == 5
    assert sums(rewards).T.tolist() == [[1, 3, 6, 10, 15, 6, 13], [0, 0, 1, 1, 1, 0, -1]]
    assert sums(rewards[:3]).T.tolist() == [[1, 3, 6], [0, 0, 1]]


@pytest.mark.parametrize("kind", SPACES)
def test_a_search_finds_the_rewards_that_sums_say(kind: str) -> None:
    """Along a path of more steps than a sum has, whatever else was tried on the way."""
    learner, inputs = learner_of(kind)
    network = learner.online.network
    assert network.prefix is not None
    nn.init.normal_(network.prefix._outputs.weight, std=2.0)
    rng = np.random.default_rng(1)
    observations = rng.random((4, inputs)).astype(np.float32)
    actions = rng.integers(ACTIONS, size=(7, 4))

    latents, _, _ = learner.online.roots(observations)
    model = learner.online.model
    assert isinstance(model, PrefixModel)
    found = []
    for chosen in actions:
        model.recurrent(latents, (chosen + 1) % ACTIONS)
        steps = model.recurrent(latents, chosen)
        latents = steps.latents
        found.append(steps.rewards)

    with torch.inference_mode():
        seen = torch.from_numpy(observations)
        states = [network.represent(seen if kind == "vectors" else seen.view(-1, 10, 10, 4))]
        for chosen in actions:
            states.append(network.step(states[-1], torch.from_numpy(chosen)))
        logits = network.prefix.unrolled(torch.stack(states[1:]))
        said = decode(logits, Support.symmetric(learner.settings.reward_support))
    expected = said.diff(dim=0, prepend=torch.zeros(1, 4))
    expected[HORIZON] = said[HORIZON]
    assert np.array(found) == pytest.approx(expected.numpy(), abs=1e-4)
    assert np.abs(found).min() > 0


def test_rewards_are_learned_as_differences() -> None:
    learner, inputs = learner_of(
        "vectors",
        jumps=7,
        batch_size_per_worker=4,
        hidden_size=16,
        hidden_dim=32,
        ssl="none",
        policy_loss_weight=0.0,
        value_loss_weight=0.01,
    )
    observations, batch, values = some_batch(
        np.random.default_rng(2), learner.settings, inputs=inputs, actions=ACTIONS
    )
    targets = batch.targets
    targets.rewards[:] = np.random.default_rng(3).integers(-1, 2, targets.rewards.shape)
    targets.reward_mask[:, 1:] = 1.0
    for _ in range(300):
        learner.update(observations[:1], batch, values, 0.01)
    latents, _, _ = learner.online.roots(observations[0])
    off = []
    for k in range(7):
        steps = learner.online.model.recurrent(latents, batch.actions[:, k].copy())
        latents = steps.latents
        off.append(np.abs(steps.rewards - targets.rewards[:, k + 1]).mean())
    assert np.mean(off) < 0.25


@pytest.mark.parametrize("kind", SPACES)
def test_a_learner_goes_on_where_another_was_left(kind: str) -> None:
    (one, inputs), (other, _) = learner_of(kind), learner_of(kind)
    rng = np.random.default_rng(4)
    batches = [some_batch(rng, one.settings, inputs=inputs, actions=ACTIONS) for _ in range(3)]
    for batch in batches[:2]:
        one.update(*batch, 0.01)
    other.load_state_dict(one.state_dict())
    mine, its = (learner.update(*batches[2], 0.01) for learner in (one, other))
    assert dict(mine.losses) == dict(its.losses)
    left, right = one.learned_params(), other.learned_params()
    assert all(np.array_equal(left[name], right[name]) for name in left)
    assert any("prefix" in name for name in left)
