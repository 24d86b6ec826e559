"""IW(k) by breadth-first search (Lipovetzky & Geffner 2012), and breadth-first search.

Nodes are expanded in the order in which they were found, each by all its actions, in an order drawn
from the guiding policy. A child that is not novel, by the classical table in which depth plays no
part, stays in the tree as a leaf. With whole tuples in the table (`width` None) that is
breadth-first search without duplicates; without a table (`width` 0) with them.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Any

from agents.planning.kernels.randomness import pick
from agents.planning.kernels.tree import solve
from agents.planning.planner import Planner
from agents.planning.tree import ENDED, PRUNED, SOLVED, Tree


class BreadthFirst(Planner):
    """See the module's text. Nodes of earlier decisions are always in the table: they are found
    again, in the order of their depths, without cost."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._novelty = self._table(depths=False)

    def _grow(self, tree: Tree, limit: float, deadline: float) -> None:
        if self._novelty is not None:
            self._novelty.forget()
        queue: deque[int] = deque()
        self._enter(tree, 0, queue)
        while queue:
            node = queue.popleft()
            self.ask_at(tree, node)
            weights = tree.prior_table[node].copy()
            # cached children first: they cost nothing
            for child in tree.child_table[node][tree.child_table[node] >= 0].tolist():
                weights[tree.nodes["action"][child]] = 0.0
                self._enter(tree, child, queue)
            while (total := float(weights.sum())) > self.search.min_probability:
                if tree.size >= limit or self.halted:
                    return
                if deadline < math.inf and time.perf_counter() >= deadline:
                    return
                action = int(pick(weights, total, self.stream))
                weights[action] = 0.0
                child = self.add_child(tree, node, action)
                self._enter(tree, child, queue)
            if not tree.nodes["flags"][node] & SOLVED and self._expanded(tree, node):
                solve(tree.nodes, tree.child_table, node)

    def _expanded(self, tree: Tree, node: int) -> bool:
        """Whether nothing is left to search below: no action that the guide would take."""
        children = tree.child_table[node]
        found = children[children >= 0]
        return bool((tree.nodes["flags"][found] & SOLVED != 0).all())

    def _enter(self, tree: Tree, n: int, queue: deque[int]) -> None:
        """Enters a node into the table, and queues it where there is something to search."""
        node = tree.nodes[n]
        ended, novel = bool(node["flags"] & ENDED), 1
        if self._novelty is not None and (not ended or self.search.terminal_atoms):
            novel = self._novelty.enter(tree.atoms[n], 0, float(node["path_reward"]))
            node["new_atoms"] = novel
        deepest = self.search.max_depth
        if not ended and novel == 0:
            node["flags"] |= PRUNED
        if ended or novel == 0 or (deepest is not None and node["depth"] >= deepest):
            solve(tree.nodes, tree.child_table, n)
        else:
            queue.append(n)
