"""Count-based Rollout IW, the high-level planner of π-HIW (Junyent, Gómez & Jonsson 2021).

Rollouts begin anywhere in the tree: at a node drawn with probability
softmax((1 / (visits + 1)) / temperature), where visits counts how often nodes with just its atoms
were extended in this episode. A rollout goes on as long as its states are novel. Of nodes with
equal atoms only the last found one, which is the shallowest, is extended.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import Any

import numpy as np

from agents.planning.decision import softmax
from agents.planning.kernels.randomness import pick
from agents.planning.kernels.tree import solve
from agents.planning.planner import Planner
from agents.planning.tree import ENDED, PRUNED, Tree


class CountBasedRolloutIW(Planner):
    """See the module's text. Nodes of earlier decisions are always in the table.

    Attributes:
        visits: atoms as bytes -> how often they were extended in this episode.
        temperature: of the choice of a node.
    """

    def __init__(self, *arguments: Any, temperature: float = 0.005, **named: Any) -> None:
        super().__init__(*arguments, **named)
        table = self._table(depths=True)
        if table is None:
            raise ValueError("count-based rollouts need a novelty table")
        self._novelty = table
        self.temperature = temperature
        self.visits: Counter[bytes] = Counter()

    def begin_episode(self) -> None:
        self.visits.clear()

    def _grow(self, tree: Tree, limit: float, deadline: float) -> None:
        self._novelty.forget()
        open_nodes: dict[bytes, int] = {}
        for n in range(tree.size):
            self._enter(tree, n, open_nodes)
        while open_nodes and not self._over(tree, limit, deadline):
            names = list(open_nodes)
            counts = np.array([self.visits[name] for name in names])
            weights = softmax(1 / (counts + 1) / self.temperature)
            name = names[int(pick(weights, 1.0, self.stream))]
            node = open_nodes[name]
            if not self._stays_novel(tree, node):
                del open_nodes[name]
                self._prune(tree, node)
                continue
            self._roll_out(tree, node, open_nodes, limit, deadline)

    def _roll_out(
        self, tree: Tree, node: int, open_nodes: dict[bytes, int], limit: float, deadline: float
    ) -> None:
        while not self._over(tree, limit, deadline):
            name = tree.atoms[node].tobytes()
            self.visits[name] += 1
            self.ask_at(tree, node)
            weights = np.where(tree.child_table[node] < 0, tree.prior_table[node], 0.0)
            total = float(weights.sum())
            if total <= self.search.min_probability:
                # expanded: only what is below it can still be extended
                if open_nodes.get(name) == node:
                    del open_nodes[name]
                return
            child = self.add_child(tree, node, int(pick(weights, total, self.stream)))
            if not self._enter(tree, child, open_nodes):
                return
            node = child

    def _enter(self, tree: Tree, n: int, open_nodes: dict[bytes, int]) -> bool:
        """Enters a node into the table, and opens it where there is something to search."""
        node, novel = tree.nodes[n], 1
        ended = bool(node["flags"] & ENDED)
        if not ended or self.search.terminal_atoms:
            novel = self._novelty.enter(
                tree.atoms[n], int(node["depth"]), float(node["path_reward"])
            )
            node["new_atoms"] = novel
        deepest = self.search.max_depth
        if not ended and novel == 0:
            self._prune(tree, n)
        elif ended or (deepest is not None and node["depth"] >= deepest):
            solve(tree.nodes, tree.child_table, n)
        else:
            # takes the place of a deeper one with the same atoms
            open_nodes[tree.atoms[n].tobytes()] = n
            return True
        return False

    def _prune(self, tree: Tree, n: int) -> None:
        tree.nodes["flags"][n] |= np.uint8(PRUNED)
        solve(tree.nodes, tree.child_table, n)

    def _stays_novel(self, tree: Tree, n: int) -> bool:
        node = tree.nodes[n]
        return self._novelty.stays_novel(
            tree.atoms[n], int(node["depth"]), float(node["path_reward"])
        )

    def _over(self, tree: Tree, limit: float, deadline: float) -> bool:
        return tree.size >= limit or (deadline < math.inf and time.perf_counter() >= deadline)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "visits": dict(self.visits)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.visits = Counter(state["visits"])
