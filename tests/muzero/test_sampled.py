"""MuZero over sampled actions: boxes, policies over samples, their loss, and what it learns."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from batches import small, some_batch
from gymnasium.spaces import Box, MultiDiscrete
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from agents.base import AgentRefused
from agents.muzero.building import build_learner, widths_of
from agents.muzero.checks import check_spaces
from agents.muzero.dense import initial
from agents.muzero.dense_learner import DenseLearner
from agents.muzero.interfaces import Learner
from agents.muzero.observations import Observations
from agents.muzero.replay import Batch
from agents.muzero.sampled.box import BoxActions, packed, unpacked
from agents.muzero.sampled.decisions import SampledDecisions
from agents.muzero.sampled.loss import SampledPolicyLoss
from agents.muzero.sampled.torch_loss import cross_entropy
from agents.muzero.self_supervision.consistency import Consistency
from agents.muzero.settings import MuZeroSettings
from agents.muzero.torch_building import dense_network
from agents.muzero.torch_learner import TorchLearner
from agents.search.sampling import MEAN_BOUND, Sampling

INPUTS, K, D = 5, 4, 2
SAMPLING = Sampling(K, D)
BOX = Box(np.array([-2.0, 0.0], np.float32), np.array([2.0, 1.0], np.float32))


def policies(rng: np.random.Generator, *rows: int) -> NDArray[np.float32]:
    """Some shares and samples [..., K (1 + D)]."""
    count = math.prod(rows)
    shares = rng.dirichlet(np.ones(K), count)
    return packed(shares, rng.normal(size=(count, K, D))).reshape(*rows, -1)


def box_batch(
    rng: np.random.Generator, settings: MuZeroSettings, inputs: int = INPUTS
) -> tuple[NDArray[np.float32], Batch, NDArray[np.float32]]:
    """Of `some_batch`, with actions of a box and policies over samples."""
    observations, batch, values = some_batch(rng, settings, inputs=inputs, actions=2)
    mask = batch.targets.policy_mask
    actions = rng.uniform(-1, 1, (*batch.actions.shape, D)).astype(np.float32)
    advised = policies(rng, *mask.shape) * mask[..., None]
    return observations, batch._replace(actions=actions, policies=advised), values


@given(st.integers(1, 9), st.integers(1, 3), st.integers(1, 4))
def test_a_policy_over_samples_is_one_row(samples: int, dimensions: int, batch: int) -> None:
    rng = np.random.default_rng(0)
    shares = rng.random((batch, samples)).astype(np.float32)
    drawn = rng.normal(size=(batch, samples, dimensions)).astype(np.float32)
    row = packed(shares, drawn)
    assert row.shape == (batch, samples * (1 + dimensions))
    own_shares, own_samples = unpacked(row, samples)
    assert np.array_equal(own_shares, shares)
    assert np.array_equal(own_samples, drawn)


def test_actions_are_sent_in_the_box() -> None:
    actions = BoxActions(small(), BOX)
    sent = actions.sent(np.array([[-1, -1], [1, 1], [0, 0.5]], np.float32))
    assert np.stack(sent).tolist() == [[-2, 0], [2, 1], [0, 0.75]]
    assert all(BOX.contains(action) for action in sent)
    shaped = Box(-3, 5, (2, 2), np.float64)
    assert shaped.contains(BoxActions(small(), shaped).sent(np.full((1, 4), 0.3))[0])
    counts = Box(0, 255, (3,), np.uint8)
    assert counts.contains(BoxActions(small(), counts).sent(np.full((1, 3), 0.3))[0])


def test_spaces_that_it_cannot_draw_from_are_refused() -> None:
    seen = Box(-1, 1, (3,))
    with pytest.raises(AgentRefused, match=r"a box of actions with finite bounds, not Box\(0"):
        check_spaces(small(), seen, Box(0.0, np.inf, (2,)))
    with pytest.raises(AgentRefused, match="discrete actions or a box of them, not MultiDiscrete"):
        check_spaces(small(), seen, MultiDiscrete([2, 2]))


@pytest.mark.parametrize("entropy_weight", [0.0, 0.3])
def test_the_loss_is_that_of_the_textbook_and_so_is_its_gradient(entropy_weight: float) -> None:
    rng = np.random.default_rng(1)
    rows, weight = 7, 0.6
    outputs = (2 * rng.normal(size=(rows, 2 * D))).astype(np.float32)
    targets, scales = policies(rng, rows), rng.random(rows).astype(np.float32)
    targets[0] = 0  # nothing was advised
    shares, samples = (torch.from_numpy(part) for part in unpacked(targets, K))
    leaf = torch.from_numpy(outputs.copy()).requires_grad_()
    std = SAMPLING.low + (SAMPLING.high - SAMPLING.low) * torch.sigmoid(leaf[:, D:])
    law = torch.distributions.Independent(
        torch.distributions.Normal(MEAN_BOUND * torch.tanh(leaf[:, :D] / MEAN_BOUND), std), 1
    )
    log_p: Tensor = law.log_prob(samples.transpose(0, 1))  # type: ignore[no-untyped-call]
    apart: Tensor = -(shares * log_p.T).sum(1)
    entropy: Tensor = law.entropy()  # type: ignore[no-untyped-call]

    def gradient(apart: Tensor, entropy: Tensor) -> Tensor:
        loss = (weight * apart - entropy_weight * entropy) * torch.from_numpy(scales)
        return torch.autograd.grad(loss.sum(), leaf)[0]

    textbook = gradient(apart, entropy).numpy().copy()
    in_torch = cross_entropy(leaf, torch.from_numpy(targets), SAMPLING)
    compiled = SampledPolicyLoss(rows, SAMPLING, weight=weight, entropy_weight=entropy_weight)
    found = compiled(outputs, targets, scales)
    for wanted, one, other in zip((apart, entropy), found, in_torch, strict=True):
        assert one == pytest.approx(wanted.detach().numpy(), rel=1e-4)
        assert other.detach().numpy() == pytest.approx(wanted.detach().numpy(), rel=1e-4)
    assert outputs == pytest.approx(textbook, rel=1e-3, abs=1e-6)
    assert gradient(*in_torch).numpy() == pytest.approx(textbook, rel=1e-3, abs=1e-6)


def learners(settings: MuZeroSettings) -> tuple[DenseLearner, TorchLearner]:
    """Of equal parameters."""
    widths = widths_of(settings, INPUTS, D, SAMPLING.outputs)
    values = initial(widths, np.random.default_rng(0), zero_heads=False)
    network = dense_network(settings, widths, values, np.random.default_rng(0))
    ssl = Consistency() if settings.ssl == "consistency" and settings.jumps > 0 else None
    by_torch = TorchLearner(settings, network, torch.from_numpy, ssl=ssl, sampling=SAMPLING)
    return DenseLearner(settings, widths, values, capacity=8, sampling=SAMPLING), by_torch


def test_both_learners_take_the_same_steps_and_search_alike() -> None:
    settings = small(
        optimizer="sgd", betas=(0.0, 0.9), entropy_loss_weight=0.2, num_sampled_actions=K
    )
    both = learners(settings)
    rng = np.random.default_rng(2)
    for _ in range(3):
        observations, batch, values = box_batch(rng, settings)
        mine, its = (one.update(observations, batch, values, 0.1) for one in both)
        assert mine.losses == pytest.approx(its.losses, rel=1e-4, abs=1e-5)
        assert mine.errors == pytest.approx(its.errors, rel=1e-4, abs=1e-4)
    found = []
    for learner in both:
        learner.online.refresh()
        decisions = SampledDecisions(settings, SAMPLING, 0.9, two_player=False)
        result, _ = decisions.search(
            learner.online, observations[0], None, np.random.default_rng(3)
        )
        found.append(result)
    assert np.array_equal(found[0].visits, found[1].visits)
    assert found[0].policy == pytest.approx(found[1].policy, abs=1e-4)
    assert found[0].values == pytest.approx(found[1].values, abs=1e-3)


@pytest.mark.parametrize("film", [False, True])
def test_pictures_and_boxes_go_together(film: bool) -> None:
    settings = small(hidden_size=4, jumps=2, film=film, num_sampled_actions=K)
    seen: gymnasium.Space[Any] = Box(0, 1, (10, 10, 4), np.bool_)
    learner: Learner = build_learner(
        settings,
        Observations(seen),
        BoxActions(settings, BOX),
        np.random.default_rng(0),
        "cpu",
        8,
    )
    observations, batch, values = box_batch(np.random.default_rng(1), settings, 400)
    losses = [learner.update(observations, batch, values, 0.01).losses for _ in range(20)]
    assert losses[-1]["policy_loss"] < losses[0]["policy_loss"]
    assert losses[-1]["reward_loss"] < losses[0]["reward_loss"]
