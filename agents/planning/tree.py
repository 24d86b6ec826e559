"""A search tree in arrays: node 0 is the root, and a child's number is above its parent's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.planning.evaluation import Atoms, Evaluation
from agents.planning.kernels.forms import (
    CACHED,
    ENDED,
    LIFE_LOST,
    NODE,
    PRUNED,
    REPEATED,
    SOLVED,
    TERMINATED,
    TRUNCATED,
    Children,
    Nodes,
    Priors,
)

__all__ = [
    "CACHED",
    "ENDED",
    "LIFE_LOST",
    "PRUNED",
    "REPEATED",
    "SOLVED",
    "TERMINATED",
    "TRUNCATED",
    "Tree",
]


class Tree:
    """Grows by doubling. The arrays that properties return are views of the nodes that there are,
    valid until the next node.

    Args:
        actions: A, the branching factor.

    Attributes:
        size: N, nodes that there are.
        nodes: records of dtype `NODE`, [capacity].
        child_table: [capacity, A]; see `child`.
        prior_table: [capacity, A]; see `prior`.
        pool: atoms of all nodes, one after another.
        snapshots: simulator's, of each node; None where a state is never returned to.
        observations: of each node, None where the planner does not keep them.
        atoms: of each node.
    """

    def __init__(self, actions: int, capacity: int = 256) -> None:
        self.actions = actions
        self.size = 0
        self.nodes: Nodes = np.zeros(capacity, dtype=NODE)
        self.child_table: Children = np.full((capacity, actions), -1, dtype=np.int32)
        self.prior_table: Priors = np.zeros((capacity, actions))
        self.pool: Atoms = np.zeros(1024, dtype=np.int32)
        self.pool_used = 0
        self.snapshots: list[Any] = []
        self.observations: list[Any] = []
        self.atoms: list[Atoms] = []

    # -- what there is to read

    @property
    def parent(self) -> NDArray[np.int32]:
        """[N] -1 at the root."""
        return self._field("parent")

    @property
    def action(self) -> NDArray[np.int16]:
        """[N] which led here; -1 at the root."""
        return self._field("action")

    @property
    def reward(self) -> NDArray[np.float64]:
        """[N] on the way from the parent; 0 at the root."""
        return self._field("reward")

    @property
    def value(self) -> NDArray[np.float64]:
        """[N] the evaluator's; 0 where the episode terminated."""
        return self._field("value")

    @property
    def depth(self) -> NDArray[np.int32]:
        """[N] from the root."""
        return self._field("depth")

    @property
    def flags(self) -> NDArray[np.uint8]:
        """[N] sums of the flags that this module exports."""
        return self._field("flags")

    @property
    def lives(self) -> NDArray[np.int32]:
        """[N] 0 where there are none."""
        return self._field("lives")

    @property
    def new_atoms(self) -> NDArray[np.int32]:
        """[N] combinations of atoms that were novel when the node was entered."""
        return self._field("new_atoms")

    @property
    def child(self) -> Children:
        """[N, A] -1 where not expanded."""
        return self.child_table[: self.size]

    @property
    def prior(self) -> Priors:
        """[N, A] the guiding policy; NaN where it has not been asked for."""
        return self.prior_table[: self.size]

    def _field(self, name: str) -> NDArray[Any]:
        return self.nodes[name][: self.size]

    def returns(
        self, gamma: float, *, risk_averse: bool = False, value_everywhere: bool = False
    ) -> NDArray[np.float64]:
        """R [N]: reward into a node and the discounted best that was found below it.

        R(n) = r(n) + γ V(n), where V is 0 at the end of an episode, the node's value at a leaf, and
        else the highest R of a child (with `value_everywhere`: or the value, if that is higher).

        Args:
            risk_averse: negative rewards weigh 50,000 times, and -500,000 is added to the reward of
                every node with fewer lives than the root.
        """
        found = np.empty(self.size)
        _back_up(self.nodes, self.child_table, found, gamma, risk_averse, value_everywhere)
        return found

    def q_values(
        self, gamma: float, *, risk_averse: bool = False, value_everywhere: bool = False
    ) -> NDArray[np.float64]:
        """Q [A] = R of the root's children; -inf where there is none."""
        found = self.returns(gamma, risk_averse=risk_averse, value_everywhere=value_everywhere)
        children = self.child_table[0]
        return np.where(children >= 0, found[children], -np.inf)

    def subtree_sizes(self) -> NDArray[np.int64]:
        """[A] nodes below the root that each of its actions leads to."""
        sizes = np.ones(self.size, dtype=np.int64)
        _count_below(self.nodes, sizes)
        children = self.child_table[0]
        return np.where(children >= 0, sizes[children], 0)

    # -- growing and shrinking

    def begin(
        self,
        evaluation: Evaluation,
        prior: NDArray[np.float64],
        snapshot: Any,
        observation: Any,
        lives: int,
    ) -> None:
        """Makes this a tree of a root alone, with the guiding policy `prior` [A]."""
        self.size = self.pool_used = 0
        self.child_table.fill(-1)
        self.snapshots, self.observations, self.atoms = [], [], []
        self.reserve(len(evaluation.atoms))
        root = self.nodes[0]
        root["parent"] = root["action"] = -1
        for name in ("reward", "path_reward", "depth", "repeats", "solved_children", "flags"):
            root[name] = 0
        root["value"], root["lives"] = evaluation.value, lives
        root["first_atom"], root["atom_count"] = 0, len(evaluation.atoms)
        root["new_atoms"] = 0
        self.pool[: len(evaluation.atoms)] = evaluation.atoms
        self.prior_table[0] = prior
        self.added(evaluation.atoms, snapshot, observation)

    def reserve(self, atoms: int) -> None:
        """Room for one more node, of so many atoms."""
        if self.size == len(self.nodes):
            self.nodes = _doubled(self.nodes)
            self.child_table = _doubled(self.child_table)
            self.child_table[self.size :] = -1
            self.prior_table = _doubled(self.prior_table)
        while self.pool_used + atoms > len(self.pool):
            self.pool = _doubled(self.pool)

    def added(self, atoms: Atoms, snapshot: Any, observation: Any) -> None:
        """Counts a node whose records have been written at number `size`."""
        self.size += 1
        self.pool_used += len(atoms)
        self.atoms.append(atoms)
        self.snapshots.append(snapshot)
        self.observations.append(observation)

    def reroot(self, action: int, *, keep_subtree: bool = True) -> None:
        """The root's child by `action` becomes the root; its subtree stays, in its order.

        Raises:
            ValueError: the action was not expanded.
        """
        root = int(self.child_table[0, action])
        if root < 0:
            raise ValueError(f"action {action} was not expanded at the root")
        kept = np.zeros(self.size, dtype=np.bool_)
        kept[root] = True
        if keep_subtree:
            _mark_below(self.nodes, kept, root)
        ids = np.flatnonzero(kept)
        self.size, self.pool_used = _compact(
            self.nodes, self.child_table, self.prior_table, self.pool, ids, kept
        )
        self.snapshots = [self.snapshots[i] for i in ids]
        self.observations = [self.observations[i] for i in ids]
        self.atoms = [self.atoms[i] for i in ids]

    # -- leaving and coming back

    def state_dict(self) -> dict[str, Any]:
        return {
            "nodes": self.nodes[: self.size].copy(),
            "child": self.child.copy(),
            "prior": self.prior.copy(),
            "pool": self.pool[: self.pool_used].copy(),
            "snapshots": list(self.snapshots),
            "observations": list(self.observations),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.nodes, self.child_table = state["nodes"].copy(), state["child"].copy()
        self.prior_table, self.pool = state["prior"].copy(), state["pool"].copy()
        self.size, self.pool_used = len(self.nodes), len(self.pool)
        self.snapshots = list(state["snapshots"])
        self.observations = list(state["observations"])
        self.atoms = [
            self.pool[node["first_atom"] : node["first_atom"] + node["atom_count"]].copy()
            for node in self.nodes
        ]


def _doubled(array: NDArray[Any]) -> NDArray[Any]:
    larger = np.zeros((2 * max(len(array), 1), *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


@njit(cache=True)
def _back_up(
    nodes: Nodes,
    child: Children,
    found: NDArray[np.float64],
    gamma: float,
    risk_averse: bool,
    value_everywhere: bool,
) -> None:
    """Writes R [N]; children come after their parents, so one pass from the end will do."""
    for n in range(len(found) - 1, -1, -1):
        best, leaf = -np.inf, True
        for action in range(child.shape[1]):
            c = child[n, action]
            if c >= 0:
                leaf = False
                best = max(best, found[c])
        if leaf or (value_everywhere and nodes[n].value > best):
            best = nodes[n].value
        if nodes[n].flags & TERMINATED != 0:
            best = 0.0
        reward = nodes[n].reward
        if risk_averse:
            if reward < 0.0:
                reward *= 50_000.0
            if nodes[n].lives < nodes[0].lives:
                reward -= 500_000.0
        found[n] = reward + gamma * best


@njit(cache=True)
def _count_below(nodes: Nodes, sizes: NDArray[np.int64]) -> None:
    for n in range(len(sizes) - 1, 0, -1):
        sizes[nodes[n].parent] += sizes[n]


@njit(cache=True)
def _mark_below(nodes: Nodes, kept: NDArray[np.bool_], root: int) -> None:
    for n in range(root + 1, len(kept)):
        kept[n] = kept[nodes[n].parent]


@njit(cache=True)
def _compact(
    nodes: Nodes,
    child: Children,
    prior: Priors,
    pool: Atoms,
    ids: NDArray[np.int64],
    kept: NDArray[np.bool_],
) -> tuple[int, int]:
    """Moves the nodes `ids` to the front; the first of them is the root. Returns how many nodes
    and atoms there are now."""
    numbers = np.full(len(kept), -1, dtype=np.int32)
    for to in range(len(ids)):
        numbers[ids[to]] = to
    top, used = nodes[ids[0]].depth, 0
    for to in range(len(ids)):
        n = ids[to]
        nodes[to] = nodes[n]
        prior[to] = prior[n]
        for action in range(child.shape[1]):
            c = child[n, action]
            child[to, action] = numbers[c] if c >= 0 else -1
        first, count = nodes[to].first_atom, nodes[to].atom_count
        for i in range(count):
            pool[used + i] = pool[first + i]
        nodes[to].first_atom = used
        used += count
        nodes[to].depth -= top
        if to == 0:
            nodes[to].parent = -1
            nodes[to].action = -1
            nodes[to].reward = 0.0
            nodes[to].path_reward = 0.0
            nodes[to].repeats = 0
        else:
            parent = numbers[nodes[to].parent]
            nodes[to].parent = parent
            nodes[to].path_reward = nodes[parent].path_reward + nodes[to].reward
    for n in range(len(ids), len(kept)):
        for action in range(child.shape[1]):
            child[n, action] = -1
    return len(ids), used
