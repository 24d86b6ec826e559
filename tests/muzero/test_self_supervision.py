"""What states of the model are told from, or drawn to: which way gradients go, what is a
negative, and which picture of a stack is read."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from batches import small
from gymnasium.spaces import Box
from hypothesis import given, settings
from hypothesis import strategies as st
from self_supervised import ACTIONS, COMMON, KINDS, PICTURE, STACK, VECTOR, K
from torch import Tensor

from agents.muzero.building import widths_of
from agents.muzero.dense import initial
from agents.muzero.networks import Network
from agents.muzero.observations import Observations
from agents.muzero.self_supervision.base import Momentum, SelfSupervision, Unrolled
from agents.muzero.self_supervision.building import Newest, self_supervision_of
from agents.muzero.self_supervision.contrast import comparable, cross_entropies
from agents.muzero.self_supervision.moco import MoCo
from agents.muzero.self_supervision.nce import NCE, cosines
from agents.muzero.torch_building import dense_network, picture_network

B = 4


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
