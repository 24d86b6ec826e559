"""Returns in a tree are the best that can be reached; cutting a tree keeps what is below."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_worlds import Graph, GraphEvaluator, GraphSimulator, random_graph

from agents.planning.decision import DecisionRule
from agents.planning.evaluation import Evaluation
from agents.planning.planner import Budget, SearchSettings
from agents.planning.rollout_iw import RolloutIW
from agents.planning.tree import CACHED, LIFE_LOST, SOLVED, TERMINATED, TRUNCATED, Tree
from envs.simulator import Outcome

ATOMS = 12


def grown(graph: Graph, evaluator: GraphEvaluator, budget: int = 10_000, **search: Any) -> Any:
    """A planner, its tree and its decision, at state 0 of the graph."""
    planner = RolloutIW(
        GraphSimulator(graph),
        evaluator,
        SearchSettings(**search),
        DecisionRule(0.9),
        np.random.default_rng(3),
    )
    tree = planner.new_tree()
    planner.begin(tree, 0)
    return planner, tree, planner.plan(tree, Budget(budget))


def best(graph: Graph, values: list[float], state: int, left: int, gamma: float) -> float:
    """The highest discounted return of `left` steps from a state, by trying all."""
    if state in graph.terminal:
        return 0.0
    if left == 0:
        return values[state]
    return max(
        reward + gamma * best(graph, values, successor, left - 1, gamma)
        for successor, reward in zip(graph.successors[state], graph.rewards[state], strict=True)
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), depth=st.integers(1, 5), gamma=st.sampled_from([0.0, 0.9, 1.0]))
def test_q_is_the_highest_return_of_all_sequences_of_actions(
    seed: int, depth: int, gamma: float
) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, negative=True)
    evaluator = GraphEvaluator(graph, ATOMS, rng)
    evaluator.priors = None
    _, tree, _ = grown(graph, evaluator, width=0, max_depth=depth)
    assert tree.flags[0] & SOLVED
    expected = [
        reward + gamma * best(graph, evaluator.values, successor, depth - 1, gamma)
        for successor, reward in zip(graph.successors[0], graph.rewards[0], strict=True)
    ]
    np.testing.assert_allclose(tree.q_values(gamma), expected, rtol=1e-12, atol=1e-12)


def leaf_of(reward: float, lives: int, **flags: Any) -> Tree:
    """A root with 2 lives, two actions, and one child by action 1."""
    graph = Graph([[1, 1], [1, 1]], [[reward, reward]] * 2, atoms=[[0], [1]], lives=[2, lives])
    _, tree, _ = grown(graph, GraphEvaluator(graph, ATOMS), budget=1)
    assert isinstance(tree, Tree)
    return tree


def test_a_childs_reward_counts_once() -> None:
    tree = leaf_of(3.0, 2)
    child = int(tree.action[1])
    expected = [-np.inf, -np.inf]
    expected[child] = 3.0
    assert tree.q_values(0.9).tolist() == expected


def test_without_risk_aversion_a_negative_leaf_has_its_own_reward() -> None:
    assert leaf_of(-1.0, 1).returns(0.9)[1] == -1.0


@pytest.mark.parametrize(
    ("reward", "lives", "expected"),
    [(-1.0, 2, -50_000.0), (2.0, 2, 2.0), (2.0, 1, 2.0 - 500_000), (-1.0, 1, -550_000.0)],
)
def test_risk_aversion_weighs_losses(reward: float, lives: int, expected: float) -> None:
    tree = leaf_of(reward, lives)
    assert tree.returns(0.9, risk_averse=True)[1] == expected
    assert bool(tree.flags[1] & LIFE_LOST) == (lives < 2)


def test_a_terminated_state_has_no_value_and_a_truncated_one_has() -> None:
    for terminated in (True, False):
        graph = random_graph(np.random.default_rng(0))
        simulator = GraphSimulator(graph)
        simulator.step = lambda _, t=terminated: Outcome(1.0, t, not t)  # type: ignore[method-assign,misc]

        class Valued(GraphEvaluator):
            def __call__(self, simulator: Any, parent: Any = None) -> Evaluation:
                return super().__call__(simulator)._replace(value=5.0)

        planner = RolloutIW(
            simulator,
            Valued(graph, ATOMS),
            SearchSettings(),
            DecisionRule(0.5),
            np.random.default_rng(0),
        )
        tree = planner.new_tree()
        planner.begin(tree, 0)
        decision = planner.plan(tree, Budget(10))
        assert decision.statistics.generated == 3 and decision.statistics.solved
        assert decision.q.tolist() == ([1.0] * 3 if terminated else [3.5] * 3)
        assert (tree.flags[1:] & (TERMINATED if terminated else TRUNCATED) != 0).all()


def seen(tree: Tree, n: int) -> Any:
    """What is at a node and below it."""
    below = {a: seen(tree, c) for a, c in enumerate(tree.child[n].tolist()) if c >= 0}
    node = (float(tree.reward[n]), float(tree.value[n]), int(tree.lives[n]))
    return node, tree.snapshots[n], tree.atoms[n].tolist(), tree.prior[n].tolist(), below


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), budget=st.integers(5, 120), keep=st.booleans())
def test_cutting_a_tree_keeps_what_is_below_the_action(seed: int, budget: int, keep: bool) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    _, tree, _ = grown(graph, GraphEvaluator(graph, ATOMS, rng), budget)
    action = int(tree.action[1])
    child = int(tree.child[0, action])
    (_, value, lives), *rest = seen(tree, child)
    depths, path = tree.depth.copy(), tree.nodes["path_reward"][: tree.size].copy()
    members = [child]
    for n in range(child + 1, tree.size):
        if tree.parent[n] in members:
            members.append(n)
    tree.reroot(action, keep_subtree=keep)
    if not keep:
        rest[-1] = {}
        members = [child]
    assert seen(tree, 0) == ((0.0, value, lives), *rest)
    assert tree.size == len(members)
    assert tree.depth.tolist() == (depths[members] - 1).tolist()
    np.testing.assert_allclose(
        tree.nodes["path_reward"][: tree.size], path[members] - path[child], atol=1e-9
    )
    assert (tree.parent[1:] < np.arange(1, tree.size)).all()
    assert (tree.child_table[tree.size :] == -1).all()
    for n in range(tree.size):
        first, count = tree.nodes["first_atom"][n], tree.nodes["atom_count"][n]
        assert tree.pool[first : first + count].tolist() == tree.atoms[n].tolist()


def test_an_action_that_was_not_expanded_leads_nowhere() -> None:
    tree = leaf_of(0.0, 2)
    with pytest.raises(ValueError, match=r"action . was not expanded at the root"):
        tree.reroot(1 - int(tree.action[1]))


def test_a_tree_goes_on_from_its_saved_state() -> None:
    rng = np.random.default_rng(4)
    graph = random_graph(rng)
    planner, tree, _ = grown(graph, GraphEvaluator(graph, ATOMS, rng), 40)
    saved = pickle.loads(pickle.dumps((tree.state_dict(), planner.state_dict())))
    other, copy, _ = grown(graph, GraphEvaluator(graph, ATOMS, np.random.default_rng(4)), 1)
    other.evaluator = planner.evaluator
    copy.load_state_dict(saved[0])
    other.load_state_dict(saved[1])
    for _ in range(3):
        one, two = planner.plan(tree, Budget(30)), other.plan(copy, Budget(30))
        assert one.action == two.action and one.statistics == two.statistics
        assert seen(tree, 0) == seen(copy, 0)


def test_kept_ends_of_episodes_are_solved_again_however_deep() -> None:
    # a chain: action 0 goes on, action 1 ends the episode
    states = 8
    graph = Graph(
        successors=[[min(s + 1, states - 1), 0] for s in range(states)],
        rewards=[[0.0, 0.0]] * states,
        terminal=frozenset({0, states - 1}),
        atoms=[[s] for s in range(states)],
    )
    simulator = GraphSimulator(graph)
    simulator.state = 1
    planner = RolloutIW(
        simulator,
        GraphEvaluator(graph, ATOMS),
        SearchSettings(),
        DecisionRule(0.9),
        np.random.default_rng(0),
    )
    tree = planner.new_tree()
    planner.begin(tree, 1)
    assert planner.plan(tree, Budget(100)).statistics.solved
    tree.reroot(0)
    decision = planner.plan(tree, Budget(0))
    ends = tree.flags & TERMINATED != 0
    assert ends.sum() == 6
    assert (tree.flags[ends] & SOLVED != 0).all() and (tree.flags & CACHED != 0).all()
    assert decision.statistics.solved  # all that is there ends
