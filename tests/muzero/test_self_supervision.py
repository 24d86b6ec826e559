"""What states of the model are told from, or drawn to: which way gradients go, what is a negative,
and that a learner goes on where it was left."""

from __future__ import annotations

import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from batches import small, some_batch
from gymnasium.spaces import Box, Discrete
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from agents.base import AgentRefused
from agents.muzero.actions import DiscreteActions
from agents.muzero.building import build_learner, widths_of
from agents.muzero.dense import initial
from agents.muzero.dense_learner import DenseLearner
from agents.muzero.interfaces import Learner
from agents.muzero.networks import Network
from agents.muzero.observations import Observations
from agents.muzero.replay import Batch
from agents.muzero.self_supervision.augmentation import Augmentation
from agents.muzero.self_supervision.base import Momentum, SelfSupervision, Unrolled
from agents.muzero.self_supervision.building import Newest, self_supervision_of
from agents.muzero.self_supervision.contrast import comparable, cross_entropies
from agents.muzero.self_supervision.moco import MoCo
from agents.muzero.self_supervision.nce import NCE, cosines
from agents.muzero.supports import supports
from agents.muzero.torch_building import dense_network, picture_network
from agents.muzero.torch_inference import TorchInference
from agents.muzero.torch_learner import TorchLearner
from agents.search.mlp import MLPModel

Floats = NDArray[np.float32]

INPUTS, ACTIONS, K, B = 5, 3, 2, 4
VECTOR: gymnasium.Space[Any] = Box(-1, 1, (INPUTS,))
PICTURE: gymnasium.Space[Any] = Box(0, 1, (10, 10, 4), np.bool_)
STACK: gymnasium.Space[Any] = Box(0, 255, (4, 84, 84), np.uint8)
KINDS = ("nce", "moco", "curl", "spr", "simsiam")
COMMON: dict[str, Any] = {"jumps": K, "projection_dim": 6, "queue_size": 16, "hidden_size": 4}


def loss_of(
    kind: str, space: gymnasium.Space[Any] = VECTOR, **options: Any
) -> tuple[SelfSupervision, Network]:
    """A loss, and a network whose heads and states are not 0."""
    chosen = small(**(COMMON | {"ssl": kind} | options))
    observations, rng = Observations(space), np.random.default_rng(0)
    if observations.picture is None:
        widths = widths_of(chosen, observations.width, ACTIONS)
        network = dense_network(chosen, widths, initial(widths, rng), rng)
    else:
        network = picture_network(chosen, "minatar", observations, ACTIONS, rng)
    loss = self_supervision_of(chosen, network, observations, rng)
    assert loss is not None
    return loss, network


def unrolled(
    network: Network, space: gymnasium.Space[Any] = VECTOR, rows: Tensor | None = None
) -> Unrolled:
    """States and observations that have nothing to do with one another, as leaves."""
    draws = torch.Generator().manual_seed(0)
    shape = Observations(space).picture or space.shape
    assert shape is not None
    observations = torch.rand(K + 1, B, *shape, generator=draws)
    like = network.represent(observations[0])
    states = torch.rand(K + 1, *like.shape, generator=draws)
    if rows is None:
        rows = torch.arange((K + 1) * B).view(K + 1, B)
    scales = (rows >= 0) * torch.rand(K + 1, B, generator=draws)
    return Unrolled(states.requires_grad_(), observations.requires_grad_(), rows, scales)


def gradients(loss: Tensor, of: Unrolled) -> tuple[Tensor, Tensor | None]:
    """With respect to states, and to observations."""
    loss.backward()  # type: ignore[no-untyped-call]
    assert of.states.grad is not None
    return of.states.grad, of.observations.grad


@pytest.mark.parametrize("space", [VECTOR, PICTURE], ids=["vectors", "pictures"])
@pytest.mark.parametrize("kind", [*KINDS, "consistency"])
def test_only_nce_learns_its_targets(kind: str, space: gymnasium.Space[Any]) -> None:
    loss, network = loss_of(kind, space)
    some = unrolled(network, space)
    loss(network, some)  # moco has nothing to tell from before there is a queue
    of_states, of_observations = gradients(loss(network, some._replace(rows=some.rows + 99)), some)
    assert of_states[1:].abs().amax(dim=tuple(range(2, of_states.ndim))).gt(0).all()
    assert (of_observations is not None) == (kind == "nce")
    assert all(one.grad is None for one in network.parameters())
    # all that has no gradient is a copy
    copies = [copy for one in loss.modules() if isinstance(one, Momentum) for copy in one.modules()]
    still = {id(one) for copy in copies for one in copy.parameters(recurse=False)}
    for one in loss.parameters():
        assert (one.grad is None) == (id(one) in still) == (not one.requires_grad)
    assert bool(still) == (kind in ("moco", "curl", "spr"))


@pytest.mark.parametrize(("kind", "rate"), [("moco", 0.001), ("curl", 0.001), ("spr", 0.01)])
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


def test_what_fits_perfectly_costs_nothing_and_what_says_nothing_costs_the_choice() -> None:
    rows = torch.arange((K + 1) * B).view(K + 1, B)
    wanted = torch.eye((K + 1) * B)
    told = comparable(rows, within_sequences=False)
    both = cross_entropies(cosines(wanted, wanted) / 0.05, told)
    assert all(one.abs().max() < 1e-6 for one in both)
    negatives = (K + 1) * (B - 1)
    constant = cross_entropies(cosines(torch.ones_like(wanted), wanted) / 0.1, told)
    assert all(torch.allclose(one, torch.tensor(negatives + 1.0).log()) for one in constant)
    # pictures of others: each is as unlike its own as any
    draws = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, (K + 1) * B, 20_000, generator=draws)
    shuffled = cross_entropies(cosines(x, y), told)
    assert all(
        one.mean().item() == pytest.approx(np.log(negatives + 1), abs=0.01) for one in shuffled
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1, 5), min_size=6, max_size=6), st.booleans(), st.integers(0, 99))
def test_a_negative_is_another_observation_of_another_sequence(
    places: list[int], within: bool, seed: int
) -> None:
    rows = torch.tensor(places).view(3, 2)
    scores = torch.randn(6, 6, generator=torch.Generator().manual_seed(seed))
    ours = cross_entropies(scores, comparable(rows, within_sequences=within))
    for found, table in zip(ours, (scores, scores.mT), strict=True):
        for i in range(6):
            others = [
                j
                for j in range(6)
                if places[i] >= 0 <= places[j]
                and places[i] != places[j]
                and (within or i % 2 != j % 2)
            ]
            terms = torch.stack([table[i, j] for j in (i, *others)])
            assert found[i].item() == pytest.approx(
                (terms.logsumexp(0) - table[i, i]).item(), abs=1e-5
            )


@pytest.mark.parametrize("kind", ["nce", "curl"])
@pytest.mark.parametrize("within", [False, True])
def test_other_steps_of_a_sequence_say_nothing_unless_asked(kind: str, within: bool) -> None:
    loss, network = loss_of(kind, use_all_targets=within)
    some = unrolled(network)
    only = torch.zeros(K + 1, B)
    only[1, 0] = 1.0
    first = loss(network, some._replace(scales=only)).item()
    with torch.no_grad():
        some.observations[2, 0] += 3.0
    assert (loss(network, some._replace(scales=only)).item() == first) != within
    with torch.no_grad():
        some.observations[2, 1] += 3.0
    assert loss(network, some._replace(scales=only)).item() != first


@pytest.mark.parametrize("kind", ["nce", "moco", "curl", "spr", "consistency"])
def test_what_was_not_seen_says_nothing(kind: str) -> None:
    """But for the mean and deviation that SimSiam normalises a batch by."""
    rows = torch.arange((K + 1) * B).view(K + 1, B)
    rows[1:, 2] = rows[2, 0] = -1
    losses = []
    for noise in (0.0, 2.0):
        loss, network = loss_of(kind)
        some = unrolled(network, rows=rows)
        with torch.no_grad():
            some.observations[rows < 0] += noise
            some.states[rows < 0] += noise
        loss(network, some)  # fills moco's queue
        losses.append(
            loss(network, some._replace(rows=torch.where(rows < 0, -1, rows + 99))).item()
        )
    assert losses[0] == losses[1] != 0


def test_a_queue_holds_the_last_keys_and_an_observation_is_not_its_own_negative() -> None:
    loss, network = loss_of("moco")
    assert isinstance(loss, MoCo)
    some = unrolled(network)
    assert loss(network, some).item() == 0  # nothing to tell from yet
    assert loss.rows.tolist() == [*range(12), *[-1] * 4]
    assert torch.allclose(loss.queue[:12].norm(dim=1), torch.ones(12))
    alone = loss(network, some).item()
    assert loss.rows.tolist() == [*range(4, 12), *range(8, 12), *range(4)]
    assert loss(network, some._replace(rows=some.rows + 50)).item() > alone > 0
    assert loss.rows.tolist() == [*range(58, 62), *range(8, 12), *range(50, 58)]


def test_a_key_of_the_same_observation_is_left_out() -> None:
    loss, network = loss_of("moco", queue_size=12)
    assert isinstance(loss, MoCo)
    some = unrolled(network)
    loss(network, some)
    queries = torch.nn.functional.normalize(loss._projection(some.states.flatten(0, 1)), dim=1)
    scores = queries @ loss.queue.mT / 0.07
    expected = (scores.logsumexp(1) - scores.diagonal()) @ some.scales.reshape(-1)
    # one's own key counts once: as the positive, not again as a negative
    assert loss(network, some).item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize(
    ("space", "newest"),
    [
        (STACK, [3]),
        (Box(0, 255, (2, 96, 96, 3), np.uint8), [3, 4, 5]),
        (Box(0, 255, (96, 96, 3), np.uint8), [0, 1, 2]),
        (PICTURE, [0, 1, 2, 3]),
    ],
)
def test_the_newest_picture_of_a_stack_is_the_last_one(
    space: gymnasium.Space[Any], newest: list[int]
) -> None:
    observations = Observations(space)
    assert space.shape is not None
    # each picture's number in it, colours told apart
    seen = np.zeros(space.shape, space.dtype)
    if len(space.shape) == 4:
        seen += np.arange(6, dtype=np.uint8).reshape(2, 1, 1, 3)
    elif space.shape[0] == 4:
        seen += np.arange(4, dtype=np.uint8)[:, None, None]
    elif space.dtype == np.uint8:
        seen += np.arange(3, dtype=np.uint8)
    else:
        seen[:] = [False, True, True, False]
        newest = [0, 1, 1, 0]
    stored = torch.from_numpy(observations.stored([seen, seen])).float()
    assert observations.picture is not None
    pick = Newest(observations)
    picked = pick(stored.view(2, *observations.picture))
    assert picked[0, 0, 0].tolist() == newest
    assert (picked == picked[:1, :1, :1]).all()
    # a dense network reads the same numbers in a row
    assert torch.equal(pick(stored), picked.flatten(1))
    assert pick(stored).shape[1] == pick.width


def test_nce_reads_the_newest_picture_alone() -> None:
    stacked = Box(0, 255, (3, 12, 12), np.uint8)
    loss, network = loss_of("nce", stacked)
    some = unrolled(network, stacked)
    _, of_pictures = gradients(loss(network, some), some)
    assert of_pictures is not None
    assert of_pictures[..., :2].abs().max() == 0
    assert of_pictures[..., 2].abs().max() > 0


def test_nce_tells_states_apart_at_each_place() -> None:
    loss, network = loss_of("nce", PICTURE)
    assert isinstance(loss, NCE)
    some = unrolled(network, PICTURE)
    places = network.represent(some.observations[0]).shape[2:]
    assert loss._target(some.observations[0]).shape[2:] == places == (5, 5)


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


PICTURED = {"normalization": "batch", "augmentation": True, "augmentation_shift": 2}


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
