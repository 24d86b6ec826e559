"""What a model is told of past experience."""

from __future__ import annotations

import numpy as np
import torch
from drifting import Encoded, Plain, rollouts

from agents.world_models.sequence.retrieval import Retrieval
from agents.world_models.sequence.table import LatentTable

WINDOW = 3


def filled(table: LatentTable, *, neighbours: int = 1, size: int = 512) -> Retrieval:
    retrieval = Retrieval(
        2,
        2,
        window=WINDOW,
        neighbours=neighbours,
        key_size=16,
        temperature=0.1,
        size=size,
        generator=torch.Generator().manual_seed(0),
    )
    retrieval.fill(table, np.random.default_rng(0))
    return retrieval


def moments(retrieval: Retrieval, encoded: Encoded) -> torch.Tensor:
    """[1, T, D + A] of a rollout."""
    latents, actions = torch.from_numpy(encoded.means[:-1]), torch.from_numpy(encoded.actions)
    return retrieval.moment(latents, actions).unsqueeze(0)


def change(retrieval: Retrieval, encoded: Encoded, step: int) -> torch.Tensor:
    after = torch.from_numpy(encoded.means[step + 1] - encoded.means[step])
    return after / retrieval.scale


def test_a_planted_neighbour_is_found_and_its_outcome_told() -> None:
    some = rollouts(0, 5, 20)
    # rollout 4 begins as rollout 1 does, and is seen to go elsewhere after step 2
    planted = some[4]._replace(means=some[4].means.copy(), actions=some[4].actions.copy())
    planted.means[:3], planted.actions[:3] = some[1].means[:3], some[1].actions[:3]
    planted.means[3] = (7.0, -7.0)
    retrieval = filled(LatentTable([*some[:4], planted], Plain(2)))
    keys = retrieval.keys_along(moments(retrieval, some[1]))
    found = retrieval.find(keys[:, 2], torch.tensor([1]))
    assert torch.allclose(found[0], change(retrieval, planted, 2), atol=1e-4)


def test_nothing_is_found_of_the_rollout_itself_neither_its_past_nor_its_future() -> None:
    some = rollouts(0, 3, 20)
    retrieval = filled(LatentTable(some, Plain(2)))
    keys = retrieval.keys_along(moments(retrieval, some[1]))[0]
    own = retrieval.find(keys)
    other = retrieval.find(keys, torch.ones(20, dtype=torch.int64))
    elsewhere = {
        tuple(np.round(change(retrieval, some[number], step).numpy(), 3))
        for number in (0, 2)
        for step in range(20)
    }
    windows_end_at = range(0, 20, WINDOW // 2)
    for step in windows_end_at:
        assert torch.allclose(own[step], change(retrieval, some[1], step), atol=1e-4)
    assert {tuple(np.round(row, 3)) for row in other.numpy()} <= elsewhere


def test_the_only_rollout_finds_nothing_and_is_told_of_no_change() -> None:
    (alone,) = rollouts(0, 1, 20)
    retrieval = filled(LatentTable([alone], Plain(2)), neighbours=4)
    keys = retrieval.keys_along(moments(retrieval, alone))[0]
    assert not retrieval.find(keys, torch.zeros(20, dtype=torch.int64)).any()


def test_nearer_windows_weigh_more() -> None:
    retrieval = filled(LatentTable(rollouts(0, 3, 20), Plain(2)), neighbours=3)
    query = retrieval.keys[5:6] + 0.01
    distances = (retrieval.keys[retrieval.owners >= 0] - query).square().sum(1)
    nearest = distances.argsort()[:3]
    weights = torch.softmax(-distances[nearest] / 0.1, 0)
    expected = (weights.unsqueeze(1) * retrieval.values[nearest]).sum(0)
    assert torch.allclose(retrieval.find(query)[0], expected, atol=1e-5)


def test_distances_of_keys_are_about_those_of_windows() -> None:
    retrieval = filled(LatentTable(rollouts(0, 8, 20), Plain(2)), size=512)
    windows = torch.randn(400, WINDOW, 4, generator=torch.Generator().manual_seed(1))
    keys = retrieval.key(windows)
    true = (windows[:200] - windows[200:]).square().mean((1, 2))
    kept = (keys[:200] - keys[200:]).square().sum(1)
    assert np.corrcoef(true.numpy(), kept.numpy())[0, 1] > 0.6


def test_no_more_windows_are_kept_than_asked_for() -> None:
    retrieval = filled(LatentTable(rollouts(0, 8, 20), Plain(2)), size=50)
    assert len(retrieval.keys) == 50
    assert len(set(retrieval.owners.tolist())) > 4
