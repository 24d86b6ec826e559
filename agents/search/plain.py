"""A search in numpy: what the compiled engines compute, one simulation of all trees at a time.

The equations are in docs/algorithms.md. B roots, N nodes a tree, A actions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.search.trees import (
    GUMBEL,
    ILLEGAL,
    NONE,
    PARENT_MEAN,
    PARENT_VALUE,
    PUCT,
    Q_UCB,
    TREE,
    Floats,
    Integers,
    Trees,
)

Mask = NDArray[np.bool_]
_TINY = np.finfo(np.float64).tiny


def begin(trees: Trees, logits: Floats, values: Floats, dirichlet: Floats, gumbel: Floats) -> None:
    """Makes the first B trees roots alone.

    Args:
        logits: [B, A], -inf where illegal; for q_ucb Q.
        values: [B].
        dirichlet, gumbel: [B, A] noise, or [B, 0] for none.
    """
    rules = trees.rules[0]
    kind, fraction = rules["kind"], rules["fraction"]
    batch = len(logits)
    if kind == Q_UCB and dirichlet.size and fraction > 0:
        logits = _disturbed(logits, dirichlet, fraction)
    _write_nodes(trees, 0, logits, values)
    root = trees.nodes[:batch, 0]
    root["parent"], root["action"], root["reward"] = -1, -1, 0.0
    edges = trees.edges[:batch, 0]
    legal = edges["prior"] >= 0
    trees.roots["low"][:batch], trees.roots["high"][:batch] = np.inf, -np.inf
    if kind == PUCT and dirichlet.size:
        mixed = (1 - fraction) * edges["prior"] + fraction * dirichlet
        edges["prior"] = np.where(legal, mixed, ILLEGAL)
    elif kind == Q_UCB:
        _widen(trees, 0, batch)
    scores = np.log(np.maximum(edges["prior"], _TINY))
    trees.scores[:batch] = scores + (gumbel if gumbel.size else 0.0)
    trees.roots["considered"][:batch] = np.minimum(len(trees.halving) - 1, legal.sum(axis=1))


def select(
    trees: Trees,
    simulation: int,
    ties: Floats,
    parents: Integers,
    actions: Integers,
    rows: Integers,
) -> None:
    """Descends each tree to where it grows next: node and action into `parents`, `actions` [B].

    `rows` [B] becomes the node's place among all B * N.
    """
    rules = trees.rules[0]
    kind, batch = rules["kind"], len(parents)
    at = np.zeros(batch, np.int64)
    mean = np.zeros(batch)
    active = np.arange(batch)
    while len(active):
        n = at[active]
        if kind == PUCT:
            scores, mean[active] = _puct_scores(trees, active, n, mean[active])
        elif kind == Q_UCB:
            scores = _ucb_scores(trees, active, n)
        elif n[0] > 0:  # all trees are equally deep
            policy, total = _improved(trees, active, n)
            scores = policy - trees.edges["visits"][active, n] / (1.0 + total[:, None])
        else:
            scores = _halving_scores(
                trees, active, trees.halving[trees.roots["considered"][active], simulation]
            )
        legal = trees.edges["prior"][active, n] >= 0
        action = _best(np.where(legal, scores, -np.inf), ties[active, n])
        parents[active], actions[active] = n, action
        child = trees.edges["child"][active, n, action]
        at[active] = child
        active = active[child >= 0]
    rows[:] = np.arange(batch) * trees.edges.shape[1] + parents


def grow(
    trees: Trees,
    simulation: int,
    parents: Integers,
    actions: Integers,
    rewards: Floats,
    logits: Floats,
    values: Floats,
) -> None:
    """Adds a node to each tree, and backs its value up."""
    rules = trees.rules[0]
    kind, discount = rules["kind"], rules["discount"]
    batch, new = len(parents), simulation + 1
    nodes, edges = trees.nodes, trees.edges
    lows, highs = trees.roots["low"][:batch], trees.roots["high"][:batch]
    _write_nodes(trees, new, logits, values)
    every = np.arange(batch)
    nodes["parent"][:batch, new] = parents
    nodes["action"][:batch, new] = actions
    nodes["reward"][:batch, new] = rewards
    edges["child"][every, parents, actions] = new
    if kind == Q_UCB:
        _widen(trees, new, batch)
    ret = nodes["value"][:batch, new].copy()
    at = np.full(batch, new)
    active = every
    while len(active):
        here = active, at[active]
        above = active, nodes["parent"][here].astype(np.int64)
        edge = *above, nodes["action"][here].astype(np.int64)
        ret[active] = nodes["reward"][here] + discount * ret[active]
        if kind == Q_UCB:
            count = edges["visits"][edge]
            edges["q"][edge] = (edges["q"][edge] * count + ret[active]) / (count + 1.0)
        else:
            edges["q"][edge] = nodes["reward"][here] + discount * nodes["value"][here]
        edges["visits"][edge] += 1
        lows[active] = np.minimum(lows[active], edges["q"][edge])
        highs[active] = np.maximum(highs[active], edges["q"][edge])
        count = nodes["visits"][above]
        nodes["value"][above] = (nodes["value"][above] * count + ret[active]) / (count + 1.0)
        nodes["visits"][above] += 1
        at[active] = above[1]
        active = active[above[1] > 0]
    if rules["current"] and rules["normalisation"] == TREE:
        known = edges[:batch, : new + 1]
        there = (known["prior"] >= 0) & (known["visits"] > 0)
        q = known["q"]
        lows[:] = np.where(there, q, np.inf).min(axis=(1, 2))
        highs[:] = np.where(there, q, -np.inf).max(axis=(1, 2))


def finish(
    trees: Trees,
    ties: Floats,
    visits: Integers,
    q: Floats,
    values: Floats,
    policy: Floats,
    chosen: Integers,
) -> None:
    """What the roots say, into [B, A] and [B]; see `agents.search.search.SearchResult`."""
    rules = trees.rules[0]
    kind, batch = rules["kind"], len(visits)
    edges, every, root = trees.edges[:batch, 0], np.arange(batch), np.zeros(batch, np.int64)
    legal = edges["prior"] >= 0
    visits[:] = np.where(legal, edges["visits"] - (kind == Q_UCB), 0)
    q[:] = np.where(legal & (edges["visits"] > 0), edges["q"], -np.inf)
    values[:] = q.max(axis=1) if kind == Q_UCB else trees.nodes["value"][:batch, 0]
    if kind == GUMBEL:
        policy[:], _ = _improved(trees, every, root)
        scores = _halving_scores(trees, every, visits.max(axis=1))
    else:
        total = visits.sum(axis=1, keepdims=True)
        without = np.maximum(edges["prior"], 0) if kind == PUCT else legal / legal.sum(1)[:, None]
        policy[:] = np.where(total > 0, visits / np.maximum(total, 1), without)
        scores = q if kind == Q_UCB else policy
    chosen[:] = _best(np.where(legal, scores, -np.inf), ties[:batch, 0])


# -- scores of the actions at nodes `n` of the trees `which`


def _puct_scores(
    trees: Trees, which: Integers, n: Integers, before: Floats
) -> tuple[Floats, Floats]:
    """Q + P √N (c1 + ln((N + c2 + 1) / c2)) / (1 + n_a), and the mean of Q; `before`: the
    latter at the nodes' parents."""
    edges, nodes = trees.edges[which, n], trees.nodes[which, n]
    low, scale = _bounds(trees, which, n)
    visited = edges["visits"] > 0
    rules = trees.rules[0]
    mean, unvisited = before, rules["unvisited"]
    standing = low
    if unvisited == PARENT_MEAN:
        above = n > 0
        total = np.where(visited, edges["q"], 0.0).sum(axis=1) + np.where(above, before, 0.0)
        mean = total / np.maximum(visited.sum(axis=1) + above, 1)
        standing = mean
    elif unvisited == PARENT_VALUE:
        standing = nodes["value"]
    q = np.where(visited, edges["q"], standing[:, None])
    own = np.where(n == 0, rules["not_at_root"], rules["not_below"])
    weight = trees.exploration[nodes["visits"] - own]
    scores = _normal(q, low, scale) + edges["prior"] * weight[:, None] / (1.0 + edges["visits"])
    # of actions not taken the one of the greatest prior comes first, also where rounding hides it
    prior = np.where(visited, ILLEGAL, edges["prior"])
    hidden = ~visited & (prior < prior.max(axis=1, keepdims=True)) & (weight[:, None] != 0)
    return np.where(hidden, -np.inf, scores), mean


def _ucb_scores(trees: Trees, which: Integers, n: Integers) -> Floats:
    """Q + c1 √(ln Σn / n_a)."""
    edges = trees.edges[which, n]
    total = edges["visits"].sum(axis=1)
    low, scale = _bounds(trees, which, n)
    bonus = trees.rules["c1"] * np.sqrt(np.log(total)[:, None] / np.maximum(edges["visits"], 1))
    scores: Floats = _normal(edges["q"], low, scale) + bonus
    return scores


def _halving_scores(trees: Trees, which: Integers, visits: Integers) -> Floats:
    """g + logit + σ(completed q) at the root, for actions of so many visits; others -inf."""
    root = np.zeros(len(which), np.int64)
    edges = trees.edges[which, root]
    sigma, _ = _completed(trees, which, root)
    scores = trees.scores[which] + sigma
    return np.where(edges["visits"] == visits[:, None], scores, -np.inf)


def _bounds(trees: Trees, which: Integers, n: Integers) -> tuple[Floats, Floats]:
    """How Q is normalised at a node: the lowest, and the scale; below 0: it is left as it is."""
    rules = trees.rules[0]
    normalisation = rules["normalisation"]
    if normalisation == TREE:
        low, high = trees.roots["low"][which], trees.roots["high"][which]
    else:
        edges = trees.edges[which, n]
        there = (edges["prior"] >= 0) & (edges["visits"] > 0)
        low = np.where(there, edges["q"], np.inf).min(axis=1)
        high = np.where(there, edges["q"], -np.inf).max(axis=1)
        if rules["kind"] == PUCT:
            value = trees.nodes["value"][which, n]
            low, high = np.minimum(low, value), np.maximum(high, value)
        if normalisation == NONE:
            return low, np.full(len(low), -1.0)
    none = high < low
    with np.errstate(invalid="ignore"):
        scale = 1.0 / np.maximum(high - low, rules["floor"])
    return np.where(none, 0.0, low), np.where(none, 0.0, scale)


def _normal(q: Floats, low: Floats, scale: Floats) -> Floats:
    """Q [B, A] in [0, 1], or as it is."""
    if (scale < 0).any():  # of all trees or of none
        return q
    return np.clip((q - low[:, None]) * scale[:, None], 0.0, 1.0)


def _completed(trees: Trees, which: Integers, n: Integers) -> tuple[Floats, Integers]:
    """σ(completed q) [B, A] and the sum of visits [B]."""
    edges, rules = trees.edges[which, n], trees.rules[0]
    visits, visited = edges["visits"], edges["visits"] > 0
    total = visits.sum(axis=1)
    standing = trees.nodes["evaluation"][which, n]
    if rules["mixed"]:
        prior = np.where(visited, np.maximum(edges["prior"], _TINY), 0.0)
        share = np.where(total > 0, prior.sum(axis=1), 1.0)
        mean = np.where(visited, prior * edges["q"], 0.0).sum(axis=1) / share
        standing = (standing + total * mean) / (1.0 + total)
    q = np.where(visited, edges["q"], standing[:, None])
    factor = (rules["c_visit"] + visits.max(axis=1)) * rules["c_scale"]
    if not rules["rescale"]:
        return q * factor[:, None], total
    low, high = q.min(axis=1), q.max(axis=1)
    factor /= np.maximum(high - low, rules["floor"])
    return (q - low[:, None]) * factor[:, None], total


def _improved(trees: Trees, which: Integers, n: Integers) -> tuple[Floats, Integers]:
    """softmax(logits + σ(completed q)) [B, A] and the sum of visits [B]."""
    sigma, total = _completed(trees, which, n)
    prior = trees.edges["prior"][which, n]
    sigma = np.where(prior > 0, sigma, -np.inf)
    weights = np.maximum(prior, 0.0) * np.exp(sigma - sigma.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True), total


def _best(scores: Floats, ties: Floats) -> Integers:
    """The action [B] of highest score, the highest of `ties` [B, A] among equals; of [B, 0] the
    first."""
    best = scores == scores.max(axis=1, keepdims=True)
    if ties.shape[1] == 0:
        ties = np.zeros((1, 1))
    action: Integers = np.where(best, ties, -1.0).argmax(axis=1)
    return action


# -- nodes


def _write_nodes(trees: Trees, n: int, logits: Floats, values: Floats) -> None:
    """Evaluated nodes without children. Where all logits are -inf, all actions are equal."""
    batch = len(logits)
    nodes, edges = trees.nodes[:batch, n], trees.edges[:batch, n]
    most = logits.max(axis=1)
    over = np.isneginf(most)
    illegal = np.isneginf(logits) & ~over[:, None]
    edges["child"] = -1
    if trees.rules[0]["kind"] == Q_UCB:
        values = np.where(over, values, most)
        edges["prior"] = np.where(illegal, ILLEGAL, 0.0)
        edges["q"] = np.where(over[:, None], values[:, None], np.where(illegal, 0.0, logits))
        edges["visits"] = ~illegal
    else:
        weights = np.where(over[:, None], 1.0, np.exp(logits - np.where(over, 0, most)[:, None]))
        prior = weights / weights.sum(axis=1, keepdims=True)
        edges["prior"] = np.where(illegal, ILLEGAL, prior)
        edges["q"] = 0.0
        edges["visits"] = 0
    nodes["evaluation"] = nodes["value"] = values
    nodes["visits"] = 1


def _widen(trees: Trees, n: int, batch: int) -> None:
    """The tree's bounds hold the Q of node n's legal actions too."""
    edges = trees.edges[:batch, n]
    legal = edges["prior"] >= 0
    low, high = trees.roots["low"][:batch], trees.roots["high"][:batch]
    np.minimum(low, np.where(legal, edges["q"], np.inf).min(axis=1), out=low)
    np.maximum(high, np.where(legal, edges["q"], -np.inf).max(axis=1), out=high)


def _disturbed(q: Floats, dirichlet: Floats, fraction: float) -> Floats:
    """Q [B, A] with noise in its softmax, brought back to its mean."""
    most = q.max(axis=1, keepdims=True)
    legal = ~np.isneginf(q)
    with np.errstate(invalid="ignore"):
        weights = np.where(legal, np.exp(q - most), 0.0)
        share = (1 - fraction) * weights / weights.sum(axis=1, keepdims=True)
    logs = np.log(np.maximum(share + fraction * dirichlet, _TINY))
    count = np.maximum(legal.sum(axis=1, keepdims=True), 1)
    shift = np.where(legal, np.where(legal, q, 0.0) - logs, 0.0).sum(axis=1, keepdims=True) / count
    return np.where(legal, logs + shift, -np.inf)
