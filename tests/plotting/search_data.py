"""Planning steps as files: a hero in a walled room, searched by hand-made planners."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Sequence
from typing import Any

from PIL import Image

ACTIONS = ("STAY", "N", "E", "S", "W")
MOVES = ((0, 0), (0, -1), (1, 0), (0, 1), (-1, 0))
Cell = tuple[int, int]


def picture(cell: Cell, size: int) -> str:
    """The room: grey walls, a green door, the hero blue."""
    image = Image.new("RGB", (size, size))
    for k in range(size):
        for wall in ((k, 0), (k, size - 1), (0, k), (size - 1, k)):
            image.putpixel(wall, (155, 155, 155))
    image.putpixel((1, 1), (0, 255, 0))
    image.putpixel(cell, (0, 0, 255))
    file = io.BytesIO()
    image.resize((4 * size, 4 * size), Image.Resampling.NEAREST).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def search(
    count: int, *, size: int = 10, seed: int = 0, images: bool = True, gamma: float = 0.99
) -> dict[str, Any]:
    """`count` nodes of rollouts from the corner: what was seen no deeper before is pruned, walls
    cost a life, the door is the end."""
    rng = random.Random(seed)
    cells: list[Cell] = [(size - 2, size - 2)]
    parent, action, depth = [-1], [-1], [0]
    closed: list[str | None] = [None]
    untried = [list(range(len(ACTIONS))) for _ in range(count)]
    reached = {cells[0]: 0}
    novel: list[list[str]] = [[]]
    node = 0
    for number in range(1, count):
        while True:
            if closed[node] is None and untried[node]:
                break
            node = rng.randrange(number)
        move = untried[node].pop(rng.randrange(len(untried[node])))
        x, y = cells[node][0] + MOVES[move][0], cells[node][1] + MOVES[move][1]
        parent.append(node)
        action.append(move)
        depth.append(depth[node] + 1)
        wall = x in (0, size - 1) or y in (0, size - 1)
        is_new = reached.get((x, y), count) > depth[-1]
        closed.append("wall" if wall else "door" if (x, y) == (1, 1) else None if is_new else "old")
        novel.append([f"hero at {x},{y}"] if is_new else [])
        reached[x, y] = min(reached.get((x, y), count), depth[-1])
        cells.append((x, y))
        node = number if closed[-1] is None else 0
    reward = [{"wall": -1.0, "door": 1.0}.get(why or "", 0.0) for why in closed]
    returns, children = _returns(parent, reward, gamma)
    first = {action[k]: k for k in children[0]}
    q = [returns[first[a]] if a in first else None for a in range(len(ACTIONS))]
    best = max(value for value in q if value is not None)
    chosen = q.index(best)
    solved = [why is not None for why in closed]
    for k in range(count - 1, -1, -1):
        below = children[k]
        solved[k] = solved[k] or (len(below) == len(ACTIONS) and all(solved[c] for c in below))
    shown = sorted(set(cells))
    return {
        "format": "search/1",
        "title": f"Room, decision 1, {count} nodes",
        "environment": "sweep/Room-v0",
        "planner": "Rollout IW(1)",
        "gamma": gamma,
        "budget": {"nodes": count - 1},
        "words": {},
        "actions": list(ACTIONS),
        "chosen": chosen,
        "root": {"prior": [0.2] * 5, "q": q, "policy": [float(a == chosen) for a in range(5)]},
        "nodes": {
            "parent": parent,
            "action": action,
            "reward": reward,
            "return": returns,
            "depth": depth,
            "prior": [None, *[0.2] * (count - 1)],
            "value": [None] * count,
            "terminated": [why in ("wall", "door") for why in closed],
            "truncated": [False] * count,
            "solved": solved,
            "pruned": [why == "old" for why in closed],
            "cached": [0 < k < count // 8 for k in range(count)],
            "life_lost": [why == "wall" for why in closed],
            "novel_atoms": novel,
            "new_atoms": [len(each) for each in novel],
            "image": [shown.index(cell) for cell in cells] if images else [-1] * count,
        },
        "images": [picture(cell, size) for cell in shown] if images else [],
    }


def _returns(
    parent: Sequence[int], reward: Sequence[float], gamma: float
) -> tuple[list[float], list[list[int]]]:
    children: list[list[int]] = [[] for _ in parent]
    returns = list(reward)
    for node in range(len(parent) - 1, -1, -1):
        if children[node]:
            returns[node] += gamma * max(returns[child] for child in children[node])
        if node:
            children[parent[node]].append(node)
    return returns, children


def bare(parents: Sequence[int], actions: int) -> dict[str, Any]:
    """The least that a file has to say of a tree; children take actions in their order."""
    taken = [0] * len(parents)
    action = [-1]
    for parent in parents[1:]:
        action.append(taken[parent])
        taken[parent] += 1
    zeros = [0.0] * len(parents)
    nodes = {"parent": list(parents), "action": action, "reward": zeros, "return": zeros}
    return {"format": "search/1", "actions": [f"a{k}" for k in range(actions)], "nodes": nodes}


def visited() -> dict[str, Any]:
    """Nine simulations of a search that counts visits, in a learned model: the root alone was seen,
    rewards are hardly ever 0, and the action taken is not the one that looks best."""
    parent = [-1, 0, 0, 1, 3, 1, 4, 1, 6, 3]
    visits = [10, 8, 1, 5, 3, 1, 2, 1, 1, 1]
    record = bare(parent, 3)
    record["nodes"] |= {
        "action": [-1, 0, 1, 0, 1, 1, 0, 2, 0, 2],
        "visits": visits,
        "reward": [0.0, 0.001, 1.02, *[0.002] * 7],
        "return": [0.5, 0.4, 0.9, 0.3, 0.2, 0.7, 0.2, 0.6, 0.1, 0.8],
        "value": [0.25] * 10,
        "prior": [None, *[0.5] * 9],
        "image": [0, *[-1] * 9],
    }
    return record | {
        "chosen": 0,
        "words": {"return": "Q", "guide": "prior", "value": "network's value"},
        "images": [picture((2, 2), 10)],
        "root": {"prior": [0.5, 0.5, None], "q": [0.4, 0.9, None], "policy": [0.9, 0.1, None]},
    }
