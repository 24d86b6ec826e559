"""The tree of π-HIW: a tree of regions, each with a search tree of its own.

A region is the part of a search in which the high-level state stays the same. A node of its tree
whose high-level state is another one is an entry: nothing is searched below it there, as it is the
root of the tree of a further region. In `Tree.snapshots` of the outer tree the region stands in the
place of the entry's snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.planning.evaluation import Atoms, Evaluation
from agents.planning.tree import TRUNCATED, Tree


@dataclass(eq=False)
class Region:
    """A high-level node.

    Attributes:
        atoms: of the high-level state.
        tree: what was found while the high-level state was that; node 0 is where it was entered.
        parent: the region from which it was entered; None at the root.
        depth: regions from the root to here.
        entries: nodes of the tree that are entries, and the regions that they open.
    """

    atoms: Atoms
    tree: Tree
    parent: Region | None = None
    depth: int = 0
    entries: dict[int, Region] = field(default_factory=dict)

    @property
    def key(self) -> bytes:
        """The high-level state, to be looked up."""
        return self.atoms.tobytes()

    def below(self) -> Iterator[Region]:
        """This region and all that were entered from it."""
        to_come = [self]
        while to_come:
            region = to_come.pop()
            yield region
            to_come.extend(region.entries.values())

    def close_entries(self, *, closed: bool) -> None:
        """Makes entries look like ends of episodes, for a search that is to leave them alone; or
        not."""
        flags = self.tree.nodes["flags"]
        for n in self.entries:
            if closed:
                flags[n] |= np.uint8(TRUNCATED)
            else:
                flags[n] &= ~np.uint8(TRUNCATED)

    def find_entries(self) -> None:
        """After nodes were renumbered."""
        self.entries = {
            n: region for n, region in enumerate(self.tree.snapshots) if isinstance(region, Region)
        }


class RegionTree:
    """Regions in the order in which they were found; to an agent, the tree of the first of them.

    Attributes:
        actions: A, the branching factor.
        regions: a region comes after that from which it was entered.
    """

    def __init__(self, actions: int) -> None:
        self.actions = actions
        self.regions: list[Region] = []

    # -- what agents read of a tree

    @property
    def root(self) -> Tree:
        """The tree of the region that the agent is in."""
        return self.regions[0].tree

    @property
    def size(self) -> int:
        """Nodes, entries counted once; set it to 0 to forget all."""
        return sum(region.tree.size - 1 for region in self.regions) + bool(self.regions)

    @size.setter
    def size(self, size: int) -> None:
        assert size == 0
        self.regions = []

    @property
    def nodes(self) -> NDArray[np.void]:
        return self.root.nodes

    @property
    def child_table(self) -> NDArray[np.int32]:
        return self.root.child_table

    @property
    def prior_table(self) -> NDArray[np.float64]:
        return self.root.prior_table

    @property
    def snapshots(self) -> list[Any]:
        return self.root.snapshots

    def whole(self) -> Tree:
        """All regions as one tree, in which entries are nodes like others; to be looked at."""
        whole = Tree(self.actions, capacity=self.size)
        whole.size = self.size
        numbers: dict[tuple[int, int], int] = {(id(self.regions[0]), 0): 0}
        for region in self.regions:
            tree, here = region.tree, id(region)
            top = numbers[here, 0]
            start = int(whole.nodes["depth"][top])
            for n in range(tree.size):
                if n:
                    at = numbers[here, n] = len(whole.atoms)
                elif top:
                    whole.snapshots[top] = tree.snapshots[0]
                    continue
                else:
                    at = 0
                whole.nodes[at] = tree.nodes[n]
                node = whole.nodes[at]
                node["depth"] += start
                whole.prior_table[at] = tree.prior_table[n]
                if n:
                    parent = numbers[here, int(tree.nodes["parent"][n])]
                    node["parent"] = parent
                    whole.child_table[parent, int(node["action"])] = at
                if n in region.entries:
                    numbers[id(region.entries[n]), 0] = at
                whole.atoms.append(tree.atoms[n])
                whole.snapshots.append(tree.snapshots[n])
                whole.observations.append(tree.observations[n])
        return whole

    def subtree_sizes(self) -> NDArray[np.int64]:
        """[A] nodes below the root that each action leads to, in all regions."""
        region = self.regions[0]
        tree = region.tree
        sizes = tree.subtree_sizes()
        for entry, inner in region.entries.items():
            n = entry
            while tree.nodes["parent"][n] > 0:
                n = tree.nodes["parent"][n]
            sizes[tree.nodes["action"][n]] += sum(each.tree.size - 1 for each in inner.below())
        return sizes

    def reroot(self, action: int, *, keep_subtree: bool = True) -> None:
        """The state that `action` leads to becomes the root.

        Raises:
            ValueError: the action was not expanded.
        """
        here = self.regions[0]
        entered = here.entries.get(int(here.tree.child_table[0, action]))
        if entered is not None:
            if not keep_subtree:
                entered = Region(entered.atoms, root_alone(entered.tree))
            entered.parent = None
            self._keep(entered)
            return
        here.tree.reroot(action, keep_subtree=keep_subtree)
        here.find_entries()
        self._keep(here)

    def _keep(self, root: Region) -> None:
        """Drops all regions but those below `root`."""
        kept = set(map(id, root.below()))
        others = [region for region in self.regions if id(region) in kept and region is not root]
        self.regions = [root, *others]
        root.depth = 0
        for region in others:
            assert region.parent is not None
            region.depth = region.parent.depth + 1

    # -- leaving and coming back

    def state_dict(self) -> dict[str, Any]:
        number = {id(region): i for i, region in enumerate(self.regions)}
        return {
            "regions": [
                {
                    "atoms": region.atoms,
                    "tree": _without_regions(region.tree.state_dict()),
                    "entries": {n: number[id(each)] for n, each in region.entries.items()},
                }
                for region in self.regions
            ]
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.regions = []
        for saved in state["regions"]:
            tree = Tree(self.actions)
            tree.load_state_dict(saved["tree"])
            self.regions.append(Region(saved["atoms"], tree))
        for region, saved in zip(self.regions, state["regions"], strict=True):
            for n, i in saved["entries"].items():
                inner = self.regions[i]
                inner.parent, inner.depth = region, region.depth + 1
                region.entries[n] = region.tree.snapshots[n] = inner


def root_alone(tree: Tree) -> Tree:
    """The root of a tree, as a tree."""
    alone = Tree(tree.actions)
    root = tree.nodes[0]
    evaluation = Evaluation(tree.atoms[0], None, float(root["value"]))
    alone.begin(
        evaluation, tree.prior_table[0], tree.snapshots[0], tree.observations[0], int(root["lives"])
    )
    return alone


def _without_regions(state: dict[str, Any]) -> dict[str, Any]:
    snapshots = state["snapshots"]
    kept = [None if isinstance(snapshot, Region) else snapshot for snapshot in snapshots]
    return {**state, "snapshots": kept}
