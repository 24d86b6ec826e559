"""What a batch of trees is in memory, and a search's options as the numbers that loops read.

Trees are flat arrays [batch, node, action]. Node 0 is the root, node i what simulation i added. A
legal action of a node is an edge with a prior of at least 0; other edges are never taken.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.search.settings import SearchSettings

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NODE = np.dtype(
    [
        ("value", np.float64),  # mean of its own evaluation and of the returns that came through it
        ("evaluation", np.float64),  # the network's value
        ("reward", np.float64),  # of the edge that leads here
        ("parent", np.int32),
        ("action", np.int32),
        ("visits", np.int32),  # the one that created it included
        # for walks by pUCT, compiled, so that one record says all of a child
        ("child", np.int32),  # the newest; -1: none
        ("sibling", np.int32),  # the parent's child before; -1: none
        ("untried", np.int32),  # the action without a child that comes first; -1: none, or UNKNOWN
        ("q", np.float64),  # of the edge that leads here, and its prior
        ("prior", np.float64),
    ],
    align=True,
)
EDGE = np.dtype(
    [
        ("prior", np.float64),  # ILLEGAL, or the policy
        ("q", np.float64),  # reward + discount * the child's value; see `kernels.tree` for q_ucb
        ("visits", np.int32),
        ("child", np.int32),  # -1: none yet
    ],
    align=True,
)
ILLEGAL = -1.0
UNKNOWN = -2

ROOT = np.dtype(
    [
        ("low", np.float64),  # the least and greatest Q of the tree; inf and -inf: there is none
        ("high", np.float64),
        ("considered", np.int64),  # actions that the halving begins with
    ],
    align=True,
)
RULES = np.dtype(
    [
        ("kind", np.int64),
        ("normalisation", np.int64),
        ("unvisited", np.int64),
        ("not_at_root", np.int64),  # visits taken off N at the root, and below
        ("not_below", np.int64),
        ("current", np.int64),
        ("rescale", np.int64),
        ("mixed", np.int64),
        ("discount", np.float64),
        ("c1", np.float64),
        ("floor", np.float64),
        ("fraction", np.float64),
        ("c_visit", np.float64),
        ("c_scale", np.float64),
    ],
    align=True,
)
#: Kinds of search; normalisations; what stands for Q that is not known.
PUCT, GUMBEL, Q_UCB = range(3)
TREE, WITHIN, NONE = range(3)
WORST, PARENT_MEAN, PARENT_VALUE = range(3)


class Trees(NamedTuple):
    """Trees and options.

    Attributes:
        nodes: [B, N] of `NODE`.
        edges: [B, N, A] of `EDGE`.
        roots: [B] of `ROOT`.
        scores: [B, A] Gumbel noise + log-policy of the root.
        rules: [1] of `RULES`, the options.
        exploration: [N + 1] √n (c1 + ln((n + c2 + 1) / c2)) for n visits.
        halving: [m + 1, simulations] see `considered_visits`.
    """

    nodes: NDArray[np.void]
    edges: NDArray[np.void]
    roots: NDArray[np.void]
    scores: Floats
    rules: NDArray[np.void]
    exploration: Floats
    halving: Integers


def new_trees(settings: SearchSettings, batch: int, actions: int) -> Trees:
    """Room for so many trees; nothing of it is set but the options."""
    count = settings.simulations + 1
    visits = np.arange(count + 1, dtype=np.float64)
    growth = settings.c1 + np.log((visits + settings.c2 + 1) / settings.c2)
    widest = min(settings.max_considered, actions)
    rules = np.zeros(1, RULES)
    rules["kind"] = ("puct", "gumbel", "q_ucb").index(settings.kind)
    rules["normalisation"] = ("tree", "node", "none").index(settings.q_normalisation)
    rules["unvisited"] = ("worst", "parent_mean", "parent_value").index(settings.unvisited_q)
    rules["not_at_root"] = settings.own_visit != "always"
    rules["not_below"] = settings.own_visit == "never"
    rules["current"] = settings.q_bounds == "current"
    rules["rescale"] = settings.rescale_q
    rules["mixed"] = settings.completed_q == "mixed"
    rules["discount"] = settings.signed_discount
    rules["c1"] = settings.c1
    rules["floor"] = settings.normalisation_floor
    rules["fraction"] = settings.root_noise_fraction
    rules["c_visit"] = settings.c_visit
    rules["c_scale"] = settings.c_scale
    return Trees(
        nodes=np.zeros((batch, count), NODE),
        edges=np.zeros((batch, count, actions), EDGE),
        roots=np.zeros(batch, ROOT),
        scores=np.zeros((batch, actions)),
        rules=rules,
        exploration=np.sqrt(visits) * growth,
        halving=np.array(
            [considered_visits(m, settings.simulations) for m in range(widest + 1)], np.int64
        ),
    )


def considered_visits(considered: int, simulations: int) -> list[int]:
    """[simulations] how many visits the action has that each simulation takes at the root.

    Sequential halving (Karnin et al. 2013) of so many actions in log2 of them rounds of equal cost;
    the last two are tried in turns until the simulations are spent.
    """
    if considered <= 1:
        return list(range(simulations))
    rounds = math.ceil(math.log2(considered))
    sequence: list[int] = []
    visits, survivors = 0, considered
    while len(sequence) < simulations:
        for _ in range(max(1, simulations // (rounds * survivors))):
            sequence += [visits] * survivors
            visits += 1
        survivors = max(2, survivors // 2)
    return sequence[:simulations]
