"""Growing a tree by rollouts, compiled."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agents.planning.kernels.compiling import compiled
from agents.planning.kernels.forms import (
    ASK,
    DONE,
    ENDED,
    MAX_DEPTH,
    MAX_REPEATS,
    NOVELTY,
    PRUNED,
    REPEATED,
    SOLVED,
    TERMINAL_ATOMS,
    Atoms,
    Children,
    Form,
    Nodes,
    Priors,
    Rules,
    Slots,
    Stream,
)
from agents.planning.kernels.novelty import enter, stays_novel
from agents.planning.kernels.randomness import pick
from agents.planning.kernels.tree import choose, solve, write_node


@compiled
def take_up(
    nodes: Nodes,
    child: Children,
    pool: Atoms,
    slots: Slots,
    form: Form,
    rules: Rules,
    size: int,
    in_table: bool,
) -> None:
    """Nodes of earlier decisions: those that end an episode or are as deep as nodes may be are
    solved, and with `in_table` all are entered and those that are not novel are solved too."""
    for n in range(size):
        node = nodes[n]
        ended = node.flags & ENDED != 0
        novel = 1
        if in_table and (not ended or rules[TERMINAL_ATOMS] != 0):
            atoms = pool[node.first_atom : node.first_atom + node.atom_count]
            novel = enter(slots, form, atoms, np.int64(node.depth), node.path_reward)
        pruned = not ended and novel == 0 and node.flags & REPEATED == 0
        if pruned:
            nodes[n].flags |= PRUNED
        if ended or pruned or node.depth >= rules[MAX_DEPTH]:
            solve(nodes, child, n)


@compiled
def select(
    nodes: Nodes,
    child: Children,
    prior: Priors,
    pool: Atoms,
    slots: Slots,
    form: Form,
    rules: Rules,
    stream: Stream,
    least: float,
    start: int,
) -> int:
    """Where the next rollout leaves the tree, walking on from node `start`: node * A + action; or
    `DONE` when the root is solved; or `ASK` - node."""
    actions = child.shape[1]
    weights = np.empty(actions)
    while nodes[0].flags & SOLVED == 0:
        n, action = np.int64(start), np.int64(0)
        start = 0
        while True:
            node = nodes[n]
            if node.flags & REPEATED != 0:
                action = np.int64(node.action)
            else:
                atoms = pool[node.first_atom : node.first_atom + node.atom_count]
                if rules[NOVELTY] != 0 and not stays_novel(
                    slots, form, atoms, np.int64(node.depth), node.path_reward
                ):
                    nodes[n].flags |= PRUNED
                    solve(nodes, child, n)
                    break
                if math.isnan(prior[n, 0]):
                    return int(ASK - n)
                total = 0.0
                for a in range(actions):
                    c = child[n, a]
                    weights[a] = prior[n, a] if c < 0 or nodes[c].flags & SOLVED == 0 else 0.0
                    total += weights[a]
                if total <= least:
                    solve(nodes, child, n)
                    break
                action = np.int64(pick(weights, total, stream))
            if child[n, action] < 0:
                return int(n * actions + action)
            n = np.int64(child[n, action])
    return DONE


@compiled
def _alike(nodes: Nodes, pool: Atoms, parent: int, atoms: Atoms) -> bool:
    first, count = nodes[parent].first_atom, nodes[parent].atom_count
    if count != len(atoms):
        return False
    for i in range(count):  # noqa: SIM110 - numba compiles no all()
        if pool[first + i] != atoms[i]:
            return False
    return True


@compiled
def extend(
    nodes: Nodes,
    child: Children,
    prior: Priors,
    pool: Atoms,
    slots: Slots,
    form: Form,
    rules: Rules,
    stream: Stream,
    n: int,
    first_atom: int,
    atoms: Atoms,
    guide: NDArray[np.float64],
    parent: int,
    action: int,
    reward: float,
    terminated: bool,
    truncated: bool,
    lives: int,
    value: float,
    least: float,
    goes_on: bool,
) -> int:
    """Writes node `n`, for which there is room; returns the action that the rollout goes on with,
    `DONE` where it ends, by what it found or as it may not go on, or `ASK`."""
    write_node(
        nodes,
        child,
        prior,
        pool,
        n,
        first_atom,
        atoms,
        guide,
        parent,
        action,
        reward,
        terminated,
        truncated,
        lives,
        value,
    )
    node = nodes[n]
    depth, ended = np.int64(node.depth), terminated or truncated
    if rules[MAX_REPEATS] > 0 and not ended and _alike(nodes, pool, parent, atoms):
        nodes[n].repeats = nodes[parent].repeats + 1
        if nodes[n].repeats <= rules[MAX_REPEATS]:
            nodes[n].flags |= REPEATED
    novel = 1
    if rules[NOVELTY] != 0 and (not ended or rules[TERMINAL_ATOMS] != 0):
        novel = enter(slots, form, atoms, depth, node.path_reward)
        nodes[n].new_atoms = novel
    pruned = not ended and novel == 0 and nodes[n].flags & REPEATED == 0
    if pruned:
        nodes[n].flags |= PRUNED
    if ended or pruned or depth >= rules[MAX_DEPTH]:
        solve(nodes, child, n)
        return DONE
    if not goes_on:
        return DONE
    if nodes[n].flags & REPEATED != 0:
        return action
    if math.isnan(guide[0]):
        return ASK
    return choose(nodes, child, prior, n, stream, least)
