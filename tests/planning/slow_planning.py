"""Rollout IW and its novelty tables as the papers write them: dictionaries, objects, recursion."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

from small_worlds import Graph

Key = tuple[Any, ...]
_MASK = 2**64 - 1


class SlowStream:
    """SplitMix64 in Python's own integers."""

    def __init__(self, state: int) -> None:
        self.state = state

    def uniform(self) -> float:
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((z ^ (z >> 31)) >> 11) / 2**53

    def pick(self, weights: list[float]) -> int:
        total = 0.0
        for weight in weights:
            total += weight
        rest = self.uniform() * total
        for index, weight in enumerate(weights):
            if weight > 0:
                last = index
                rest -= weight
                if rest < 0:
                    return index
        return last


class SlowTable:
    """The least depth of every combination, in a dictionary."""

    def __init__(self, width: int | None, *, depths: bool = True, magnitudes: bool = False) -> None:
        self.width, self.depths, self.magnitudes = width, depths, magnitudes
        self.least: dict[Key, int] = {}

    def _keys(self, atoms: list[int], path_reward: float) -> list[Key]:
        order = 0
        if self.magnitudes and path_reward > 0:
            order = math.floor(math.log2(path_reward)) + (path_reward >= 1)
        if self.width is None:
            return [(order, *atoms)]
        return [(order, *chosen) for chosen in itertools.combinations(atoms, self.width)]

    def enter(self, atoms: list[int], depth: int, path_reward: float) -> int:
        depth = depth if self.depths else 0
        novel = 0
        for key in self._keys(atoms, path_reward):
            if depth < self.least.get(key, math.inf):
                self.least[key] = depth
                novel += 1
        return novel

    def stays_novel(self, atoms: list[int], depth: int, path_reward: float) -> bool:
        depth = depth if self.depths else 0
        return any(depth <= self.least.get(key, math.inf) for key in self._keys(atoms, path_reward))


@dataclass
class SlowNode:
    state: int
    parent: SlowNode | None
    action: int
    reward: float
    depth: int
    path_reward: float
    ended: bool
    children: dict[int, SlowNode] = field(default_factory=dict)
    solved: bool = False
    pruned: bool = False


class SlowRolloutIW:
    """Pseudocode of Rollout IW with a guiding policy, on a graph."""

    def __init__(
        self,
        graph: Graph,
        table: SlowTable | None,
        priors: list[list[float]],
        stream: SlowStream,
        *,
        cached_in_table: bool,
        terminal_atoms: bool,
        max_depth: float,
    ) -> None:
        self.graph, self.table, self.priors, self.stream = graph, table, priors, stream
        self.cached_in_table, self.terminal_atoms = cached_in_table, terminal_atoms
        self.max_depth = max_depth
        self.nodes = [SlowNode(0, None, -1, 0.0, 0, 0.0, ended=False)]

    def solve(self, node: SlowNode) -> None:
        actions = len(self.graph.successors[0])
        node.solved = True
        parent = node.parent
        while parent is not None and not parent.solved:
            if len(parent.children) < actions or not all(
                child.solved for child in parent.children.values()
            ):
                break
            parent.solved = True
            parent = parent.parent

    def plan(self, budget: int) -> None:
        if self.table is not None:
            self.table.least.clear()
        for node in self.nodes:
            node.solved = node.pruned = False
        for node in self.nodes:
            novel = 1
            if self.cached_in_table and self.table and (not node.ended or self.terminal_atoms):
                novel = self.table.enter(self.graph.atoms[node.state], node.depth, node.path_reward)
            node.pruned = not node.ended and novel == 0
            if node.ended or node.pruned or node.depth >= self.max_depth:
                self.solve(node)
        last = len(self.nodes) + budget
        while len(self.nodes) < last and not self.nodes[0].solved:
            selected = self.select()
            if selected is not None:
                self.roll_out(*selected, last)

    def select(self) -> tuple[SlowNode, int] | None:
        node = self.nodes[0]
        while True:
            if self.table is not None and not self.table.stays_novel(
                self.graph.atoms[node.state], node.depth, node.path_reward
            ):
                node.pruned = True
                self.solve(node)
                return None
            weights = list(self.priors[node.state])
            for action, child in node.children.items():
                if child.solved:
                    weights[action] = 0.0
            if sum(weights) <= 0:
                self.solve(node)
                return None
            action = self.stream.pick(weights)
            if action not in node.children:
                return node, action
            node = node.children[action]

    def roll_out(self, node: SlowNode, action: int, last: int) -> None:
        while True:
            state = self.graph.successors[node.state][action]
            reward = self.graph.rewards[node.state][action]
            child = SlowNode(
                state,
                node,
                action,
                reward,
                node.depth + 1,
                node.path_reward + reward,
                state in self.graph.terminal,
            )
            node.children[action] = child
            self.nodes.append(child)
            novel = 1
            if self.table is not None and (not child.ended or self.terminal_atoms):
                novel = self.table.enter(self.graph.atoms[state], child.depth, child.path_reward)
            child.pruned = not child.ended and novel == 0
            if child.ended or child.pruned or child.depth >= self.max_depth:
                self.solve(child)
                return
            if len(self.nodes) == last:
                return
            node, action = child, self.stream.pick(list(self.priors[state]))

    def reroot(self, action: int) -> None:
        root = self.nodes[0].children[action]
        kept = []
        for node in self.nodes:
            above: SlowNode | None = node
            while above is not None and above is not root:
                above = above.parent
            if above is root:
                kept.append(node)
        root.parent, root.action, root.reward = None, -1, 0.0
        for node in kept:
            node.depth -= 1
            node.path_reward = 0.0 if node.parent is None else node.parent.path_reward + node.reward
        self.nodes = kept
