"""A search in a learned model as a file, which plotting/search_tree.py draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.search.search import Search
from agents.search.trees import ILLEGAL
from agents.search_file import FORMAT, Images, known

#: What is said of such a search in place of a planner's words.
WORDS = {"return": "Q", "guide": "prior", "value": "network's value"}
_NAMES = {"puct": "pUCT", "gumbel": "Gumbel", "q_ucb": "UCB over Q"}


def tree_record(
    search: Search,
    actions: Sequence[str],
    *,
    chosen: int | None = None,
    title: str = "",
    environment: str = "",
    name: str = "",
    picture: NDArray[Any] | None = None,
) -> dict[str, Any]:
    """What the last call of `search` found from the first of its roots.

    A node's return is Q of the edge into it, its reward and the discounted mean value there, to the
    player who chose it; the root's is what the search says its value is.

    Args:
        actions: their names.
        chosen: the action that was taken; None: the search's.
        name: of the agent.
        picture: [H, W, 3] of the root; other states are a model's, which nobody has seen.

    Raises:
        ValueError: nothing was searched yet.
    """
    found, settings = search.found, search.settings
    if found is None:
        raise ValueError("nothing was searched yet")
    nodes, edges = search.trees.nodes[0], search.trees.edges[0]
    parent, action = nodes["parent"].astype(np.int64), nodes["action"].astype(np.int64)
    depth = np.zeros(len(nodes), np.int64)
    for node in range(1, len(nodes)):
        depth[node] = depth[parent[node]] + 1
    prior = np.where(edges["prior"] == ILLEGAL, np.nan, edges["prior"])
    if settings.kind == "q_ucb":
        prior[:] = np.nan
    into = parent[1:], action[1:]
    legal = edges["prior"][0] != ILLEGAL
    images = Images()
    image = images.add(picture)
    planner = f"{name}, {_NAMES[settings.kind]}" if name else _NAMES[settings.kind]
    if settings.two_player:
        planner += ", values to the side that moves"
    return {
        "format": FORMAT,
        "title": title,
        "environment": environment,
        "planner": planner,
        "gamma": settings.discount,
        "budget": {"simulations": settings.simulations},
        "words": WORDS,
        "actions": list(actions),
        "chosen": int(found.action[0]) if chosen is None else chosen,
        "root": {
            "prior": known(prior[0]),
            "q": known(found.q[0]),
            "policy": known(np.where(legal, found.policy[0], np.nan)),
        },
        "nodes": {
            "parent": parent.tolist(),
            "action": action.tolist(),
            "reward": nodes["reward"].tolist(),
            "return": [float(found.values[0]), *edges["q"][into].tolist()],
            "depth": depth.tolist(),
            "prior": [None, *known(prior[into])],
            "value": nodes["evaluation"].tolist(),
            "visits": nodes["visits"].tolist(),
            "image": [image, *[-1] * (len(nodes) - 1)],
        },
        "images": images.uris,
    }
