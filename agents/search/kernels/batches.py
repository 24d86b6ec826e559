"""A batch of trees, around the calls of a model; noise and ties without columns are none."""

from __future__ import annotations

import numpy as np

from agents.search.kernels import tree
from agents.search.kernels.compiling import entry
from agents.search.trees import Floats, Integers, Trees


@entry
def begin(trees: Trees, logits: Floats, values: Floats, dirichlet: Floats, gumbel: Floats) -> None:
    """See `agents.search.plain.begin`."""
    rules, widest = trees.rules[0], len(trees.halving) - 1
    for b in range(len(logits)):
        tree.begin(
            trees.nodes[b],
            trees.edges[b],
            trees.roots[b],
            rules,
            trees.scores[b],
            widest,
            logits[b],
            values[b],
            dirichlet[b],
            gumbel[b],
        )


@entry
def select(
    trees: Trees,
    simulation: int,
    ties: Floats,
    parents: Integers,
    actions: Integers,
    rows: Integers,
) -> None:
    """See `agents.search.plain.select`."""
    rules, count = trees.rules[0], trees.edges.shape[1]
    policy = np.empty(trees.edges.shape[2])
    for b in range(len(parents)):
        root = trees.roots[b]
        parents[b], actions[b] = tree.select(
            trees.nodes[b],
            trees.edges[b],
            root,
            rules,
            trees.scores[b],
            trees.exploration,
            trees.halving[root.considered, simulation],
            ties[b],
            policy,
        )
        rows[b] = b * count + parents[b]


@entry
def grow(
    trees: Trees,
    simulation: int,
    parents: Integers,
    actions: Integers,
    rewards: Floats,
    logits: Floats,
    values: Floats,
) -> None:
    """See `agents.search.plain.grow`."""
    rules = trees.rules[0]
    for b in range(len(parents)):
        tree.grow(
            trees.nodes[b],
            trees.edges[b],
            trees.roots[b],
            rules,
            simulation + 1,
            parents[b],
            actions[b],
            rewards[b],
            logits[b],
            values[b],
        )


@entry
def finish(
    trees: Trees,
    ties: Floats,
    visits: Integers,
    q: Floats,
    values: Floats,
    policy: Floats,
    chosen: Integers,
) -> None:
    """See `agents.search.plain.finish`."""
    for b in range(len(visits)):
        values[b], chosen[b] = tree.finish(
            trees.edges[b, 0],
            trees.nodes[b, 0],
            trees.rules[0],
            trees.scores[b],
            ties[b, 0],
            visits[b],
            q[b],
            policy[b],
        )
