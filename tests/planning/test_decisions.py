"""What is done at the root: ties, temperature, zero values, and the size of subtrees."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from small_worlds import Graph, GraphEvaluator, GraphSimulator

from agents.planning.decision import DecisionRule, decide, target_policy
from agents.planning.draws import stream_of
from agents.planning.planner import Budget, SearchSettings
from agents.planning.rollout_iw import RolloutIW
from agents.planning.settings import PlanningSettings
from agents.planning.tree import Tree

NOT = -np.inf


def test_at_temperature_0_the_policy_is_uniform_over_the_highest() -> None:
    assert target_policy(np.array([1.0, 2.0, 2.0, NOT]), 0.0).tolist() == [0, 0.5, 0.5, 0]
    assert target_policy(np.array([NOT, NOT]), 0.0).tolist() == [0.5, 0.5]


def test_a_temperature_makes_a_softmax() -> None:
    policy = target_policy(np.array([1.0, 0.0, NOT]), 0.5)
    np.testing.assert_allclose(policy, [np.exp(2) / (1 + np.exp(2)), 1 / (1 + np.exp(2)), 0])
    # no number is too large
    assert target_policy(np.array([-500_000.0, 1e9]), 0.01).tolist() == [0, 1]


def test_by_default_small_rewards_decide() -> None:
    assert PlanningSettings().target_temperature == 0.0
    assert target_policy(np.array([0.001, 0.0]), PlanningSettings().target_temperature).max() == 1


def searched(rewards: list[list[float]], successors: list[list[int]], **search: int) -> Tree:
    graph = Graph(successors, rewards, atoms=[[s] for s in range(len(rewards))])
    planner = RolloutIW(
        GraphSimulator(graph),
        GraphEvaluator(graph, len(rewards)),
        SearchSettings(),
        DecisionRule(1.0),
        np.random.default_rng(0),
    )
    tree = planner.new_tree()
    planner.begin(tree, 0)
    assert planner.plan(tree, Budget(1000)).statistics.solved
    return tree


def actions(tree: Tree, rule: DecisionRule, draws: int = 400) -> Counter[int]:
    stream = stream_of(np.random.default_rng(0))
    return Counter(decide(tree, rule, stream).action for _ in range(draws))


#: Action 0 leads to a long way of nothing, 1 to a short one, 2 loses at once.
NOTHING: tuple[list[list[float]], list[list[int]]] = (
    [[0, 0, -1], [0, 0, 0], [0, 0, 0], [0, 0, 0]],
    [[1, 3, 3], [2, 3, 3], [2] * 3, [3] * 3],
)


@pytest.mark.parametrize(
    ("rule", "expected"), [("uniform", {0, 1}), ("random", {0, 1}), ("longest", {0})]
)
def test_what_to_do_where_nothing_was_found(rule: str, expected: set[int]) -> None:
    tree = searched(*NOTHING)
    assert tree.q_values(1.0).tolist() == [0, 0, -1]
    counts = actions(tree, DecisionRule(1.0, zero_value=rule))
    assert set(counts) == expected
    # the target does not depend on it
    choice = decide(tree, DecisionRule(1.0, zero_value=rule), stream_of(np.random.default_rng(1)))
    assert choice.policy.tolist() == [0.5, 0.5, 0]


def test_a_found_value_goes_before_the_rule_for_nothing() -> None:
    rewards, successors = [row[:] for row in NOTHING[0]], NOTHING[1]
    rewards[0][1] = 1
    counts = actions(searched(rewards, successors), DecisionRule(1.0, zero_value="longest"))
    assert set(counts) == {1}


def test_ties_may_go_to_the_larger_subtree_and_never_to_a_lesser_value() -> None:
    tree = searched(*NOTHING)
    sizes = tree.subtree_sizes()
    assert sizes.sum() == tree.size - 1 and sizes[0] > sizes[1]
    counts = actions(tree, DecisionRule(1.0, subtree_temperature=1.0), 4000)
    ratio = np.exp(float(sizes[0] - sizes[1]))
    assert counts[0] / 4000 == pytest.approx(ratio / (1 + ratio), abs=0.03)
    # so cold that exp() of the difference is 0
    assert set(actions(tree, DecisionRule(1.0, subtree_temperature=1e-4))) == {0}
    rewards = [row[:] for row in NOTHING[0]]
    rewards[0] = [0, 0, 1]
    cold = DecisionRule(1.0, subtree_temperature=1e-4)
    assert set(actions(searched(rewards, NOTHING[1]), cold)) == {2}
