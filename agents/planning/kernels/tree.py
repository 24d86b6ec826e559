"""Nodes of a tree, compiled: writing, solving, and choosing at them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.planning.kernels.compiling import compiled
from agents.planning.kernels.forms import (
    DONE,
    LIFE_LOST,
    REPEATED,
    SOLVED,
    TERMINATED,
    TRUNCATED,
    Atoms,
    Children,
    Integer,
    Nodes,
    Priors,
    Stream,
)
from agents.planning.kernels.randomness import pick


@compiled
def solve(nodes: Nodes, child: Children, n: Integer) -> None:
    """Solves node `n`, and its ancestors as far as all their actions lead to solved children."""
    actions = child.shape[1]
    while nodes[n].flags & SOLVED == 0:
        nodes[n].flags |= SOLVED
        n = nodes[n].parent
        if n < 0:
            return
        nodes[n].solved_children += 1
        possible = 1 if nodes[n].flags & REPEATED != 0 else actions
        if nodes[n].solved_children < possible:
            return


@compiled
def write_node(
    nodes: Nodes,
    child: Children,
    prior: Priors,
    pool: Atoms,
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
) -> None:
    """Writes node `n`, for which there is room: all but what novelty says of it."""
    flags = 0
    if terminated:
        flags |= TERMINATED
    if truncated:
        flags |= TRUNCATED
    if lives < nodes[parent].lives:
        flags |= LIFE_LOST
    child[parent, action] = n
    for a in range(len(guide)):
        prior[n, a] = guide[a]
    for i in range(len(atoms)):
        pool[first_atom + i] = atoms[i]
    nodes[n].parent = parent
    nodes[n].action = action
    nodes[n].repeats = 0
    nodes[n].reward = reward
    nodes[n].path_reward = nodes[parent].path_reward + reward
    nodes[n].value = 0.0 if terminated else value
    nodes[n].first_atom = first_atom
    nodes[n].atom_count = len(atoms)
    nodes[n].new_atoms = 0
    nodes[n].depth = nodes[parent].depth + 1
    nodes[n].lives = lives
    nodes[n].solved_children = 0
    nodes[n].flags = flags


@compiled
def choose(
    nodes: Nodes, child: Children, prior: Priors, n: int, stream: Stream, least: float
) -> int:
    """An action of the guiding policy at a new node; `DONE`, the node being solved, where it has
    none of them probability."""
    total = 0.0
    for a in range(child.shape[1]):
        total += prior[n, a]
    if total <= least:
        solve(nodes, child, n)
        return DONE
    return pick(prior[n], total, stream)
