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

from agents.planning.kernels.forms import ASK, DONE, NOVELTY, Rules
from agents.planning.kernels.rollouts import extend, select, take_up
from agents.planning.kernels.tree import choose
from agents.planning.novelty import NoveltyTable
from agents.planning.planner import Planner
from agents.planning.tree import Tree

_NO_LIMIT = np.iinfo(np.int32).max


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
        in_table = self.search.cached_in_table and bool(rules[NOVELTY])
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
        while tree.size < limit and not (self.halted or (timed and clock() >= deadline)):
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
                over = self.halted or (timed and after >= deadline)
                goes_on = at + 1 < limit and not over
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
