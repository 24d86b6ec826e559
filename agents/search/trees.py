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
    ],
    align=True,
)
EDGE = np.dtype(
    [
        ("prior", np.float64),  # ILLEGAL, or the policy
        ("q", np.float64),  # reward + discount * the child's value; see `kernels` for q_ucb
        ("visits", np.int32),
        ("child", np.int32),  # -1: none yet
    ],
    align=True,
)
ILLEGAL = -1.0

#: Kinds of search; normalisations; what stands for Q that is not known. Numbers in `Trees.choices`.
PUCT, GUMBEL, Q_UCB = range(3)
TREE, NODES, NONE = range(3)
WORST, PARENT_MEAN, PARENT_VALUE = range(3)
#: Places in `Trees.choices` and in `Trees.numbers`.
KIND, NORMALISATION, UNVISITED, NOT_AT_ROOT, NOT_BELOW, CURRENT, RESCALE, MIXED = range(8)
DISCOUNT, C1, FLOOR, FRACTION, C_VISIT, C_SCALE = range(6)


class Trees(NamedTuple):
    """Trees and options.

    Attributes:
        nodes: [B, N] of `NODE`.
        edges: [B, N, A] of `EDGE`.
        bounds: [B, 2] the least and greatest Q of a tree; (inf, -inf) while there is none.
        root_scores: [B, A] Gumbel noise + log-policy of the root.
        considered: [B] actions that the halving begins with.
        choices, numbers: the options, by the names above.
        exploration: [N + 1] √n (c1 + ln((n + c2 + 1) / c2)) for n visits.
        halving: [m + 1, simulations] see `considered_visits`.
    """

    nodes: NDArray[np.void]
    edges: NDArray[np.void]
    bounds: Floats
    root_scores: Floats
    considered: Integers
    choices: Integers
    numbers: Floats
    exploration: Floats
    halving: Integers


def new_trees(settings: SearchSettings, batch: int, actions: int) -> Trees:
    """Room for so many trees; nothing of it is set but the options."""
    count = settings.simulations + 1
    visits = np.arange(count + 1, dtype=np.float64)
    exploration = np.sqrt(visits) * (settings.c1 + np.log((visits + settings.c2 + 1) / settings.c2))
    widest = min(settings.max_considered, actions)
    return Trees(
        nodes=np.zeros((batch, count), NODE),
        edges=np.zeros((batch, count, actions), EDGE),
        bounds=np.zeros((batch, 2)),
        root_scores=np.zeros((batch, actions)),
        considered=np.zeros(batch, np.int64),
        choices=np.array(
            [
                ("puct", "gumbel", "q_ucb").index(settings.kind),
                ("tree", "node", "none").index(settings.q_normalisation),
                ("worst", "parent_mean", "parent_value").index(settings.unvisited_q),
                settings.own_visit != "always",
                settings.own_visit == "never",
                settings.q_bounds == "current",
                settings.rescale_q,
                settings.completed_q == "mixed",
            ],
            dtype=np.int64,
        ),
        numbers=np.array(
            [
                settings.signed_discount,
                settings.c1,
                settings.normalisation_floor,
                settings.root_noise_fraction,
                settings.c_visit,
                settings.c_scale,
            ]
        ),
        exploration=exploration,
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
