"""From the returns at a tree's root to a target policy and an action."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.planning.kernels.forms import Stream
from agents.planning.kernels.randomness import pick
from agents.planning.tree import Tree


class DecisionRule(NamedTuple):
    """How a decision follows from a tree.

    Attributes:
        gamma: discount inside the tree.
        temperature: of the softmax over Q; 0: uniform over the actions of the highest Q.
        risk_averse: see `Tree.returns`; it concerns choices, never the reward that is reported.
        value_everywhere: see `Tree.returns`.
        zero_value: what to do where nothing was found, every Q that is highest being 0: "uniform"
            over those actions as ever; "random", over all actions whose Q is 0, whether the highest
            or not; "longest", the one whose deepest descendant of zero return lies deepest.
        subtree_temperature: the acting policy is also weighted by the softmax of the sizes of the
            subtrees over this temperature; None: not weighted.
    """

    gamma: float
    temperature: float = 0.0
    risk_averse: bool = False
    value_everywhere: bool = False
    zero_value: str = "uniform"
    subtree_temperature: float | None = None


class Choice(NamedTuple):
    """Q [A] (-inf where not expanded), the target policy [A] and an action drawn."""

    q: NDArray[np.float64]
    policy: NDArray[np.float64]
    action: int


def decide(
    tree: Tree, rule: DecisionRule, stream: Stream, sizes: NDArray[np.int64] | None = None
) -> Choice:
    """The decision at the root. With nothing expanded it is uniformly random.

    Args:
        sizes: [A] of the subtrees, where these are more than the tree shows.
    """
    returns = tree.returns(
        rule.gamma, risk_averse=rule.risk_averse, value_everywhere=rule.value_everywhere
    )
    children = tree.child_table[0]
    q = np.where(children >= 0, returns[children], -np.inf)
    policy = target_policy(q, rule.temperature)
    acting = policy
    if rule.subtree_temperature is not None:
        sizes = tree.subtree_sizes() if sizes is None else sizes
        weights = np.where(policy > 0, sizes / rule.subtree_temperature, -np.inf)
        acting = policy * softmax(weights)
    elif rule.zero_value != "uniform" and q.max() == 0.0:
        acting = (q == 0.0).astype(np.float64)
        if rule.zero_value == "longest":
            depths = _zero_depths(tree, returns)
            acting *= depths == depths[q == 0.0].max()
    return Choice(q, policy, int(pick(acting, float(acting.sum()), stream)))


def target_policy(q: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """softmax(Q / temperature) [A]; at temperature 0 uniform over the actions of the highest Q."""
    highest = q.max()
    if highest == -np.inf:
        return np.full(len(q), 1 / len(q))
    if temperature == 0.0:
        best = q == highest
        return np.where(best, 1 / np.count_nonzero(best), 0.0)
    return softmax(q / temperature)


def softmax(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(x) / Σ exp(x); -inf has no weight."""
    weights: NDArray[np.float64] = np.exp(x - x.max())
    weights /= weights.sum()
    return weights


def _zero_depths(tree: Tree, returns: NDArray[np.float64]) -> NDArray[np.int64]:
    """[A] depth of the deepest node that each action leads to along nodes of return 0."""
    deepest = tree.depth.astype(np.int64)
    parents = tree.parent
    for n in range(tree.size - 1, 0, -1):
        if returns[n] == 0.0:
            deepest[parents[n]] = max(deepest[parents[n]], deepest[n])
    children = tree.child_table[0]
    return np.where(children >= 0, deepest[children], 0)
