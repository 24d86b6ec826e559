"""Hierarchical planning (Junyent, Gómez & Jonsson 2021): a search over high-level states, each step
of which is a search below.

High: count-based Rollout IW. A rollout begins at a region drawn with probability
softmax((1 / (visits + 1)) / temperature), where visits counts how often regions of that high-level
state were searched in this episode, and goes on with each region found, as long as it is novel.
Of regions with one high-level state only the shallowest is searched.

Low: Rollout IW, guided or not, or IW(k), inside one region, until a state of another region is
found, which opens that. Returns flow back through entries:

    V(entry) = max_a Q(a) at the root of the region that it opens, or the value there
"""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.piiw.regions import Region, RegionTree
from agents.piiw.tiles import Tiles
from agents.planning.decision import decide, softmax
from agents.planning.evaluation import Atoms, Evaluation
from agents.planning.kernels.randomness import pick
from agents.planning.novelty import NoveltyTable
from agents.planning.planner import Budget, Decision, Planner, Statistics
from agents.planning.tree import CACHED, PRUNED, Tree

if TYPE_CHECKING:
    from envs.simulator import Outcome, Simulator


class Bounded:
    """A simulator in which an episode seems to be cut where the high-level state changes.

    Attributes:
        inside: atoms of the high-level state that is not to be left.
        planner: halted when that happens.
    """

    def __init__(self, simulator: Simulator, tiles: Tiles) -> None:
        self._simulator, self._tiles = simulator, tiles
        self.inside: Atoms = np.empty(0, np.int32)
        self._left: tuple[Atoms, Any] | None = None
        self.planner: Planner | None = None

    def taken(self) -> tuple[Atoms, Any] | None:
        """(atoms, snapshot) of the state outside that was stepped to; None: none was since."""
        left, self._left = self._left, None
        return left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._simulator, name)

    def step(self, action: int) -> Outcome:
        outcome = self._simulator.step(action)
        if outcome.terminated or outcome.truncated:
            return outcome
        atoms = self._tiles(self._simulator.observation())
        if np.array_equal(atoms, self.inside):
            return outcome
        self._left = atoms, self._simulator.save()
        if self.planner is not None:
            self.planner.halted = True
        return outcome._replace(truncated=True)


class HierarchicalPlanner:
    """See the module's text; to an agent, a planner whose trees are `RegionTree`s.

    Args:
        low: the planner inside regions, made with `bounded` for its simulator, whose nodes of
            earlier decisions are in its novelty table.
        bounded: the simulator.
        width: of the high-level novelty table; None: whole tuples of tiles.
        temperature: of the choice of a region.
    """

    def __init__(
        self, low: Planner, bounded: Bounded, tiles: Tiles, width: int | None, temperature: float
    ) -> None:
        self.low, self._bounded, self._tiles = low, bounded, tiles
        self._novelty = NoveltyTable(tiles.atom_count, width)
        self._temperature = temperature
        self.visits: Counter[bytes] = Counter()
        self.search, self.rule = low.search, low.rule

    @property
    def stream(self) -> Any:
        """What the planner draws from."""
        return self.low.stream

    @stream.setter
    def stream(self, stream: Any) -> None:
        self.low.stream = stream

    @property
    def seconds(self) -> Any:
        """See `Planner`."""
        return self.low.seconds

    def new_tree(self) -> RegionTree:
        return RegionTree(self.low.actions)

    def begin(self, tree: RegionTree, snapshot: Any) -> None:
        """As `Planner.begin`."""
        inner = Tree(tree.actions)
        self.low.begin(inner, snapshot)
        tree.regions = [Region(self._tiles(self._bounded.observation()), inner)]

    def begin_episode(self) -> None:
        self.visits.clear()

    def plan(self, tree: RegionTree, budget: Budget) -> Decision:
        """As `Planner.plan`; the budget is one of low-level nodes."""
        started = time.perf_counter()
        deadline = math.inf if budget.seconds is None else started + budget.seconds
        cached = tree.size
        limit = math.inf if budget.nodes is None else cached + budget.nodes
        if self.search.max_tree_size is not None:
            limit = min(limit, self.search.max_tree_size)
        for region in tree.regions:
            region.tree.nodes["flags"][: region.tree.size] |= np.uint8(CACHED)
        left = self._search(tree, limit, deadline)
        self._back_up(tree)
        choice = decide(tree.root, self.rule, self.stream, tree.subtree_sizes())
        statistics = self._statistics(tree, cached, solved=not left)
        self.seconds.total += time.perf_counter() - started
        return Decision(*choice, statistics)

    # -- the high-level search

    def _search(self, tree: RegionTree, limit: float, deadline: float) -> bool:
        """Grows regions; returns whether anything is left to search."""
        self._novelty.forget()
        opened: dict[bytes, Region] = {}  # of each high-level state the region to be searched
        searched: dict[bytes, Region] = {}  # those in which nothing is left
        for region in tree.regions:
            if self._is_novel(region):
                self._open(region, opened, searched)

        def over() -> bool:
            return tree.size >= limit or (deadline < math.inf and time.perf_counter() >= deadline)

        while opened and not over():
            keys = list(opened)
            counts = np.array([self.visits[key] for key in keys])
            weights = softmax(1 / (counts + 1) / self._temperature)
            start = opened[keys[int(pick(weights, 1.0, self.stream))]]
            if not self._novelty.stays_novel(start.atoms, start.depth):
                self._drop(start, opened)
                continue
            at: Region | None = start
            while at is not None and not over():
                self.visits[at.key] += 1
                found = self._grow(tree, at, limit, deadline)
                if found is None:
                    if not over():
                        searched[at.key] = at
                        opened.pop(at.key, None)
                elif self._is_novel(found):
                    self._open(found, opened, searched)
                else:
                    found = None
                at = found
        return bool(opened)

    def _is_novel(self, region: Region) -> bool:
        """Enters a region into the novelty table."""
        return self._novelty.enter(region.atoms, region.depth) > 0

    def _open(
        self, region: Region, opened: dict[bytes, Region], searched: dict[bytes, Region]
    ) -> None:
        """A novel region takes the place of a deeper one of its high-level state."""
        deeper = searched.pop(region.key, None) or opened.get(region.key)
        if deeper is not None:
            self._drop(deeper, opened)
        opened[region.key] = region

    def _drop(self, region: Region, opened: dict[bytes, Region]) -> None:
        """Neither this region nor those entered from it are searched on."""
        for each in region.below():
            if opened.get(each.key) is each:
                del opened[each.key]

    # -- the low-level search

    def _grow(
        self, tree: RegionTree, region: Region, limit: float, deadline: float
    ) -> Region | None:
        """Searches inside a region until another is found, which is returned, or time is up, or
        nothing is left."""
        bounded, low, inner = self._bounded, self.low, region.tree
        bounded.inside, bounded.planner = region.atoms, low
        region.close_entries(closed=True)
        low.grow(inner, inner.size + limit - tree.size, deadline)
        region.close_entries(closed=False)
        left = bounded.taken()
        if left is None:
            return None
        atoms, snapshot = left
        entry = inner.size - 1
        further = self._entered(inner, entry, atoms, snapshot)
        further.parent, further.depth = region, region.depth + 1
        inner.snapshots[entry] = further
        region.entries[entry] = further
        region.close_entries(closed=False)
        tree.regions.append(further)
        return further

    def _entered(self, outer: Tree, entry: int, atoms: Atoms, snapshot: Any) -> Region:
        """The region that a node opens, which is its root, too."""
        node = outer.nodes[entry]
        inner = Tree(outer.actions)
        inner.begin(
            Evaluation(outer.atoms[entry], None, float(node["value"])),
            outer.prior_table[entry],
            snapshot,
            outer.observations[entry],
            int(node["lives"]),
        )
        return Region(atoms, inner)

    # -- what comes of it

    def _back_up(self, tree: RegionTree) -> None:
        """Gives every entry the worth of the region that it opens."""
        for region in reversed(tree.regions):
            for n, further in region.entries.items():
                region.tree.nodes["value"][n] = self._worth(further.tree)

    def _worth(self, tree: Tree) -> float:
        rule = self.rule
        q = tree.q_values(
            rule.gamma, risk_averse=rule.risk_averse, value_everywhere=rule.value_everywhere
        )
        best, own = float(q.max()), float(tree.nodes["value"][0])
        if best == -math.inf:
            return own
        return max(best, own) if rule.value_everywhere else best

    def _statistics(self, tree: RegionTree, cached: int, *, solved: bool) -> Statistics:
        depths: list[np.ndarray] = []
        below: dict[int, int] = {id(tree.regions[0]): 0}
        pruned = 0
        for region in tree.regions:
            inner = region.tree
            start = below[id(region)]
            depths.append(inner.depth[1:] + start)
            fresh = inner.flags & (PRUNED | CACHED) == PRUNED
            pruned += int(np.count_nonzero(fresh))
            for n, further in region.entries.items():
                below[id(further)] = start + int(inner.depth[n])
        every = np.concatenate(depths)
        return Statistics(
            generated=tree.size - cached,
            cached=cached - 1,
            pruned=pruned,
            mean_depth=float(every.mean()) if len(every) else 0.0,
            max_depth=int(every.max()) if len(every) else 0,
            solved=solved,
        )

    def state_dict(self) -> dict[str, Any]:
        return {"low": self.low.state_dict(), "visits": dict(self.visits)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.low.load_state_dict(state["low"])
        self.visits = Counter(state["visits"])
