"""Regions share a high-level state; what is found in one is worth as much in all above it."""

from __future__ import annotations

import pickle
from typing import Any

import cv2
import numpy as np
import pytest
from gymnasium.spaces import Box
from test_agents_that_plan_and_learn import TILES, planner, play

from agents.base import AgentRefused
from agents.piiw.regions import Region, RegionTree
from agents.piiw.tiles import Tiles
from agents.planning.tree import CACHED, TRUNCATED


@pytest.fixture(params=["rollout-iw", "iw"])
def played(request: pytest.FixtureRequest) -> tuple[Any, list[tuple[RegionTree, Any]]]:
    """A planner, and its trees and decisions, each as it was before it was cut."""
    agent, environment = planner(
        "piHIW",
        **TILES,
        nodes=25,
        features="basic",
        guide="uniform",
        value_head="none",
        value_everywhere=False,
        low_level_planner=request.param,
    )
    seen: list[tuple[RegionTree, Any]] = []
    agent.on_decision = lambda tree, decision: seen.append((copied(tree), decision))
    play(agent, environment, 12)
    assert max(len(tree.regions) for tree, _ in seen) > 5
    return agent, seen


def copied(tree: RegionTree) -> RegionTree:
    other = RegionTree(tree.actions)
    other.load_state_dict(pickle.loads(pickle.dumps(tree.state_dict())))
    return other


Played = tuple[Any, list[tuple[RegionTree, Any]]]


def test_inside_a_region_the_high_level_state_stays_the_same(played: Played) -> None:
    agent, seen = played
    tiles = Tiles(agent.observation_space, 5, 5, 256)
    for tree, _ in seen:
        for region in tree.regions:
            for n, snapshot in enumerate(region.tree.snapshots):
                inner = region.entries.get(n)
                assert isinstance(snapshot, Region) == (inner is not None)
                if inner is not None:
                    assert (region.tree.child[n] < 0).all()
                    assert not region.tree.flags[n] & TRUNCATED
                    assert inner.depth == region.depth + 1
                    agent.simulator.restore(inner.tree.snapshots[0])
                    expected = inner
                elif snapshot is None:
                    continue
                else:
                    agent.simulator.restore(snapshot)
                    expected = region
                here = tiles(agent.simulator.observation())
                assert np.array_equal(here, expected.atoms)
                assert (inner is None) or inner.key != region.key


def test_q_is_that_of_the_whole_tree(played: Played) -> None:
    for tree, decision in played[1]:
        whole = tree.whole()
        assert whole.size == tree.size == len(whole.atoms)
        assert (whole.parent[1:] < np.arange(1, whole.size)).all()
        np.testing.assert_array_equal(whole.q_values(0.99), decision.q)
        np.testing.assert_array_equal(whole.subtree_sizes(), tree.subtree_sizes())
        statistics = decision.statistics
        assert statistics.mean_depth == pytest.approx(whole.depth[1:].mean())
        assert statistics.max_depth == whole.depth.max()


def test_the_chosen_subtree_is_kept_whatever_region_it_leads_to(played: Played) -> None:
    entered = 0
    for (tree, decision), (following, _) in zip(played[1], played[1][1:], strict=False):
        sizes, regions = tree.subtree_sizes(), len(tree.regions)
        child = int(tree.child_table[0, decision.action])
        if tree.nodes["flags"][child] & 3:  # the episode is over there
            continue
        entered += child in tree.regions[0].entries
        tree.reroot(decision.action)
        assert tree.size == sizes[decision.action]
        assert len(tree.regions) <= regions
        assert tree.regions[0].depth == 0
        kept = [region.tree.flags[1:] & CACHED > 0 for region in following.regions]
        assert int(np.concatenate(kept).sum()) == tree.size - 1
    assert entered


def test_without_cache_the_root_is_kept_alone(played: Played) -> None:
    for tree, decision in played[1]:
        if not tree.nodes["flags"][tree.child_table[0, decision.action]] & 3:
            tree.reroot(decision.action, keep_subtree=False)
            assert tree.size == len(tree.regions) == 1


def test_visits_are_of_an_episode() -> None:
    agent, environment = planner("piHIW", **TILES)
    play(agent, environment, 5)
    assert agent.planners[True].visits
    agent.planners[True].begin_episode()
    assert not agent.planners[True].visits


@pytest.mark.parametrize("shape", [(4, 84, 84), (84, 84, 3), (84, 84)])
def test_tiles_are_the_shrunk_newest_picture(shape: tuple[int, ...]) -> None:
    observation = np.random.default_rng(0).integers(256, size=shape).astype(np.uint8)
    newest = observation[-1] if shape[0] == 4 else observation
    if newest.ndim == 3:
        newest = cv2.cvtColor(newest, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(newest, (8, 11), interpolation=cv2.INTER_AREA)
    expected = np.floor(small / 255.0 * 7).ravel()
    tiles = Tiles(Box(0, 255, shape, np.uint8), 8, 11, 8)
    atoms = tiles(observation)
    assert np.array_equal(atoms // 8, np.arange(88))
    assert np.array_equal(atoms % 8, expected)
    assert tiles.atom_count == 8 * 11 * 8


def test_what_is_no_picture_has_no_tiles() -> None:
    with pytest.raises(AgentRefused, match="piHIW needs pictures of bytes"):
        Tiles(Box(0, 1, (84, 84), np.float32), 2, 2, 4)
