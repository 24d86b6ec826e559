"""Breadth-first, count-based and random planners."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from small_worlds import Graph, GraphEvaluator, GraphSimulator, random_graph

from agents.planning.breadth_first import BreadthFirst
from agents.planning.count_based import CountBasedRolloutIW
from agents.planning.decision import DecisionRule
from agents.planning.planner import Budget, Planner, SearchSettings
from agents.planning.rollout_iw import RolloutIW
from agents.planning.tree import CACHED, PRUNED, SOLVED, TERMINATED, Tree

ATOMS = 12


def begun(
    kind: type[Planner], graph: Graph, seed: int, guide: bool = False, **search: Any
) -> tuple[Any, Tree]:
    rng = np.random.default_rng(seed)
    planner = kind(
        GraphSimulator(graph),
        GraphEvaluator(graph, ATOMS, rng if guide else None),
        SearchSettings(**search),
        DecisionRule(0.9),
        rng,
    )
    tree = planner.new_tree()
    planner.begin(tree, 0)
    return planner, tree


def states(tree: Tree, graph: Graph) -> list[int]:
    """The state of each node, by playing its actions from the root's."""
    found = [tree.snapshots[0]]
    for n in range(1, tree.size):
        found.append(graph.successors[found[tree.parent[n]]][tree.action[n]])
    return found


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), guide=st.booleans())
def test_breadth_first_search_finds_every_state_at_its_distance(seed: int, guide: bool) -> None:
    graph = random_graph(np.random.default_rng(seed))
    graph.atoms = [[s] for s in range(len(graph.atoms))]
    planner, tree = begun(BreadthFirst, graph, seed, width=None)
    decision = planner.plan(tree, Budget(10_000))
    assert decision.statistics.solved
    distance, frontier = {0: 0}, [0]
    while frontier:
        reached = []
        for state in frontier:
            if state in graph.terminal:
                continue
            for successor in graph.successors[state]:
                if successor not in distance:
                    distance[successor] = distance[state] + 1
                    reached.append(successor)
        frontier = reached
    found: dict[int, int] = {}
    for n, state in enumerate(states(tree, graph)):
        found.setdefault(state, int(tree.depth[n]))
    assert found == distance
    assert (np.diff(tree.depth) >= 0).all()
    # each state is expanded once, by all its actions
    expanded = len(set(distance) - graph.terminal)
    assert tree.size == 1 + expanded * 3


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), budget=st.integers(1, 30))
def test_iw_expands_what_is_novel_in_the_order_found(seed: int, budget: int) -> None:
    graph = random_graph(np.random.default_rng(seed))
    planner, tree = begun(BreadthFirst, graph, seed)
    decision = planner.plan(tree, Budget(budget))
    assert decision.statistics.generated == budget or decision.statistics.solved
    assert (np.diff(tree.depth) >= 0).all()
    seen: set[int] = set()
    for n, state in enumerate(states(tree, graph)):
        novel, ended = bool(set(graph.atoms[state]) - seen), bool(tree.flags[n] & TERMINATED)
        seen |= set(graph.atoms[state])
        assert bool(tree.flags[n] & PRUNED) == (not novel and not ended)
        if not novel or ended:
            assert (tree.child[n] == -1).all()


def test_a_cached_tree_is_found_again_without_cost() -> None:
    graph = random_graph(np.random.default_rng(5))
    graph.terminal = frozenset()
    planner, tree = begun(BreadthFirst, graph, 5)
    decision = planner.plan(tree, Budget(20))
    tree.reroot(decision.action)
    steps, size = planner.simulator.steps, tree.size
    again = planner.plan(tree, Budget(7))
    assert planner.simulator.steps - steps == again.statistics.generated == tree.size - size <= 7
    assert (tree.flags[:size] & CACHED != 0).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), budget=st.integers(1, 60))
def test_count_based_rollouts_extend_what_was_extended_least(seed: int, budget: int) -> None:
    graph = random_graph(np.random.default_rng(seed))
    planner, tree = begun(CountBasedRolloutIW, graph, seed)
    for _ in range(3):
        size = tree.size
        decision = planner.plan(tree, Budget(budget))
        assert tree.size - size == decision.statistics.generated <= budget
        least: dict[int, int] = {}
        played = states(tree, graph)
        for n in range(tree.size):
            novel = any(int(tree.depth[n]) < least.get(a, 10**6) for a in graph.atoms[played[n]])
            for atom in graph.atoms[played[n]]:
                least[atom] = min(int(tree.depth[n]), least.get(atom, 10**6))
            ended = bool(tree.flags[n] & TERMINATED)
            if not novel and not ended:
                assert tree.flags[n] & PRUNED
        child = tree.child[0, decision.action]
        if child < 0 or tree.flags[child] & TERMINATED:
            break
        tree.reroot(decision.action)
    assert sum(planner.visits.values()) >= planner.simulator.steps
    planner.begin_episode()
    assert not planner.visits


def test_count_based_rollouts_prefer_seldom_atoms() -> None:
    graph = random_graph(np.random.default_rng(0), states=40, actions=4, atom_count=12)
    planner, tree = begun(CountBasedRolloutIW, graph, 0)
    planner.visits[tree.atoms[0].tobytes()] = 10_000
    planner.plan(tree, Budget(25))
    # the root, visited so often, is left as soon as there is anything else
    assert (tree.parent[1:] == 0).sum() <= 3


def test_random_rollouts_know_no_novelty() -> None:
    graph = random_graph(np.random.default_rng(1))
    planner, tree = begun(RolloutIW, graph, 1, width=0, max_depth=5)
    planner.plan(tree, Budget(100_000))
    assert tree.flags[0] & SOLVED and not (tree.flags & PRUNED).any()
    ends = (tree.depth == 5) | (tree.flags & TERMINATED != 0)
    assert ((tree.child == -1).all(axis=1) == ends).all()


def test_a_guide_decides_where_rollouts_go() -> None:
    graph = random_graph(np.random.default_rng(2), states=200)
    planner, tree = begun(RolloutIW, graph, 2, guide=True, width=0)
    planner.evaluator.priors = [np.array([1.0, 0.0, 0.0])] * 200
    planner.begin(tree, 0)
    planner.plan(tree, Budget(30))
    assert set(tree.action[1:].tolist()) == {0}
