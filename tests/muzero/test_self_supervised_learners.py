"""Learners with a self-supervised loss: what they learn from, save and search with."""

from __future__ import annotations

import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from batches import small, some_batch
from gymnasium.spaces import Discrete
from numpy.typing import NDArray
from self_supervised import ACTIONS, COMMON, INPUTS, KINDS, PICTURE, VECTOR

from agents.base import AgentRefused
from agents.muzero.actions import DiscreteActions
from agents.muzero.building import build_learner
from agents.muzero.dense_learner import DenseLearner
from agents.muzero.interfaces import Learner
from agents.muzero.observations import Observations
from agents.muzero.replay import Batch
from agents.muzero.self_supervision.augmentation import Augmentation
from agents.muzero.self_supervision.base import Momentum, SelfSupervision
from agents.muzero.supports import supports
from agents.muzero.torch_inference import TorchInference
from agents.muzero.torch_learner import TorchLearner
from agents.search.mlp import MLPModel

Floats = NDArray[np.float32]

PICTURED = {"normalization": "batch", "augmentation": True, "augmentation_shift": 2}


def learner_of(kind: str, space: gymnasium.Space[Any] = VECTOR, **options: Any) -> TorchLearner:
    chosen = small(**(COMMON | {"ssl": kind} | options))
    learner = build_learner(
        chosen,
        Observations(space),
        DiscreteActions(Discrete(ACTIONS)),
        np.random.default_rng(0),
        "cpu",
        8,
    )
    assert isinstance(learner, TorchLearner)
    return learner


def batch_for(
    learner: TorchLearner, seed: int = 1, inputs: int = INPUTS
) -> tuple[Floats, Batch, Floats, float]:
    """What an update takes."""
    rng = np.random.default_rng(seed)
    return (*some_batch(rng, learner.settings, inputs=inputs, actions=ACTIONS), 0.01)


@pytest.mark.parametrize("space", [VECTOR, PICTURE], ids=["vectors", "pictures"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_learner_goes_on_where_another_was_left(kind: str, space: gymnasium.Space[Any]) -> None:
    options = PICTURED if space is PICTURE else {}
    one, other = (learner_of(kind, space, **options) for _ in range(2))
    batches = [batch_for(one, seed, 400 if space is PICTURE else INPUTS) for seed in range(4)]
    for seed in range(3):
        one.update(*batches[seed])
    other.load_state_dict(pickle.loads(pickle.dumps(one.state_dict())))
    mine, its = (learner.update(*batches[3]) for learner in (one, other))
    assert dict(mine.losses) == dict(its.losses)
    assert mine.losses["ssl_loss"] != 0
    left, right = one.state_dict(), other.state_dict()
    for part in ("network", "target", "ssl"):
        assert left[part].keys() == right[part].keys()
        assert all(np.array_equal(left[part][name], right[part][name]) for name in left[part])
    assert left["augmentation"] == right["augmentation"]
    assert np.array_equal(left["optimizer"]["moments"], right["optimizer"]["moments"])


@pytest.mark.parametrize(("kind", "rate"), [("moco", 0.001), ("curl", 0.05), ("spr", 0.01)])
def test_copies_follow_slowly(kind: str, rate: float) -> None:
    learner = learner_of(kind)
    assert isinstance(learner._ssl, SelfSupervision)
    (slow,) = (one for one in learner._ssl.modules() if isinstance(one, Momentum))
    before = {name: one.clone() for name, one in slow._network.state_dict().items()}
    learner.update(*batch_for(learner))
    for name, now in learner._network.state_dict().items():
        expected = before[name] + rate * (now - before[name])
        assert torch.allclose(slow._network.state_dict()[name], expected, atol=1e-7)
        moved = now - before[name]
    assert moved.abs().max() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_falls_on_its_batch(kind: str) -> None:
    learner = learner_of(kind, queue_size=64, ssl_momentum=0.05)
    batch = batch_for(learner)
    losses = [learner.update(*batch).losses["ssl_loss"] for _ in range(120)]
    assert losses[-1] < np.mean(losses[5:15])


def test_its_weight_is_the_published_one_unless_told() -> None:
    weights = {kind: small(ssl=kind).ssl_weight for kind in KINDS}
    assert weights == {"nce": 1, "moco": 1, "curl": 1, "spr": 5, "simsiam": 2}
    assert small(ssl="spr", contrastive_loss_weight=0.5).ssl_weight == 0.5


@pytest.mark.parametrize(
    ("options", "compiled"),
    [
        ({"ssl": "none"}, True),
        ({}, True),
        ({"ssl": "nce", "no_nce": True}, True),
        *(({"ssl": kind}, False) for kind in KINDS),
    ],
)
def test_what_needs_no_torch_is_compiled(options: dict[str, Any], compiled: bool) -> None:
    learner: Learner = build_learner(
        small(**options),
        Observations(VECTOR),
        DiscreteActions(Discrete(ACTIONS)),
        np.random.default_rng(0),
        "cpu",
        8,
    )
    assert isinstance(learner, DenseLearner if compiled else TorchLearner)


@pytest.mark.parametrize(
    ("kind", "options", "reads"),
    [
        ("nce", {"contrastive_loss_weight": 0.0}, False),
        ("nce", {"jumps": 0}, True),
        ("spr", {"jumps": 0}, False),
    ],
)
def test_observations_are_read_where_they_count(
    kind: str, options: dict[str, Any], reads: bool
) -> None:
    learner = learner_of(kind, **options)
    assert learner.reads_all == reads
    observations, batch, values, rate = batch_for(learner)
    seen = observations if reads else observations[:1]
    losses = learner.update(seen, batch, values, rate).losses
    assert ("ssl_loss" in losses) == reads


def test_pictures_are_moved_and_scaled_by_draws_of_their_own() -> None:
    draws = torch.Generator().manual_seed(0)
    pictures = torch.rand(2, 20, 6, 7, 3, generator=draws)
    moved = Augmentation(2, 0.0, np.random.default_rng(0))(pictures)
    found = set()
    for picture, its in zip(pictures.flatten(0, 1), moved.flatten(0, 1), strict=True):
        rows, columns = np.arange(6), np.arange(7)
        fitting = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if torch.equal(its, picture[(rows + down).clip(0, 5)][:, (columns + right).clip(0, 6)])
        ]
        assert len(fitting) == 1
        found.update(fitting)
    assert {down for down, _ in found} == {right for _, right in found} == set(range(-2, 3))
    factors = Augmentation(0, 0.1, np.random.default_rng(1))(pictures) / pictures
    each = factors.flatten(0, 1).flatten(1)
    assert torch.allclose(each, each[:, :1].expand_as(each), atol=1e-5)
    assert each.std() > 0.05
    assert 0.8 <= each.min() < each.max() <= 1.2
    again = [Augmentation(2, 0.1, np.random.default_rng(2))(pictures) for _ in range(2)]
    assert torch.equal(*again)
    pixels = (255 * pictures).to(torch.uint8)
    by_byte, read = (
        Augmentation(2, 0.1, np.random.default_rng(2))(each, scale)
        for each, scale in ((pixels, 1 / 255), (pixels / 255, 1.0))
    )
    assert torch.allclose(by_byte, read)


def test_vectors_are_not_augmented() -> None:
    with pytest.raises(AgentRefused, match="augmentation needs pictures"):
        learner_of("spr", augmentation=True)


def test_a_dense_network_is_searched_as_if_in_torch() -> None:
    """Once it was refreshed, and its target once it was renewed, or both were loaded."""
    learner, other = learner_of("spr"), learner_of("spr")
    observations, *_ = batch_for(learner)
    for seed in range(3):
        learner.update(*batch_for(learner, seed))
    learner.online.refresh()
    both = supports(learner.settings)
    by_torch = TorchInference(learner.online.network, torch.from_numpy, *both)
    actions = np.arange(observations.shape[1]) % ACTIONS
    expected = by_torch.model.recurrent(by_torch.roots(observations[0])[0], actions)
    learner.renew_target()
    other.load_state_dict(learner.state_dict())
    for inference in (learner.online, learner.target, other.online, other.target):
        assert isinstance(inference.model, MLPModel)
        found = inference.model.recurrent(inference.roots(observations[0])[0], actions)
        assert found.values == pytest.approx(expected.values, abs=1e-4)
        assert found.rewards == pytest.approx(expected.rewards, abs=1e-4)
        assert found.logits == pytest.approx(expected.logits, abs=1e-5)
