"""One node of a tree: by its edges [A] and its record, `rules` being the record of the options."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from agents.search.kernels.compiling import inner
from agents.search.trees import ILLEGAL, NONE, Q_UCB, TREE, UNKNOWN, Floats

#: What is less is taken for it where a logarithm or a quotient needs more than 0.
TINY = np.finfo(np.float64).tiny


@inner
def write_node(edges: Any, node: Any, kind: int, logits: Floats, value: float) -> None:
    """An evaluated node without children. Where all logits are -inf, all actions are equal."""
    actions = len(logits)
    most = -np.inf
    for a in range(actions):
        if logits[a] > most:
            most = logits[a]
    total = 0.0
    for a in range(actions):
        edge = edges[a]
        edge.child = -1
        edge.visits = 0
        edge.q = 0.0
        if most > -np.inf and logits[a] == -np.inf:
            edge.prior = ILLEGAL
        elif kind == Q_UCB:
            edge.prior = 0.0
            edge.visits = 1
            edge.q = logits[a] if most > -np.inf else value
        else:
            edge.prior = math.exp(logits[a] - most) if most > -np.inf else 1.0
            total += edge.prior
    if kind != Q_UCB:
        for a in range(actions):
            if edges[a].prior > 0.0:
                edges[a].prior /= total
    elif most > -np.inf:
        value = most
    node.evaluation = value
    node.value = value
    node.visits = 1
    node.child = -1
    node.untried = UNKNOWN


@inner
def widen(root: Any, edges: Any) -> None:
    """The tree's bounds hold the Q of a node's legal actions too."""
    for a in range(len(edges)):
        if edges[a].prior >= 0.0:
            root.low = min(root.low, edges[a].q)
            root.high = max(root.high, edges[a].q)


@inner
def disturb(q: Floats, dirichlet: Floats, fraction: float) -> None:
    """Q [A] with noise in its softmax, brought back to its mean."""
    most, total, shift, count = -np.inf, 0.0, 0.0, 0
    for a in range(len(q)):
        most = max(most, q[a])
    if most == -np.inf:
        return
    for a in range(len(q)):
        if q[a] > -np.inf:
            total += math.exp(q[a] - most)
            count += 1
    for a in range(len(q)):
        if q[a] > -np.inf:
            share = (1.0 - fraction) * math.exp(q[a] - most) / total + fraction * dirichlet[a]
            shift += q[a]
            q[a] = math.log(max(share, TINY))
            shift -= q[a]
    for a in range(len(q)):
        q[a] += shift / count


@inner
def is_better(score: float, best: float, ties: Floats, a: int, than: int) -> bool:
    """Whether `a` comes before the best so far, `than`; -1 is none."""
    if than < 0 or score != best:
        return than < 0 or score > best
    if len(ties) > 0 and ties[a] != ties[than]:
        return bool(ties[a] > ties[than])
    return a < than


@inner
def bounds(edges: Any, root: Any, rules: Any) -> tuple[float, float]:
    """How Q is normalised at a node: the lowest, and the scale; below 0: it is left as it is."""
    low, high, scale = root.low, root.high, -1.0
    if rules.normalisation != TREE:
        low, high = np.inf, -np.inf
        for a in range(len(edges)):
            if edges[a].visits > 0:
                low, high = min(low, edges[a].q), max(high, edges[a].q)
    if rules.normalisation != NONE:
        low, scale = range_scale(low, high, rules)
    return low, scale


@inner
def range_scale(low: float, high: float, rules: Any) -> tuple[float, float]:
    """The lowest, and the scale, of a range of Q, which may have nothing in it."""
    if high < low:
        return 0.0, 0.0
    return low, 1.0 / max(high - low, rules.floor)


@inner
def normalised(q: float, low: float, scale: float) -> float:
    """Q in [0, 1]; a scale below 0 leaves it as it is."""
    if scale < 0.0:
        return q
    x = (q - low) * scale
    # not min and max, which look for NaN
    x = 0.0 if x < 0.0 else x
    return 1.0 if x > 1.0 else x


@inner
def first_untried(edges: Any, ties: Floats, by_prior: bool) -> int:
    """Of the actions not taken the one that is taken first: it has the greatest prior."""
    best, best_prior = -1, 0.0
    for a in range(len(edges)):
        prior = edges[a].prior
        if prior >= 0.0 and edges[a].visits == 0:
            prior = prior if by_prior else 0.0
            if is_better(prior, best_prior, ties, a, best):
                best, best_prior = a, prior
    return best


@inner
def by_ucb(edges: Any, root: Any, rules: Any, ties: Floats) -> int:
    """Q + c1 √(ln Σn / n) at a node."""
    low, scale = bounds(edges, root, rules)
    total = 0
    for a in range(len(edges)):
        total += edges[a].visits
    log = math.log(total)
    best, best_score = -1, 0.0
    for a in range(len(edges)):
        edge = edges[a]
        if edge.prior < 0.0:
            continue
        score = normalised(edge.q, low, scale) + rules.c1 * math.sqrt(log / edge.visits)
        if is_better(score, best_score, ties, a, best):
            best, best_score = a, score
    return best


@inner
def completion(edges: Any, node: Any, rules: Any) -> tuple[float, float, float, int]:
    """σ(q) is (q - low) factor: Q of actions not taken, low, factor, and the sum of visits."""
    standing = node.evaluation
    low, high, visited, total, most = np.inf, -np.inf, 0, 0, 0
    share = weighted = 0.0
    for a in range(len(edges)):
        edge = edges[a]
        if edge.visits > 0:
            prior = max(edge.prior, TINY)
            share += prior
            weighted += prior * edge.q
            low, high = min(low, edge.q), max(high, edge.q)
            most = max(most, edge.visits)
            total += edge.visits
            visited += 1
    if rules.mixed != 0 and total > 0:
        standing = (standing + total * (weighted / share)) / (1.0 + total)
    factor = (rules.c_visit + most) * rules.c_scale
    if rules.rescale == 0:
        return standing, 0.0, factor, total
    if visited < len(edges):
        low, high = min(low, standing), max(high, standing)
    return standing, low, factor / max(high - low, rules.floor), total


@inner
def improved(edges: Any, node: Any, rules: Any, policy: Floats) -> Any:
    """softmax(logits + σ(completed q)) into `policy` [A], 0 where illegal; the sum of visits."""
    standing, low, factor, total = completion(edges, node, rules)
    greatest = -np.inf
    for a in range(len(edges)):
        edge = edges[a]
        if edge.prior > 0.0:
            greatest = max(greatest, ((edge.q if edge.visits > 0 else standing) - low) * factor)
    scale, unvisited = 0.0, math.exp((standing - low) * factor - greatest)
    for a in range(len(edges)):
        edge = edges[a]
        policy[a] = 0.0
        if edge.prior > 0.0:
            policy[a] = edge.prior
            if edge.visits > 0:
                policy[a] *= math.exp((edge.q - low) * factor - greatest)
            else:
                policy[a] *= unvisited
            scale += policy[a]
    for a in range(len(edges)):
        policy[a] /= scale
    return total


@inner
def by_gumbel(edges: Any, node: Any, rules: Any, ties: Floats, policy: Floats) -> int:
    """Below the root: the action whose visits lag most behind the improved policy."""
    total = improved(edges, node, rules, policy)
    best, best_score = -1, 0.0
    for a in range(len(edges)):
        if edges[a].prior >= 0.0:
            score = policy[a] - edges[a].visits / (1.0 + total)
            if is_better(score, best_score, ties, a, best):
                best, best_score = a, score
    return best


@inner
def by_halving(edges: Any, node: Any, rules: Any, scores: Floats, visits: int, ties: Floats) -> int:
    """At the root: of the actions with so many visits, the one of highest g + logit + σ(q)."""
    standing, low, factor, _ = completion(edges, node, rules)
    best, best_score = -1, 0.0
    for a in range(len(edges)):
        edge = edges[a]
        if edge.prior >= 0.0 and edge.visits == visits:
            score = scores[a] + ((edge.q if visits > 0 else standing) - low) * factor
            if is_better(score, best_score, ties, a, best):
                best, best_score = a, score
    return best
