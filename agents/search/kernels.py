"""The compiled loops of a search: trees, and small networks inside of them.

What they compute is said, in numpy, in `agents.search.plain`; the names are the same. They are one
file since numba's cache of what it has compiled looks at one file only.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from agents.search.layers import (
    ACTIVATION,
    DYNAMICS,
    ELU,
    FIRST,
    LATENT,
    LATENT_FLOOR,
    NOTHING,
    POLICY,
    Q_HEAD,
    RELU,
    RESCALED,
    RESIDUAL,
    REWARD,
    REWARD_COMPRESSED,
    SILU,
    STACKS,
    TANH,
    TRANSFORM,
    TRUNK,
    VALUE_COMPRESSED,
    Network,
)
from agents.search.sampling import MEAN_BOUND, Sampling
from agents.search.scalars import EPSILON
from agents.search.trees import (
    GUMBEL,
    ILLEGAL,
    NONE,
    PARENT_MEAN,
    PARENT_VALUE,
    PUCT,
    Q_UCB,
    TREE,
    UNKNOWN,
    Floats,
    Integers,
    Trees,
)

Nodes = Any  # [N] of one tree
Edges = Any  # [N, A] of one tree, or [A] of one node
_INNER: dict[str, Any] = {
    "error_model": "numpy",
    # called by other kernels only; without the way in from Python they compile in half the time
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
_inner = njit(**_INNER)
_entry = njit(cache=True, error_model="numpy", nogil=True)
_TINY = np.finfo(np.float64).tiny


# -- one node, by its edges [A] and its record; `rules` is the record of the options


@_inner
def _write_node(edges: Any, node: Any, kind: int, logits: Floats, value: float) -> None:
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


@_inner
def _widen(root: Any, edges: Any) -> None:
    """The tree's bounds hold the Q of a node's legal actions too."""
    for a in range(len(edges)):
        if edges[a].prior >= 0.0:
            root.low = min(root.low, edges[a].q)
            root.high = max(root.high, edges[a].q)


@_inner
def _disturb(q: Floats, dirichlet: Floats, fraction: float) -> None:
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
            q[a] = math.log(max(share, _TINY))
            shift -= q[a]
    for a in range(len(q)):
        q[a] += shift / count


@_inner
def _is_better(score: float, best: float, ties: Floats, a: int, than: int) -> bool:
    """Whether `a` comes before the best so far, `than`; -1 is none."""
    if than < 0 or score != best:
        return than < 0 or score > best
    if len(ties) > 0 and ties[a] != ties[than]:
        return ties[a] > ties[than]
    return a < than


@_inner
def _bounds(edges: Any, root: Any, rules: Any) -> tuple[float, float]:
    """How Q is normalised at a node: the lowest, and the scale; below 0: it is left as it is."""
    if rules.normalisation == TREE:
        return _scale(root.low, root.high, rules)
    low, high = np.inf, -np.inf
    for a in range(len(edges)):
        if edges[a].visits > 0:
            low, high = min(low, edges[a].q), max(high, edges[a].q)
    if rules.normalisation == NONE:
        return low, -1.0
    return _scale(low, high, rules)


@_inner
def _scale(low: float, high: float, rules: Any) -> tuple[float, float]:
    """The lowest, and the scale, of a range of Q, which may have nothing in it."""
    if high < low:
        return 0.0, 0.0
    return low, 1.0 / max(high - low, rules.floor)


@_inner
def _normal(q: float, low: float, scale: float) -> float:
    """Q in [0, 1]; a scale below 0 leaves it as it is."""
    if scale < 0.0:
        return q
    x = (q - low) * scale
    # not min and max, which look for NaN
    x = 0.0 if x < 0.0 else x
    return 1.0 if x > 1.0 else x


@_inner
def _untried(edges: Any, ties: Floats, by_prior: bool) -> int:
    """Of the actions not taken the one that is taken first: it has the greatest prior."""
    best, best_prior = -1, 0.0
    for a in range(len(edges)):
        prior = edges[a].prior
        if prior >= 0.0 and edges[a].visits == 0:
            prior = prior if by_prior else 0.0
            if _is_better(prior, best_prior, ties, a, best):
                best, best_prior = a, prior
    return best


@_inner
def _by_ucb(edges: Any, root: Any, rules: Any, ties: Floats) -> int:
    """Q + c1 √(ln Σn / n) at a node."""
    low, scale = _bounds(edges, root, rules)
    total = 0
    for a in range(len(edges)):
        total += edges[a].visits
    log = math.log(total)
    best, best_score = -1, 0.0
    for a in range(len(edges)):
        edge = edges[a]
        if edge.prior < 0.0:
            continue
        score = _normal(edge.q, low, scale) + rules.c1 * math.sqrt(log / edge.visits)
        if _is_better(score, best_score, ties, a, best):
            best, best_score = a, score
    return best


@_inner
def _completion(edges: Any, node: Any, rules: Any) -> tuple[float, float, float, int]:
    """σ(q) is (q - low) factor: Q of actions not taken, low, factor, and the sum of visits."""
    standing = node.evaluation
    low, high, visited, total, most = np.inf, -np.inf, 0, 0, 0
    share = weighted = 0.0
    for a in range(len(edges)):
        edge = edges[a]
        if edge.visits > 0:
            prior = max(edge.prior, _TINY)
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


@_inner
def _improved(edges: Any, node: Any, rules: Any, policy: Floats) -> Any:
    """softmax(logits + σ(completed q)) into `policy` [A], 0 where illegal; the sum of visits."""
    standing, low, factor, total = _completion(edges, node, rules)
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


@_inner
def _by_gumbel(edges: Any, node: Any, rules: Any, ties: Floats, policy: Floats) -> int:
    """Below the root: the action whose visits lag most behind the improved policy."""
    total = _improved(edges, node, rules, policy)
    best, best_score = -1, 0.0
    for a in range(len(edges)):
        if edges[a].prior >= 0.0:
            score = policy[a] - edges[a].visits / (1.0 + total)
            if _is_better(score, best_score, ties, a, best):
                best, best_score = a, score
    return best


@_inner
def _by_halving(
    edges: Any, node: Any, rules: Any, scores: Floats, visits: int, ties: Floats
) -> int:
    """At the root: of the actions with so many visits, the one of highest g + logit + σ(q)."""
    standing, low, factor, _ = _completion(edges, node, rules)
    best, best_score = -1, 0.0
    for a in range(len(edges)):
        edge = edges[a]
        if edge.prior >= 0.0 and edge.visits == visits:
            score = scores[a] + ((edge.q if visits > 0 else standing) - low) * factor
            if _is_better(score, best_score, ties, a, best):
                best, best_score = a, score
    return best


# -- one tree, by its nodes [N], edges [N, A] and the record of its root


@_inner
def _begin(
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
        _disturb(logits, dirichlet, fraction)
    _write_node(edges[0], nodes[0], kind, logits, value)
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
            scores[a] = math.log(max(edge.prior, _TINY))
            if len(gumbel) > 0:
                scores[a] += gumbel[a]
    root.considered = min(widest, legal)
    if kind == Q_UCB:
        _widen(root, edges[0])


@_inner
def _walk_by_puct(
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
            low, scale = _scale(low, high, rules)
        standing = low
        if means:
            mean = standing = total / max(count, 1)
        elif rules.unvisited == PARENT_VALUE:
            standing = node.value
        weight = exploration[node.visits - off]
        best = node.untried
        if weight == 0.0:
            best = _untried(edges[n], ties[n], False)
        elif best == UNKNOWN:
            best = node.untried = _untried(edges[n], ties[n], True)
        best_score, child = 0.0, -1
        if best >= 0:
            best_score = _normal(standing, low, scale) + edges[n, best].prior * weight
        c = node.child
        while c >= 0:
            taken = nodes[c]
            score = _normal(taken.q, low, scale) + taken.prior * weight / (1.0 + taken.visits)
            if best < 0 or score > best_score:
                best, best_score, child = taken.action, score, c
            elif score == best_score and _is_better(score, best_score, ties[n], taken.action, best):
                best, child = taken.action, c
            c = taken.sibling
        if child < 0:
            return n, best
        n, off = child, rules.not_below


@_inner
def _select(
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
    """The node and the action from which the tree grows next; `visits`: see `_by_halving`."""
    kind, n = rules.kind, 0
    if kind == PUCT:
        return _walk_by_puct(nodes, edges, root, rules, exploration, ties)
    while True:
        here, node, tie = edges[n], nodes[n], ties[n]
        if kind == Q_UCB:
            action = _by_ucb(here, root, rules, tie)
        elif n > 0:
            action = _by_gumbel(here, node, rules, tie, policy)
        else:
            action = _by_halving(here, node, rules, scores, visits, tie)
        child = here[action].child
        if child < 0:
            return n, action
        n = child


@_inner
def _grow(
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
    _write_node(edges[n], nodes[n], kind, logits, value)
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
        _widen(root, edges[n])
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
                _widen(root, edges[i])
        else:
            for i in range(1, n + 1):
                q = edges[nodes[i].parent, nodes[i].action].q
                root.low, root.high = min(root.low, q), max(root.high, q)


@_inner
def _finish(
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
        _improved(edges, node, rules, policy)
        return node.value, _by_halving(edges, node, rules, scores, most, ties)
    best, best_score = -1, 0.0
    for a in range(len(edges)):
        policy[a] = 0.0
        if edges[a].prior >= 0.0:
            if total > 0:
                policy[a] = visits[a] / total
            else:
                policy[a] = edges[a].prior if kind == PUCT else 1.0 / legal
            score = q[a] if kind == Q_UCB else policy[a]
            if _is_better(score, best_score, ties, a, best):
                best, best_score = a, score
    return best_score if kind == Q_UCB else node.value, best


# -- a batch of trees; noise and ties without columns are none


@_entry
def begin(trees: Trees, logits: Floats, values: Floats, dirichlet: Floats, gumbel: Floats) -> None:
    """See `agents.search.plain.begin`."""
    rules, widest = trees.rules[0], len(trees.halving) - 1
    for b in range(len(logits)):
        _begin(
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


@_entry
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
        parents[b], actions[b] = _select(
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


@_entry
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
        _grow(
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


@_entry
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
        values[b], chosen[b] = _finish(
            trees.edges[b, 0],
            trees.nodes[b, 0],
            trees.rules[0],
            trees.scores[b],
            ties[b, 0],
            visits[b],
            q[b],
            policy[b],
        )


# -- small networks: see `agents.search.mlp`


@njit(fastmath={"contract"}, **_INNER)
def _dense(x: Any, count: int, weights: Any, bias: Any, y: Any, used: Integers) -> None:
    """y += x[:count] W + bias, W flat. What is 0, as after relu, costs nothing."""
    width, found = len(y), 0
    for j in range(width):
        y[j] += bias[j]
    for i in range(count):
        used[found] = i
        found += x[i] != 0
    k = 0
    while k + 4 <= found:
        i0, i1, i2, i3 = used[k], used[k + 1], used[k + 2], used[k + 3]
        x0, x1, x2, x3 = x[i0], x[i1], x[i2], x[i3]
        w0, w1 = weights[i0 * width : (i0 + 1) * width], weights[i1 * width : (i1 + 1) * width]
        w2, w3 = weights[i2 * width : (i2 + 1) * width], weights[i3 * width : (i3 + 1) * width]
        for j in range(width):
            y[j] += x0 * w0[j] + x1 * w1[j] + x2 * w2[j] + x3 * w3[j]
        k += 4
    while k < found:
        i0 = used[k]
        x0, w0 = x[i0], weights[i0 * width : (i0 + 1) * width]
        for j in range(width):
            y[j] += x0 * w0[j]
        k += 1


@njit(fastmath={"contract"}, **_INNER)
def _exp(x: float) -> float:
    """exp(x / 1024)^1024 by eight terms of Taylor's series: to 1e-12 for |x| < 40, and above 40
    times that of what is negligible; without a call, so that loops of it are vectors."""
    x = min(max(x, -700.0), 700.0) * (1.0 / 1024.0)
    w = 1.0 + x * (1.0 / 8.0)
    w = 1.0 + x * (1.0 / 7.0) * w
    w = 1.0 + x * (1.0 / 6.0) * w
    w = 1.0 + x * (1.0 / 5.0) * w
    w = 1.0 + x * (1.0 / 4.0) * w
    w = 1.0 + x * (1.0 / 3.0) * w
    w = 1.0 + x * (1.0 / 2.0) * w
    w = 1.0 + x * w
    w *= w
    w *= w
    w *= w
    w *= w
    w *= w
    w *= w
    w *= w
    w *= w
    w *= w
    return w * w


@_inner
def _activate(y: Any, activation: int) -> None:
    """In place."""
    if activation == RELU:
        for j in range(len(y)):
            y[j] = max(y[j], y.dtype.type(0))
    elif activation == TANH:
        for j in range(len(y)):
            y[j] = 1.0 - 2.0 / (_exp(2.0 * y[j]) + 1.0)
    elif activation == ELU:
        for j in range(len(y)):
            y[j] = max(y[j], y.dtype.type(0)) + (_exp(min(float(y[j]), 0.0)) - 1.0)
    elif activation == SILU:
        for j in range(len(y)):
            y[j] = y[j] / (1.0 + _exp(-float(y[j])))
    elif activation == RESCALED:
        low, high = y[0], y[0]
        for j in range(1, len(y)):
            low, high = min(low, y[j]), max(high, y[j])
        divisor = max(high - low, y.dtype.type(LATENT_FLOOR))
        for j in range(len(y)):
            y[j] = (y[j] - low) / divisor


@njit(fastmath={"contract", "reassoc"}, **_INNER)
def _scalar(outputs: Any, atoms: Floats, compressed: bool, weights: Floats) -> float:
    """What a head says: its only output, or the scalar that its distribution stands for."""
    count = len(atoms)
    if count == 0:
        return float(outputs[0])
    most = -np.inf
    for k in range(count):
        most = max(most, float(outputs[k]))
    for k in range(count):
        weights[k] = _exp(float(outputs[k]) - most)
    total = mean = 0.0
    for k in range(count):
        total += weights[k]
        mean += weights[k] * atoms[k]
    y = mean / total
    if not compressed:
        return y
    root = math.sqrt(1.0 + 4.0 * EPSILON * (abs(y) + 1.0 + EPSILON))
    u = 2.0 * y / (root + 1.0 + 2.0 * EPSILON)
    return u * (abs(u) + 2.0)


@_inner
def _step(
    network: Network,
    latent: Any,
    action: int,
    inputs: Floats,
    following: Any,
    room: Any,
    used: Integers,
    weights: Floats,
    logits: Floats,
) -> tuple[float, float]:
    """Writes the next latent state and its logits [A]; returns reward and value. An action of a box
    is `inputs` [D], which is empty where it is a number."""
    parameters, layout = network.parameters, network.layout
    size, q_head = layout[LATENT], layout[Q_HEAD] != 0
    place, at, turn, reward, value = FIRST, 0, 0, 0.0, -np.inf
    trunk = following
    for stack in range(STACKS):
        layers = layout[place]
        place += 1
        x = latent if stack == DYNAMICS else (following if stack <= TRUNK else trunk)
        for layer in range(layers):
            reads, writes = layout[place], layout[place + 1]
            place += 2
            # of the trunk's result, which stays, and two others that are used in turns
            turn = 2 if stack == TRUNK and layer == layers - 1 else 1 - turn % 2
            y = room[turn, :writes]
            count, end = reads, at + reads * writes
            y[:] = 0
            if stack == DYNAMICS and layer == 0:
                count = size
                row = at + (size + action) * writes
                if len(inputs) == 0:
                    y[:] = parameters[row : row + writes]
                for d in range(len(inputs)):
                    row = at + (size + d) * writes
                    for j in range(writes):
                        y[j] += inputs[d] * parameters[row + j]
            _dense(x, count, parameters[at:end], parameters[end : end + writes], y, used)
            at = end + writes
            activation = layout[ACTIVATION]
            if stack == DYNAMICS and layer == layers - 1:
                activation = layout[TRANSFORM]
                if layout[RESIDUAL] != 0:
                    for j in range(size):
                        y[j] += latent[j]
            elif stack != TRUNK and layer == layers - 1:
                activation = NOTHING
            _activate(y, activation)
            x = y
        if stack == DYNAMICS:
            following[:] = x
        elif stack == TRUNK:
            trunk = x
        elif stack == POLICY and not q_head:
            for a in range(len(logits)):
                logits[a] = x[a]
        elif layers > 0:
            atoms, compressed = network.value_atoms, layout[VALUE_COMPRESSED] != 0
            if stack == REWARD:
                atoms, compressed = network.reward_atoms, layout[REWARD_COMPRESSED] != 0
            bins = max(1, len(atoms))
            for head in range(len(x) // bins):
                scalar = _scalar(x[head * bins : (head + 1) * bins], atoms, compressed, weights)
                if stack == REWARD:
                    reward = scalar
                else:
                    value = max(value, scalar)
                    if stack == POLICY:
                        logits[head] = scalar
    return reward, value


@_entry
def search_mlp(
    trees: Trees,
    network: Network,
    root_latents: Any,
    latents: Any,
    room: Any,
    logits: Floats,
    values: Floats,
    noise: tuple[Floats, Floats, Floats],
    results: tuple[Integers, Floats, Floats, Floats, Integers],
) -> None:
    """A whole search, one tree after another.

    Args:
        latents: [N, H] room for the latent states of one tree.
        room: [3, W] room for the network's layers, W the widest.
        logits: [B, A] of the roots; written over.
        noise: Dirichlet, Gumbel, ties.
        results: see `finish`.
    """
    dirichlet, gumbel, ties = noise
    visits, q, result_values, policy, chosen = results
    actions = logits.shape[1]
    improved, outputs = np.empty(actions), np.empty(actions)
    weights = np.empty(max(len(network.value_atoms), len(network.reward_atoms)))
    used, inputs = np.empty(room.shape[1], np.int64), np.empty(0)
    rules, widest = trees.rules[0], len(trees.halving) - 1
    for b in range(len(logits)):
        nodes, edges, root, scores = trees.nodes[b], trees.edges[b], trees.roots[b], trees.scores[b]
        _begin(
            nodes, edges, root, rules, scores, widest, logits[b], values[b], dirichlet[b], gumbel[b]
        )
        latents[0] = root_latents[b]
        for simulation in range(len(nodes) - 1):
            parent, action = _select(
                nodes,
                edges,
                root,
                rules,
                scores,
                trees.exploration,
                trees.halving[root.considered, simulation],
                ties[b],
                improved,
            )
            n = simulation + 1
            reward, value = _step(
                network, latents[parent], action, inputs, latents[n], room, used, weights, outputs
            )
            _grow(nodes, edges, root, rules, n, parent, action, reward, outputs, value)
        result_values[b], chosen[b] = _finish(
            edges[0], nodes[0], rules, scores, ties[b, 0], visits[b], q[b], policy[b]
        )


# -- actions of a box: see `agents.search.sampling`


@_inner
def _draw(outputs: Floats, draws: Floats, k: int, sampling: Sampling, u: Floats) -> float:
    """Sample `k` of a node into `u` [D]; returns Σ z², z = c ε."""
    D, square = len(u), 0.0
    scale = sampling.broad_scale if k >= len(draws) - sampling.broad else 1.0
    for d in range(D):
        share = 1.0 / (1.0 + math.exp(-outputs[D + d]))
        std = sampling.low + (sampling.high - sampling.low) * share
        z = scale * draws[k, d]
        u[d] = MEAN_BOUND * math.tanh(outputs[d] / MEAN_BOUND) + std * z
        square += z * z
    return square


@_inner
def _log_priors(
    outputs: Floats, draws: Floats, sampling: Sampling, u: Floats, logits: Floats
) -> None:
    """Into `logits` [K]."""
    share = sampling.broad / len(draws)
    wide = share * sampling.broad_scale ** float(-len(u))
    narrower = 0.5 * (1.0 - 1.0 / (sampling.broad_scale * sampling.broad_scale))
    for k in range(len(draws)):
        logits[k] = 0.0
        if sampling.density:
            logits[k] = -0.5 * _draw(outputs, draws, k, sampling, u)
            for d in range(len(u)):
                x = abs(u[d])
                logits[k] += 2.0 * (x + math.log1p(math.exp(-2.0 * x)))
        elif sampling.broad > 0:
            square = _draw(outputs, draws, k, sampling, u)
            logits[k] = -math.log(1.0 - share + wide * math.exp(square * narrower))


@_entry
def search_sampled(
    trees: Trees,
    network: Network,
    sampling: Sampling,
    draws: Floats,
    root_latents: Any,
    root_outputs: Floats,
    latents: Any,
    room: Any,
    logits: Floats,
    values: Floats,
    noise: tuple[Floats, Floats, Floats],
    results: tuple[Integers, Floats, Floats, Floats, Integers],
) -> None:
    """`search_mlp` over the K samples of each node.

    Args:
        draws: [B, N, K, D].
        root_outputs: [B, 2 D] of the policy's head.
        logits: [B, K] of the roots; written over.
    """
    dirichlet, gumbel, ties = noise
    visits, q, result_values, policy, chosen = results
    samples, dimensions = draws.shape[2:]
    improved, priors, u = np.empty(samples), np.empty(samples), np.empty(dimensions)
    outputs = np.empty((trees.nodes.shape[1], 2 * dimensions))
    weights = np.empty(max(len(network.value_atoms), len(network.reward_atoms)))
    used = np.empty(room.shape[1], np.int64)
    rules, widest = trees.rules[0], len(trees.halving) - 1
    for b in range(len(logits)):
        nodes, edges, root, scores = trees.nodes[b], trees.edges[b], trees.roots[b], trees.scores[b]
        _begin(
            nodes, edges, root, rules, scores, widest, logits[b], values[b], dirichlet[b], gumbel[b]
        )
        latents[0], outputs[0] = root_latents[b], root_outputs[b]
        for simulation in range(len(nodes) - 1):
            parent, action = _select(
                nodes,
                edges,
                root,
                rules,
                scores,
                trees.exploration,
                trees.halving[root.considered, simulation],
                ties[b],
                improved,
            )
            n = simulation + 1
            _draw(outputs[parent], draws[b, parent], action, sampling, u)
            for d in range(dimensions):
                u[d] = math.tanh(u[d])
            reward, value = _step(
                network, latents[parent], action, u, latents[n], room, used, weights, outputs[n]
            )
            _log_priors(outputs[n], draws[b, n], sampling, u, priors)
            _grow(nodes, edges, root, rules, n, parent, action, reward, priors, value)
        result_values[b], chosen[b] = _finish(
            edges[0], nodes[0], rules, scores, ties[b, 0], visits[b], q[b], policy[b]
        )
