"""A planning step as a file, which plotting/search_tree.py draws: the format "search/1".

One JSON object: of the decision `title`, `environment`, `planner`, `gamma`, `budget`, `actions`
(names), `chosen` and `root` (`prior`, `q`, `policy` by action); of the nodes, in the order of
creation with the root first, `nodes` (a list for each field); and `images`, each once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agents.planning.tree import (
    CACHED,
    LIFE_LOST,
    PRUNED,
    SOLVED,
    TERMINATED,
    TRUNCATED,
    Tree,
)
from agents.search_file import FORMAT, Images, known

if TYPE_CHECKING:
    from agents.planning.planner import Budget, Decision, Planner
    from envs.simulator import Simulator

MOST_NAMES = 8  # of novel atoms of a node
_FLAGS = {
    "terminated": TERMINATED,
    "truncated": TRUNCATED,
    "solved": SOLVED,
    "pruned": PRUNED,
    "cached": CACHED,
    "life_lost": LIFE_LOST,
}
#: A node's picture [H, W, 3], or None where there is none.
Pictures = Callable[[int], NDArray[np.uint8] | None]


def search_record(
    tree: Tree,
    decision: Decision,
    planner: Planner,
    *,
    actions: Sequence[str],
    title: str = "",
    environment: str = "",
    name: str = "",
    budget: Budget | None = None,
    atom_name: Callable[[int], str] | None = None,
    pictures: Pictures | None = None,
) -> dict[str, Any]:
    """What `decision` was taken on; `tree` as it was then, before it was cut.

    Returns and Q are those that decided: of a risk-averse planner, with its weights.

    Args:
        planner: that planned it.
        actions: their names.
        name: of the planner, in words.
        atom_name: an atom in words; None: nodes say only how many of theirs were novel, cached ones
            at the decision that made them.
        pictures: such as `simulated_pictures`.
    """
    rule, flags = planner.rule, tree.flags.copy()
    flags[0] &= ~np.uint8(CACHED)  # a root is always there before
    parent, action = tree.parent.tolist(), tree.action.tolist()
    returns = tree.returns(
        rule.gamma, risk_averse=rule.risk_averse, value_everywhere=rule.value_everywhere
    )
    prior = tree.prior
    shared = Images()
    novel = _novel_atoms(tree, planner) if atom_name else None
    has_values = bool(tree.value.any())
    return {
        "format": FORMAT,
        "title": title,
        "environment": environment,
        "planner": name,
        "gamma": rule.gamma,
        "budget": {} if budget is None else budget._asdict(),
        "actions": list(actions),
        "chosen": decision.action,
        "root": {
            "prior": known(prior[0]),
            "q": known(decision.q),
            "policy": known(decision.policy),
        },
        "nodes": {
            "parent": parent,
            "action": action,
            "reward": tree.reward.tolist(),
            "return": returns.tolist(),
            "depth": tree.depth.tolist(),
            "prior": [None, *known(prior[tree.parent[1:], tree.action[1:]])],
            "value": tree.value.tolist() if has_values else [None] * tree.size,
            **{key: ((flags & flag) != 0).tolist() for key, flag in _FLAGS.items()},
            "novel_atoms": [
                [atom_name(atom) for atom in atoms[:MOST_NAMES]] if atom_name else []
                for atoms in (novel or [[]] * tree.size)
            ],
            "new_atoms": [0, *tree.new_atoms[1:].tolist()],
            "image": [
                -1 if pictures is None else shared.add(pictures(node)) for node in range(tree.size)
            ],
        },
        "images": shared.uris,
    }


def simulated_pictures(
    tree: Tree, simulator: Simulator, root: NDArray[np.uint8] | None = None
) -> Pictures:
    """Pictures of the nodes, by stepping into each of them again; `simulator` is left anywhere.

    The state before is what is stored, and the picture after a step is the environment's own also
    where that after a restore is not: the emulator's screen.

    Args:
        root: the root's picture, which no step leads to; None: as the simulator has it.
    """

    def picture(node: int) -> NDArray[np.uint8] | None:
        if node == 0 and root is not None:
            return root
        before = tree.snapshots[max(0, int(tree.parent[node]))]
        try:
            simulator.restore(before)
            if node:
                simulator.step(int(tree.action[node]))
            return simulator.picture()
        except RuntimeError:  # it cannot be drawn
            return None

    return picture


def _novel_atoms(tree: Tree, planner: Planner) -> list[list[int]]:
    """The atoms of each node that no node before it had at its depth or above: what an evaluation
    of novelty of width 1 found, done again. Empty where that is not what was counted."""
    if planner.search.width != 1 or planner.search.magnitudes:
        return [[] for _ in range(tree.size)]
    counts, depths, flags = tree.new_atoms.tolist(), tree.depth.tolist(), tree.flags.tolist()
    least: dict[int, int] = {}
    found: list[list[int]] = []
    for node, atoms in enumerate(tree.atoms):
        of_old = bool(flags[node] & CACHED)
        enters = planner.search.cached_in_table if of_old else counts[node] > 0
        depth = depths[node]
        novel = [atom for atom in atoms.tolist() if depth < least.get(atom, depth + 1)]
        if enters:
            least.update(dict.fromkeys(novel, depth))
        found.append(novel if node and enters and len(novel) == counts[node] else [])
    return found
