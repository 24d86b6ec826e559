"""What planners share: budgets, statistics, and how a state becomes a node."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from agents.planning.decision import DecisionRule, decide
from agents.planning.draws import stream_of
from agents.planning.evaluation import Evaluation, Evaluator, LazyEvaluator
from agents.planning.kernels.tree import write_node
from agents.planning.novelty import NoveltyTable
from agents.planning.tree import CACHED, PRUNED, SOLVED, Tree

if TYPE_CHECKING:
    from envs.simulator import Simulator


class Budget(NamedTuple):
    """What one decision may cost: new nodes, seconds of the wall clock, or whichever ends first."""

    nodes: int | None = 100
    seconds: float | None = None


class SearchSettings(NamedTuple):
    """How a tree is grown.

    Attributes:
        width: atoms of a combination in the novelty table; None: whole tuples; 0: no novelty.
        magnitudes: a novelty table for each order of magnitude of the path's reward.
        cached_in_table: nodes kept from the last decision are entered into the novelty table, and
            those that are not novel count as solved; else they are in no table.
        terminal_atoms: the states in which episodes end are entered too.
        max_depth: nodes so deep are leaves.
        max_tree_size: a tree so large grows no further.
        min_probability: a node is solved when its unsolved actions have no more probability left.
        max_repeats: a child that looks like its parent is extended with the same action alone,
            until so many nodes in a row look alike; 0: it is treated as any other.
        keep_observations: whether the tree holds the nodes' observations.
    """

    width: int | None = 1
    magnitudes: bool = False
    cached_in_table: bool = False
    terminal_atoms: bool = True
    max_depth: int | None = None
    max_tree_size: int | None = None
    min_probability: float = 0.0
    max_repeats: int = 0
    keep_observations: bool = False


class Seconds:
    """Wall-clock seconds of a planner so far, by what they were spent on."""

    def __init__(self) -> None:
        self.simulator = 0.0
        self.evaluator = 0.0
        self.total = 0.0

    @property
    def tree(self) -> float:
        """Whatever is neither the simulator's nor the evaluator's."""
        return self.total - self.simulator - self.evaluator


class Statistics(NamedTuple):
    """Of one decision.

    Attributes:
        generated: new nodes, each a step of the simulator.
        cached: nodes that were there before.
        pruned: new nodes that were not novel.
        mean_depth: over all nodes but the root, from the root.
        max_depth: the deepest.
        solved: whether nothing was left to search.
    """

    generated: int
    cached: int
    pruned: int
    mean_depth: float
    max_depth: int
    solved: bool


class Decision(NamedTuple):
    """Q [A] (-inf where not expanded), target policy [A], the action drawn, and what it took."""

    q: NDArray[np.float64]
    policy: NDArray[np.float64]
    action: int
    statistics: Statistics


class Planner(ABC):
    """Grows trees and decides.

    Args:
        simulator: the planner restores whatever state it needs, and leaves it anywhere.
        evaluator: features, guiding policy and value.
        search: how to grow.
        rule: how to decide.
        rng: asked once, for the seed of the planner's own stream.

    Attributes:
        seconds: what has been spent so far.
        halted: set it (a simulator or an evaluator may) to have growing left after the node that is
            being added.
    """

    def __init__(
        self,
        simulator: Simulator,
        evaluator: Evaluator,
        search: SearchSettings,
        rule: DecisionRule,
        rng: np.random.Generator,
    ) -> None:
        self.simulator, self.evaluator = simulator, evaluator
        self.search, self.rule = search, rule
        self.stream = stream_of(rng)
        self.actions = len(simulator.actions)
        self.seconds = Seconds()
        self.halted = False
        self._lazy = evaluator if _is_lazy(evaluator) else None
        # what stands for a prior that is None
        self._blank = np.full(self.actions, 1 / self.actions if self._lazy is None else np.nan)

    def new_tree(self) -> Tree:
        """A tree without nodes; see `begin`."""
        return Tree(self.actions)

    def begin(self, tree: Tree, snapshot: Any) -> None:
        """Makes `tree` a root alone: the state that the simulator has just reached by a reset, a
        step or an adoption, and its snapshot."""
        evaluation = self.evaluator(self.simulator)
        self._check(evaluation)
        prior = self._blank if evaluation.prior is None else evaluation.prior
        observation = self.simulator.observation() if self.search.keep_observations else None
        tree.begin(evaluation, prior, snapshot, observation, self.simulator.lives())

    def begin_episode(self) -> None:  # noqa: B027 - most remember nothing
        """What the planner remembers of an episode is forgotten."""

    def plan(self, tree: Tree, budget: Budget) -> Decision:
        """Grows `tree`, which has a root, and decides what to do there."""
        started = time.perf_counter()
        cached = tree.size
        deadline = math.inf if budget.seconds is None else started + budget.seconds
        limit = math.inf if budget.nodes is None else cached + budget.nodes
        if self.search.max_tree_size is not None:
            limit = min(limit, self.search.max_tree_size)
        tree.nodes["flags"][:cached] |= np.uint8(CACHED)
        self.grow(tree, limit, deadline)
        choice = decide(tree, self.rule, self.stream)
        depths = tree.depth[1:]
        statistics = Statistics(
            generated=tree.size - cached,
            cached=cached - 1,
            pruned=int(np.count_nonzero(tree.flags[cached:] & PRUNED)),
            mean_depth=float(depths.mean()) if len(depths) else 0.0,
            max_depth=int(depths.max()) if len(depths) else 0,
            solved=bool(tree.nodes["flags"][0] & SOLVED),
        )
        self.seconds.total += time.perf_counter() - started
        return Decision(*choice, statistics)

    def grow(self, tree: Tree, limit: float, deadline: float = math.inf) -> None:
        """Searches on: adds nodes until there are `limit`, `time.perf_counter` passes `deadline`,
        nothing is left, or it is `halted`. The nodes that there are count as of earlier decisions.
        """
        tree.nodes["flags"][: tree.size] &= ~np.uint8(SOLVED | PRUNED)
        tree.nodes["solved_children"][: tree.size] = 0
        self.halted = False
        self._grow(tree, limit, deadline)

    @abstractmethod
    def _grow(self, tree: Tree, limit: float, deadline: float) -> None:
        """As `grow`, which has made the nodes unsolved."""

    def state_dict(self) -> dict[str, Any]:
        """What the next decisions depend on, trees aside."""
        return {"stream": int(self.stream[0])}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.stream[0] = state["stream"]

    # -- for those who grow trees

    def _ask(self, tree: Tree, n: int) -> None:
        """Has the guiding policy of node `n`, whose state the simulator is in, entered."""
        if self._lazy is not None:
            tree.prior_table[n] = self._lazy.prior(self.simulator.observation())

    def ask_at(self, tree: Tree, n: int) -> None:
        """Has the guiding policy of node `n` entered if it is not known; the simulator moves."""
        if math.isnan(tree.prior_table[n, 0]):
            self.simulator.restore(tree.snapshots[n])
            self._ask(tree, n)

    def add_child(self, tree: Tree, node: int, action: int) -> int:
        """Adds what `action` leads to from `node`; returns its number. Novelty is the caller's."""
        simulator, clock = self.simulator, time.perf_counter
        before = clock()
        simulator.restore(tree.snapshots[node])
        reward, terminated, truncated = simulator.step(action)
        snapshot = None if terminated or truncated else simulator.save()
        between = clock()
        atoms, prior, value = self.evaluator(simulator, tree.atoms[node])
        self.seconds.simulator += between - before
        self.seconds.evaluator += clock() - between
        n = tree.size
        tree.reserve(len(atoms))
        write_node(
            tree.nodes,
            tree.child_table,
            tree.prior_table,
            tree.pool,
            n,
            tree.pool_used,
            atoms,
            self._blank if prior is None else prior,
            node,
            action,
            reward,
            terminated,
            truncated,
            simulator.lives(),
            value,
        )
        kept = simulator.observation() if self.search.keep_observations else None
        tree.added(atoms, snapshot, kept)
        return n

    def _check(self, evaluation: Evaluation) -> None:
        atoms = evaluation.atoms
        if len(atoms) and not 0 <= atoms.min() <= atoms.max() < self.evaluator.atom_count:
            raise ValueError(f"atoms outside 0 to {self.evaluator.atom_count - 1}: {atoms}")

    def _table(self, *, depths: bool) -> NoveltyTable | None:
        if self.search.width == 0:
            return None
        return NoveltyTable(
            self.evaluator.atom_count,
            self.search.width,
            depths=depths,
            magnitudes=self.search.magnitudes,
        )


def _is_lazy(evaluator: Evaluator) -> TypeGuard[LazyEvaluator]:
    return isinstance(evaluator, LazyEvaluator) and evaluator.lazy_prior
