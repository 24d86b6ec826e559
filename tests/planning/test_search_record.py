"""A planning step as a file: what it says is what was searched, and recording changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_worlds import GraphEvaluator, GraphSimulator, random_graph

from agents.planning.decision import DecisionRule
from agents.planning.features import Unguided, make_features
from agents.planning.planner import Budget, Decision, SearchSettings
from agents.planning.rollout_iw import RolloutIW
from agents.planning.search_record import search_record, simulated_pictures
from agents.planning.tree import CACHED, Tree
from agents.search_file import encode
from envs.settings import EnvironmentSettings
from envs.simulator import Simulator, make_simulator
from plotting.search_view.record import Search, parse

GAMMA = 0.9


def read(record: dict[str, Any]) -> Search:
    """By those who draw it."""
    return parse(encode(record), "search.json")


def graph_search(
    seed: int, **search: Any
) -> tuple[RolloutIW, Tree, list[Decision], GraphSimulator]:
    """Three decisions in a random world, the tree as it was at the last."""
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, negative=True)
    simulator = GraphSimulator(graph)
    evaluator = GraphEvaluator(graph, 12, rng)
    planner = RolloutIW(
        simulator,
        evaluator,
        SearchSettings(**search),
        DecisionRule(GAMMA),
        np.random.default_rng(1),
    )
    tree, decisions = planner.new_tree(), []
    planner.begin(tree, simulator.save())
    for number in range(3):
        decisions.append(planner.plan(tree, Budget(nodes=20)))
        child = tree.child_table[0, decisions[-1].action]
        if number == 2 or child < 0 or simulator.graph.terminal & {tree.snapshots[child], None}:
            break
        if tree.snapshots[child] is None:
            break
        tree.reroot(decisions[-1].action)
    return planner, tree, decisions, simulator


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([1, 2, None]))
def test_the_record_is_the_search(seed: int, in_table: bool, width: int | None) -> None:
    planner, tree, decisions, simulator = graph_search(seed, cached_in_table=in_table, width=width)
    decision = decisions[-1]
    names = simulator.action_names
    found = read(search_record(tree, decision, planner, actions=names, budget=Budget(20)))
    nodes = found.nodes
    assert nodes.parent == tree.parent.tolist()
    assert nodes.depth == tree.depth.tolist()
    assert found.budget == {"nodes": 20, "seconds": None}
    assert found.chosen == decision.action
    q = [value if np.isfinite(value) else None for value in decision.q]
    assert found.root.q == q
    children = {nodes.action[child]: child for child in found.children()[0]}
    assert [nodes.returns[children[a]] if a in children else None for a in range(3)] == q
    for node in range(1, len(found)):
        assert nodes.prior[node] == tree.prior[nodes.parent[node], nodes.action[node]]
    assert sum(nodes.cached) == decision.statistics.cached  # the root is no cached node
    assert sum(nodes.pruned[len(found) - decision.statistics.generated :]) == (
        decision.statistics.pruned
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_the_novel_atoms_are_those_that_the_planner_counted(seed: int, in_table: bool) -> None:
    planner, tree, decisions, simulator = graph_search(seed, cached_in_table=in_table)
    found = read(
        search_record(tree, decisions[-1], planner, actions=simulator.action_names, atom_name=str)
    )
    for node, names in enumerate(found.nodes.novel_atoms):
        if not found.nodes.cached[node]:
            assert len(names) == found.nodes.new_atoms[node]
        assert set(map(int, names)) <= set(tree.atoms[node].tolist())


def test_wider_novelty_is_counted_without_names() -> None:
    planner, tree, decisions, simulator = graph_search(0, width=2)
    names = simulator.action_names
    found = read(search_record(tree, decisions[-1], planner, actions=names, atom_name=str))
    assert any(found.nodes.new_atoms)
    assert not any(found.nodes.novel_atoms)


# Pictures


@pytest.fixture(scope="module")
def maze() -> Iterator[Simulator]:
    found = make_simulator(
        EnvironmentSettings(env_name="sweep/KeyDoorMaze0-v1", total_timesteps=100)
    )
    yield found
    found.close()


def plan(maze: Simulator, decisions: int, *, record: bool) -> tuple[RolloutIW, Tree, list[int]]:
    """Plays; says the actions taken."""
    rng = np.random.default_rng(0)
    evaluator = Unguided(make_features("basic", maze, rng))
    planner = RolloutIW(maze, evaluator, SearchSettings(), DecisionRule(GAMMA), rng)
    maze.reset(0)
    tree, taken = planner.new_tree(), []
    planner.begin(tree, maze.save())
    for number in range(decisions):
        decision = planner.plan(tree, Budget(nodes=40))
        taken.append(decision.action)
        if record:
            pictures = simulated_pictures(tree, maze)
            search_record(tree, decision, planner, actions=maze.action_names, pictures=pictures)
        if number + 1 < decisions:
            tree.reroot(decision.action)
    return planner, tree, taken


def test_recording_changes_no_decision(maze: Simulator) -> None:
    assert plan(maze, 6, record=True)[2] == plan(maze, 6, record=False)[2]


def test_every_node_has_the_picture_of_its_state_and_equal_ones_are_one(maze: Simulator) -> None:
    planner, tree, _ = plan(maze, 1, record=False)
    pictures = simulated_pictures(tree, maze)
    decision = planner.plan(tree, Budget(nodes=20))
    found = read(
        search_record(tree, decision, planner, actions=maze.action_names, pictures=pictures)
    )
    assert min(found.nodes.image) == 0
    assert len(found.images) < len(found)
    seen: dict[int, bytes] = {}
    for node, image in enumerate(found.nodes.image):
        path: list[int] = []
        at = node
        while at:
            path.insert(0, found.nodes.action[at])
            at = found.nodes.parent[at]
        maze.reset(0)
        for action in path:
            maze.step(action)
        drawn = maze.picture().tobytes()
        assert seen.setdefault(image, drawn) == drawn
    assert len(set(seen.values())) == len(seen)
    ends = [node for node in range(len(found)) if found.nodes.terminated[node]]
    assert ends, "a wall is near"


def test_a_root_picture_from_elsewhere(maze: Simulator) -> None:
    _, tree, _ = plan(maze, 1, record=False)
    white = np.full((9, 9, 3), 255, dtype=np.uint8)
    pictures = simulated_pictures(tree, maze, white)
    assert pictures(0) is white
    other = pictures(1)
    assert other is not None
    assert other.shape == maze.picture().shape


def test_what_cannot_be_drawn_has_no_pictures() -> None:
    planner, tree, decisions, simulator = graph_search(3)
    pictures = simulated_pictures(tree, simulator)
    record = search_record(
        tree, decisions[-1], planner, actions=simulator.action_names, pictures=pictures
    )
    assert set(record["nodes"]["image"]) == {-1}
    assert record["images"] == []
    assert tree.flags[0] & CACHED  # the tree itself is as it was
