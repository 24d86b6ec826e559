"""One tree: by its nodes [N], its edges [N, A] and the record of its root."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from agents.search.kernels.compiling import inner
from agents.search.kernels.nodes import (
    TINY,
    by_gumbel,
    by_halving,
    by_ucb,
    disturb,
    first_untried,
    improved,
    is_better,
    normalised,
    range_scale,
    widen,
    write_node,
)
from agents.search.trees import (
    GUMBEL,
    NONE,
    PARENT_MEAN,
    PARENT_VALUE,
    PUCT,
    Q_UCB,
    TREE,
    UNKNOWN,
    Floats,
    Integers,
)

Nodes = Any  # [N] of one tree
Edges = Any  # [N, A] of one tree


@inner
def begin(
    nodes: Nodes,
    edges: Edges,
    root: Any,
    rules: Any,
    scores: Floats,
    widest: int,
    logits: Floats,
    value: float,
    dirichlet: Floats,
    gumbel: Floats,
) -> None:
    """A root alone. `logits` [A] may be written over; noise of no length is none."""
    kind, fraction = rules.kind, rules.fraction
    noisy = len(dirichlet) > 0 and fraction > 0.0
    if kind == Q_UCB and noisy:
        disturb(logits, dirichlet, fraction)
    write_node(edges[0], nodes[0], kind, logits, value)
    nodes[0].parent = -1
    nodes[0].action = -1
    nodes[0].reward = 0.0
    root.low, root.high, legal = np.inf, -np.inf, 0
    for a in range(len(logits)):
        edge = edges[0, a]
        if edge.prior >= 0.0:
            legal += 1
            if kind == PUCT and noisy:
                edge.prior = (1.0 - fraction) * edge.prior + fraction * dirichlet[a]
            scores[a] = math.log(max(edge.prior, TINY))
            if len(gumbel) > 0:
                scores[a] += gumbel[a]
    root.considered = min(widest, legal)
    if kind == Q_UCB:
        widen(root, edges[0])


@inner
def walk_by_puct(
    nodes: Nodes, edges: Edges, root: Any, rules: Any, exploration: Floats, ties: Any
) -> tuple[int, int]:
    """The node and the action from which the tree grows next.

    Of a node's actions only those with children, most often few, and one other are looked at. There
    is no slice of an array for each node: numba counts references to them, which costs more.
    """
    within, means = rules.normalisation != TREE, rules.unvisited == PARENT_MEAN
    n, mean, off = 0, 0.0, rules.not_at_root
    while True:
        node = nodes[n]
        low, high, scale = node.value, node.value, -1.0
        total, count = (mean, 1) if n > 0 else (0.0, 0)
        if within or means:
            c = node.child
            while c >= 0:
                q = nodes[c].q
                low = q if q < low else low
                high = q if q > high else high
                total += q
                count += 1
                c = nodes[c].sibling
        if not within:
            low, high = root.low, root.high
        if rules.normalisation != NONE:
            low, scale = range_scale(low, high, rules)
        standing = low
        if means:
            mean = standing = total / max(count, 1)
        elif rules.unvisited == PARENT_VALUE:
            standing = node.value
        weight = exploration[node.visits - off]
        best = node.untried
        if weight == 0.0:
            best = first_untried(edges[n], ties[n], False)
        elif best == UNKNOWN:
            best = node.untried = first_untried(edges[n], ties[n], True)
        best_score, child = 0.0, -1
        if best >= 0:
            best_score = normalised(standing, low, scale) + edges[n, best].prior * weight
        c = node.child
        while c >= 0:
            taken = nodes[c]
            score = normalised(taken.q, low, scale) + taken.prior * weight / (1.0 + taken.visits)
            if best < 0 or score > best_score:
                best, best_score, child = taken.action, score, c
            elif score == best_score and is_better(score, best_score, ties[n], taken.action, best):
                best, child = taken.action, c
            c = taken.sibling
        if child < 0:
            return n, best
        n, off = child, rules.not_below


@inner
def select(
    nodes: Nodes,
    edges: Edges,
    root: Any,
    rules: Any,
    scores: Floats,
    exploration: Floats,
    visits: int,
    ties: Any,
    policy: Floats,
) -> tuple[int, int]:
    """The node and the action from which the tree grows next; `visits`: see `by_halving`."""
    kind, n = rules.kind, 0
    if kind == PUCT:
        n, action = walk_by_puct(nodes, edges, root, rules, exploration, ties)
        return n, action
    while True:
        here, node, tie = edges[n], nodes[n], ties[n]
        if kind == Q_UCB:
            action = by_ucb(here, root, rules, tie)
        elif n > 0:
            action = by_gumbel(here, node, rules, tie, policy)
        else:
            action = by_halving(here, node, rules, scores, visits, tie)
        child = here[action].child
        if child < 0:
            return n, action
        n = child


@inner
def grow(
    nodes: Nodes,
    edges: Edges,
    root: Any,
    rules: Any,
    n: int,
    parent: int,
    action: int,
    reward: float,
    logits: Floats,
    value: float,
) -> None:
    """Adds node `n` and backs its value up."""
    kind, discount = rules.kind, rules.discount
    write_node(edges[n], nodes[n], kind, logits, value)
    new, above = nodes[n], nodes[parent]
    new.parent = parent
    new.action = action
    new.reward = reward
    new.prior = edges[parent, action].prior
    new.sibling = above.child
    above.child = n
    above.untried = UNKNOWN
    edges[parent, action].child = n
    if kind == Q_UCB:
        widen(root, edges[n])
    ret, at = nodes[n].value, n
    while at > 0:
        child = nodes[at]
        ret = child.reward + discount * ret
        edge, node = edges[child.parent, child.action], nodes[child.parent]
        if kind == Q_UCB:
            edge.q = (edge.q * edge.visits + ret) / (edge.visits + 1.0)
        else:
            edge.q = child.q = child.reward + discount * child.value
        edge.visits += 1
        root.low, root.high = min(root.low, edge.q), max(root.high, edge.q)
        node.value = (node.value * node.visits + ret) / (node.visits + 1.0)
        node.visits += 1
        at = child.parent
    if rules.current != 0 and rules.normalisation == TREE:
        root.low, root.high = np.inf, -np.inf
        if kind == Q_UCB:
            for i in range(n + 1):
                widen(root, edges[i])
        else:
            for i in range(1, n + 1):
                q = edges[nodes[i].parent, nodes[i].action].q
                root.low, root.high = min(root.low, q), max(root.high, q)


@inner
def finish(
    edges: Any,
    node: Any,
    rules: Any,
    scores: Floats,
    ties: Floats,
    visits: Integers,
    q: Floats,
    policy: Floats,
) -> tuple[float, int]:
    """What a root says: into [A] each, and its value and action."""
    kind = rules.kind
    own = 1 if kind == Q_UCB else 0
    total, most, legal = 0, 0, 0
    for a in range(len(edges)):
        edge = edges[a]
        visits[a] = edge.visits - own if edge.prior >= 0.0 else 0
        q[a] = edge.q if edge.visits > 0 else -np.inf
        total += visits[a]
        most = max(most, visits[a])
        legal += edge.prior >= 0.0
    if kind == GUMBEL:
        improved(edges, node, rules, policy)
        return node.value, by_halving(edges, node, rules, scores, most, ties)
    best, best_score = -1, 0.0
    for a in range(len(edges)):
        policy[a] = 0.0
        if edges[a].prior >= 0.0:
            if total > 0:
                policy[a] = visits[a] / total
            else:
                policy[a] = edges[a].prior if kind == PUCT else 1.0 / legal
            score = q[a] if kind == Q_UCB else policy[a]
            if is_better(score, best_score, ties, a, best):
                best, best_score = a, score
    return best_score if kind == Q_UCB else node.value, best
