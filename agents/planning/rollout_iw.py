"""Rollout IW (Bandres, Bonet & Geffner 2018), guided by a policy as in π-IW (Junyent et al. 2019).

A rollout walks from the root along actions drawn from the guiding policy, passing over children
that are solved, until it leaves the tree; from there it adds one node a step until a state is not
novel, or an episode ends. Such a leaf is solved, and a node is solved when all its actions lead to
solved children. The search is over when the root is solved. A leaf that is not novel stays in the
tree: its reward counts.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.planning.draws import Stream, pick
from agents.planning.evaluation import Atoms
from agents.planning.novelty import Form, NoveltyTable, Slots, enter, stays_novel
from agents.planning.planner import Planner
from agents.planning.tree import (
    ENDED,
    PRUNED,
    REPEATED,
    SOLVED,
    Children,
    Nodes,
    Priors,
    Tree,
    solve,
    write_node,
)

#: Instead of an action: nothing goes on here, or the guiding policy has to be asked first. `select`
#: says at which node: `ASK` less its number.
DONE, ASK = -1, -2

_NO_LIMIT = np.iinfo(np.int32).max

Rules = NDArray[np.int64]
"""[4] whether there is a novelty table, max_depth, max_repeats, terminal_atoms."""
_NOVELTY, _MAX_DEPTH, _MAX_REPEATS, _TERMINAL_ATOMS = range(4)


class RolloutIW(Planner):
    """See the module's text. With a uniform guiding policy it is Rollout IW(k); without novelty
    (`width` 0) its rollouts are random."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        table = self._table(depths=True)
        self._rules: Rules = np.array(
            [
                table is not None,
                _NO_LIMIT if self.search.max_depth is None else self.search.max_depth,
                self.search.max_repeats,
                self.search.terminal_atoms,
            ],
            dtype=np.int64,
        )
        self._novelty = table if table is not None else NoveltyTable(1)

    def _grow(self, tree: Tree, limit: float, deadline: float) -> None:
        novelty, rules, stream = self._novelty, self._rules, self.stream
        novelty.forget()
        in_table = self.search.cached_in_table and bool(rules[_NOVELTY])
        if in_table and novelty.hashed:
            novelty.make_room(*map(len, tree.atoms))
        take_up(
            tree.nodes,
            tree.child_table,
            tree.pool,
            novelty.slots,
            novelty.form,
            rules,
            tree.size,
            in_table,
        )
        simulator, evaluator, clock = self.simulator, self.evaluator, time.perf_counter
        keeps_observations = self.search.keep_observations
        timed = deadline < math.inf
        actions, least = self.actions, self.search.min_probability
        at = -1  # the node whose state the simulator is in
        start = 0  # the node from which to walk
        in_simulator = in_evaluator = 0.0
        while tree.size < limit and not (timed and clock() >= deadline):
            target = select(
                tree.nodes,
                tree.child_table,
                tree.prior_table,
                tree.pool,
                novelty.slots,
                novelty.form,
                rules,
                stream,
                least,
                start,
            )
            start = 0
            if target == DONE:
                break
            if target <= ASK:
                at = start = ASK - target
                before = clock()
                simulator.restore(tree.snapshots[at])
                between = clock()
                self._ask(tree, at)
                in_simulator += between - before
                in_evaluator += clock() - between
                continue
            node, action = divmod(target, actions)
            while True:
                before = clock()
                if at != node:
                    simulator.restore(tree.snapshots[node])
                reward, terminated, truncated = simulator.step(action)
                snapshot = None if terminated or truncated else simulator.save()
                lives = simulator.lives()
                between = clock()
                atoms, prior, value = evaluator(simulator, tree.atoms[node])
                after = clock()
                in_simulator += between - before
                in_evaluator += after - between
                at = tree.size
                goes_on = at + 1 < limit and not (timed and after >= deadline)
                tree.reserve(len(atoms))
                if novelty.hashed:
                    novelty.make_room(len(atoms))
                next_action = extend(
                    tree.nodes,
                    tree.child_table,
                    tree.prior_table,
                    tree.pool,
                    novelty.slots,
                    novelty.form,
                    rules,
                    stream,
                    at,
                    tree.pool_used,
                    atoms,
                    self._blank if prior is None else prior,
                    node,
                    action,
                    reward,
                    terminated,
                    truncated,
                    lives,
                    value,
                    least,
                    goes_on,
                )
                tree.added(atoms, snapshot, simulator.observation() if keeps_observations else None)
                if next_action == ASK:
                    before = clock()
                    self._ask(tree, at)
                    in_evaluator += clock() - before
                    next_action = choose(
                        tree.nodes, tree.child_table, tree.prior_table, at, stream, least
                    )
                if next_action < 0:
                    break
                node, action = at, next_action
        self.seconds.simulator += in_simulator
        self.seconds.evaluator += in_evaluator


@njit(cache=True)
def take_up(
    nodes: Nodes,
    child: Children,
    pool: Atoms,
    slots: Slots,
    form: Form,
    rules: Rules,
    size: int,
    in_table: bool,
) -> None:
    """Nodes of earlier decisions: those that end an episode or are as deep as nodes may be are
    solved, and with `in_table` all are entered and those that are not novel are solved too."""
    for n in range(size):
        node = nodes[n]
        ended = node.flags & ENDED != 0
        novel = 1
        if in_table and (not ended or rules[_TERMINAL_ATOMS] != 0):
            atoms = pool[node.first_atom : node.first_atom + node.atom_count]
            novel = enter(slots, form, atoms, np.int64(node.depth), node.path_reward)
        pruned = not ended and novel == 0 and node.flags & REPEATED == 0
        if pruned:
            nodes[n].flags |= PRUNED
        if ended or pruned or node.depth >= rules[_MAX_DEPTH]:
            solve(nodes, child, n)


@njit(cache=True)
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


@njit(cache=True)
def select(
    nodes: Nodes,
    child: Children,
    prior: Priors,
    pool: Atoms,
    slots: Slots,
    form: Form,
    rules: Rules,
    stream: Stream,
    least: float,
    start: int,
) -> int:
    """Where the next rollout leaves the tree, walking on from node `start`: node * A + action; or
    `DONE` when the root is solved; or `ASK` - node."""
    actions = child.shape[1]
    weights = np.empty(actions)
    while nodes[0].flags & SOLVED == 0:
        n, action = np.int64(start), np.int64(0)
        start = 0
        while True:
            node = nodes[n]
            if node.flags & REPEATED != 0:
                action = np.int64(node.action)
            else:
                atoms = pool[node.first_atom : node.first_atom + node.atom_count]
                if rules[_NOVELTY] != 0 and not stays_novel(
                    slots, form, atoms, np.int64(node.depth), node.path_reward
                ):
                    nodes[n].flags |= PRUNED
                    solve(nodes, child, n)
                    break
                if math.isnan(prior[n, 0]):
                    return int(ASK - n)
                total = 0.0
                for a in range(actions):
                    c = child[n, a]
                    weights[a] = prior[n, a] if c < 0 or nodes[c].flags & SOLVED == 0 else 0.0
                    total += weights[a]
                if total <= least:
                    solve(nodes, child, n)
                    break
                action = np.int64(pick(weights, total, stream))
            if child[n, action] < 0:
                return int(n * actions + action)
            n = np.int64(child[n, action])
    return DONE


@njit(cache=True)
def _alike(nodes: Nodes, pool: Atoms, parent: int, atoms: Atoms) -> bool:
    first, count = nodes[parent].first_atom, nodes[parent].atom_count
    if count != len(atoms):
        return False
    for i in range(count):  # noqa: SIM110 - numba compiles no all()
        if pool[first + i] != atoms[i]:
            return False
    return True


@njit(cache=True)
def extend(
    nodes: Nodes,
    child: Children,
    prior: Priors,
    pool: Atoms,
    slots: Slots,
    form: Form,
    rules: Rules,
    stream: Stream,
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
    least: float,
    goes_on: bool,
) -> int:
    """Writes node `n`, for which there is room; returns the action that the rollout goes on with,
    `DONE` where it ends, by what it found or as it may not go on, or `ASK`."""
    write_node(
        nodes,
        child,
        prior,
        pool,
        n,
        first_atom,
        atoms,
        guide,
        parent,
        action,
        reward,
        terminated,
        truncated,
        lives,
        value,
    )
    node = nodes[n]
    depth, ended = np.int64(node.depth), terminated or truncated
    if rules[_MAX_REPEATS] > 0 and not ended and _alike(nodes, pool, parent, atoms):
        nodes[n].repeats = nodes[parent].repeats + 1
        if nodes[n].repeats <= rules[_MAX_REPEATS]:
            nodes[n].flags |= REPEATED
    novel = 1
    if rules[_NOVELTY] != 0 and (not ended or rules[_TERMINAL_ATOMS] != 0):
        novel = enter(slots, form, atoms, depth, node.path_reward)
        nodes[n].new_atoms = novel
    pruned = not ended and novel == 0 and nodes[n].flags & REPEATED == 0
    if pruned:
        nodes[n].flags |= PRUNED
    if ended or pruned or depth >= rules[_MAX_DEPTH]:
        solve(nodes, child, n)
        return DONE
    if not goes_on:
        return DONE
    if nodes[n].flags & REPEATED != 0:
        return action
    if math.isnan(guide[0]):
        return ASK
    return choose(nodes, child, prior, n, stream, least)
