"""Rollout IW grows the tree that its pseudocode grows, node by node, from the same numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_planning import SlowRolloutIW, SlowStream, SlowTable
from small_worlds import (
    Graph,
    GraphEvaluator,
    GraphSimulator,
    LazyGraphEvaluator,
    random_graph,
)

from agents.planning.decision import DecisionRule
from agents.planning.planner import Budget, SearchSettings
from agents.planning.rollout_iw import RolloutIW
from agents.planning.tree import CACHED, PRUNED, SOLVED, TERMINATED, Tree

ATOMS = 12
RULE = DecisionRule(0.9)


def planner_of(
    graph: Graph, seed: int = 0, evaluator: GraphEvaluator | None = None, **search: Any
) -> RolloutIW:
    evaluator = evaluator or GraphEvaluator(graph, ATOMS)
    rng = np.random.default_rng(seed)
    return RolloutIW(GraphSimulator(graph), evaluator, SearchSettings(**search), RULE, rng)


def root_of(planner: RolloutIW) -> Tree:
    tree = planner.new_tree()
    planner.simulator.reset()
    planner.begin(tree, planner.simulator.save())
    return tree


def assert_same(tree: Tree, slow: SlowRolloutIW) -> None:
    numbers = {id(node): number for number, node in enumerate(slow.nodes)}
    assert tree.size == len(slow.nodes)
    for n, node in enumerate(slow.nodes):
        assert tree.snapshots[n] == (None if node.ended else node.state)
        assert tree.parent[n] == (-1 if node.parent is None else numbers[id(node.parent)])
        assert (tree.action[n], tree.reward[n]) == (node.action, node.reward)
        assert tree.depth[n] == node.depth
        flags = tree.flags[n]
        assert bool(flags & TERMINATED) == node.ended
        assert bool(flags & SOLVED) == node.solved
        assert bool(flags & PRUNED) == node.pruned
        assert list(tree.atoms[n]) == slow.graph.atoms[node.state]


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    width=st.sampled_from([0, 1, 2, None]),
    magnitudes=st.booleans(),
    cached_in_table=st.booleans(),
    terminal_atoms=st.booleans(),
    max_depth=st.sampled_from([None, 3, 6]),
    guided=st.booleans(),
    budget=st.integers(1, 60),
)
def test_the_tree_is_that_of_the_pseudocode(
    seed: int,
    width: int | None,
    magnitudes: bool,
    cached_in_table: bool,
    terminal_atoms: bool,
    max_depth: int | None,
    guided: bool,
    budget: int,
) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    evaluator = GraphEvaluator(graph, ATOMS, rng if guided else None)
    planner = planner_of(
        graph,
        seed,
        evaluator,
        width=width,
        magnitudes=magnitudes,
        cached_in_table=cached_in_table,
        terminal_atoms=terminal_atoms,
        max_depth=max_depth,
    )
    uniform = [[1 / 3] * 3] * len(graph.atoms)
    slow = SlowRolloutIW(
        graph,
        None if width == 0 else SlowTable(width, magnitudes=magnitudes),
        uniform if evaluator.priors is None else [prior.tolist() for prior in evaluator.priors],
        SlowStream(int(planner.stream[0])),
        cached_in_table=cached_in_table,
        terminal_atoms=terminal_atoms,
        max_depth=math.inf if max_depth is None else max_depth,
    )
    tree = root_of(planner)
    for _ in range(4):
        decision = planner.plan(tree, Budget(budget))
        slow.plan(budget)
        assert_same(tree, slow)
        child = tree.child[0, decision.action]
        if child < 0 or tree.flags[child] & TERMINATED:
            return
        tree.reroot(decision.action)
        slow.reroot(decision.action)
        slow.stream.state = int(planner.stream[0])  # the decision drew a number


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), budget=st.integers(1, 50))
def test_a_lazy_guide_grows_the_same_tree_and_is_asked_where_an_action_is_chosen(
    seed: int, budget: int
) -> None:
    trees, asked = [], []
    for kind in (GraphEvaluator, LazyGraphEvaluator):
        rng = np.random.default_rng(seed)
        graph = random_graph(rng)
        evaluator = kind(graph, ATOMS, rng)
        planner = planner_of(graph, seed, evaluator)
        tree = root_of(planner)
        for _ in range(3):
            decision = planner.plan(tree, Budget(budget))
            trees.append((tree.parent.copy(), tree.action.copy(), tree.flags.copy()))
            child = tree.child[0, decision.action]
            if child < 0 or tree.flags[child] & TERMINATED:
                break
            tree.reroot(decision.action)
        if isinstance(evaluator, LazyGraphEvaluator):
            asked = evaluator.asked
    eager, lazy = trees[: len(trees) // 2], trees[len(trees) // 2 :]
    for one, other in zip(eager, lazy, strict=True):
        for first, second in zip(one, other, strict=True):
            np.testing.assert_array_equal(first, second)
    assert len(asked) <= sum(int((flags & CACHED == 0).sum()) for _, _, flags in lazy) + 1


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), budget=st.integers(0, 80))
def test_the_budget_is_exact_until_nothing_is_left_to_search(seed: int, budget: int) -> None:
    graph = random_graph(np.random.default_rng(seed))
    planner = planner_of(graph, seed)
    simulator: Any = planner.simulator
    tree = root_of(planner)
    for _ in range(3):
        before, steps = tree.size, simulator.steps
        decision = planner.plan(tree, Budget(budget))
        generated = decision.statistics.generated
        assert generated == tree.size - before
        assert generated == simulator.steps - steps
        assert generated == budget or (generated < budget and decision.statistics.solved)
        child = tree.child[0, decision.action]
        if child < 0 or tree.flags[child] & TERMINATED:
            return
        tree.reroot(decision.action)


def shallowest(graph: Graph) -> dict[int, int]:
    """Atom -> least number of steps to a state that shows it, by breadth-first search."""
    depths, frontier, at = {0: 0}, [0], 0
    while frontier:
        at += 1
        reached = []
        for state in frontier:
            if state in graph.terminal:
                continue
            for successor in graph.successors[state]:
                if successor not in depths:
                    depths[successor] = at
                    reached.append(successor)
        frontier = reached
    least: dict[int, int] = {}
    for state, depth in depths.items():
        for atom in graph.atoms[state]:
            least[atom] = min(depth, least.get(atom, depth))
    return least


def iw1_depths(graph: Graph) -> dict[int, int]:
    """Atom -> depth at which IW(1) by breadth-first search first sees it, all orders agreeing
    where every state is the only one of its first atom."""
    least = dict.fromkeys(graph.atoms[0], 0)
    frontier, depth = [0], 0
    while frontier:
        depth += 1
        reached: list[int] = []
        for state in frontier:
            if state in graph.terminal:
                continue
            for successor in graph.successors[state]:
                if any(atom not in least for atom in graph.atoms[successor]):
                    reached.append(successor)
                    for atom in graph.atoms[successor]:
                        least.setdefault(atom, depth)
        frontier = reached
    return least


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_solved_tree_sees_no_atom_earlier_than_breadth_first_search(seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed))
    planner = planner_of(graph, seed)
    tree = root_of(planner)
    assert planner.plan(tree, Budget(10_000)).statistics.solved
    least = shallowest(graph)
    for n in range(tree.size):
        for atom in tree.atoms[n]:
            assert tree.depth[n] >= least[int(atom)]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_solved_tree_covers_the_atoms_of_iw1_at_equal_depths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, states=ATOMS)
    graph.atoms = [[state] for state in range(ATOMS)]  # no two states share an atom
    planner = planner_of(graph, seed)
    tree = root_of(planner)
    assert planner.plan(tree, Budget(10_000)).statistics.solved
    found: dict[int, int] = {}
    for n in range(tree.size):
        atom = int(tree.atoms[n][0])
        found[atom] = min(int(tree.depth[n]), found.get(atom, 10_000))
    assert found == iw1_depths(graph)


def test_a_solved_child_is_never_walked_into() -> None:
    # one action ends at once; all others lead on for ever to new atoms
    chain = Graph(
        successors=[[0, 0]] + [[0, min(s + 1, 11)] for s in range(1, 12)],
        rewards=[[0.0, 0.0]] * 12,
        terminal=frozenset({0}),
        atoms=[[s] for s in range(12)],
    )
    chain.successors[0] = [0, 0]
    chain.successors[1] = [0, 2]
    planner = planner_of(chain)
    tree = planner.new_tree()
    planner.simulator.restore(1)
    planner.begin(tree, 1)
    planner.plan(tree, Budget(40))
    assert len({(int(p), int(a)) for p, a in zip(tree.parent, tree.action, strict=True)}) == (
        tree.size
    )
    assert tree.flags[0] & SOLVED


def test_frame_repetition_extends_what_looks_alike_by_its_own_action() -> None:
    # action 1 shows something new only after three steps that show nothing
    graph = Graph(
        successors=[[0, 1], [0, 2], [0, 3], [0, 3]],
        rewards=[[0.0, 0.0]] * 4,
        atoms=[[0], [0], [0], [5]],
    )
    depths = {}
    for repeats in (0, 1, 2, 4):
        planner = planner_of(graph, max_repeats=repeats)
        tree = root_of(planner)
        planner.plan(tree, Budget(500))
        assert tree.flags[0] & SOLVED
        depths[repeats] = {int(a) for n in range(tree.size) for a in tree.atoms[n]}
        alike = [n for n in range(1, tree.size) if tree.nodes["repeats"][n] > 0]
        for n in alike:
            others = tree.child[n][np.arange(2) != tree.action[n]]
            assert tree.nodes["repeats"][n] > repeats or (others == -1).all()
    assert 5 not in depths[0]
    assert 5 in depths[4]


def test_seconds_are_a_budget_too() -> None:
    graph = random_graph(np.random.default_rng(1), states=200)
    planner = planner_of(graph, width=0)
    tree = root_of(planner)
    planner.plan(tree, Budget(nodes=1))  # compiles
    decision = planner.plan(tree, Budget(nodes=None, seconds=0.05))
    assert decision.statistics.generated > 50
    assert planner.seconds.total < 60


@pytest.mark.parametrize("size", [2, 17, 60])
def test_a_tree_grows_no_larger_than_it_may(size: int) -> None:
    graph = random_graph(np.random.default_rng(2), states=200)
    planner = planner_of(graph, width=0, max_tree_size=size)
    tree = root_of(planner)
    planner.plan(tree, Budget(100))
    assert tree.size == size
