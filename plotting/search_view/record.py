"""The file of one planning step: reads the format "search/1", of whatever planner."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Any

import msgspec

from plotting.data_file import BadInput

FORMAT = "search/1"
LEAST_REWARD = 0.1  # that marks a state of a learned model
#: What a node may be, in the order in which pages and figures name it.
FLAGS = ("terminated", "truncated", "solved", "pruned", "cached", "life_lost")
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,([A-Za-z0-9+/=]*)")


class Root(msgspec.Struct):
    """Of the decision, by action; null where the search says nothing."""

    prior: list[float | None] = []
    q: list[float | None] = []
    policy: list[float | None] = []


class Nodes(msgspec.Struct):
    """One entry a node, in the order of creation; all but the first four may be left out.

    Node 0 is the root: parent and action -1. image: a position in the record's images, or -1.
    prior: the probability with which the guide chose the edge into the node.
    visits: of a search that counts them; widths are drawn by them, and the best line goes by them.
    """

    parent: list[int]
    action: list[int]
    reward: list[float]
    returns: list[float] = msgspec.field(name="return")
    depth: list[int] = []
    prior: list[float | None] = []
    value: list[float | None] = []
    visits: list[int] = []
    terminated: list[bool] = []
    truncated: list[bool] = []
    solved: list[bool] = []
    pruned: list[bool] = []
    cached: list[bool] = []
    life_lost: list[bool] = []
    novel_atoms: list[list[str]] = []
    new_atoms: list[int] = []
    image: list[int] = []


class Search(msgspec.Struct):
    """A planning step, complete and checked: every list of `nodes` has one entry a node.

    chosen: the action taken; None where none was.
    budget: what it was limited to, such as {"nodes": 100}.
    words: what this search calls "return", "guide", "policy" or "value".
    images: as data URIs, each once.
    """

    format: str
    actions: list[str]
    nodes: Nodes
    title: str = ""
    environment: str = ""
    planner: str = ""
    gamma: float | None = None
    budget: dict[str, float | None] = {}
    words: dict[str, str] = {}
    chosen: int | None = None
    root: Root = msgspec.field(default_factory=Root)
    images: list[str] = []

    def __len__(self) -> int:
        return len(self.nodes.parent)

    def children(self) -> list[list[int]]:
        """Of every node, by action."""
        found: list[list[int]] = [[] for _ in self.nodes.parent]
        for node, parent in enumerate(self.nodes.parent[1:], 1):
            found[parent].append(node)
        for each in found:
            each.sort(key=self.nodes.action.__getitem__)
        return found

    def chosen_path(self) -> list[int]:
        """From the root along the action taken, then the best line as far as one is the best: by
        visits, where there are some, and returns."""
        children, returns = self.children(), self.nodes.returns
        merits = list(zip(self.nodes.visits or [0] * len(self), returns, strict=True))
        taken = [node for node in children[0] if self.nodes.action[node] == self.chosen]
        path = [0]
        while len(taken) == 1:
            path += taken
            best = max((merits[node] for node in children[path[-1]]), default=(0, 0.0))
            taken = [node for node in children[path[-1]] if merits[node] == best]
        return path if len(path) > 1 else []

    def word(self, name: str) -> str:
        """What this search calls it."""
        return self.words.get(name, name)

    def rewarded(self, node: int) -> bool:
        """Whether there is a reward on the way into the node; a learned one is hardly ever 0."""
        return abs(self.nodes.reward[node]) >= (LEAST_REWARD if self.nodes.visits else 1e-300)

    def width(self, node: int) -> float:
        """How wide the edge into it is, from 0 to 1: by its share of the visits."""
        visits = self.nodes.visits
        return min(1.0, visits[node] / max(visits[0], 1)) ** 0.5 if visits else 0.0

    def flags(self, node: int) -> list[str]:
        """What the node is, of FLAGS."""
        return [name for name in FLAGS if getattr(self.nodes, name)[node]]


def read_search(path: Path) -> Search:
    """Raises BadInput where the file is no planning step, saying where and why."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    return parse(content, str(path))


def parse(content: bytes, name: str) -> Search:
    """The same of a file's bytes, which refusals call `name`."""
    try:
        tree: Any = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise BadInput(f"{name} is not JSON: {error}") from None
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        has = tree.get("format") if isinstance(tree, dict) else None
        said = "has no 'format'" if has is None else f"has the format {has!r}"
        raise BadInput(f"{name} {said}: the record of a search has the format {FORMAT!r}")
    try:
        search = msgspec.convert(tree, Search)
    except msgspec.ValidationError as error:
        raise BadInput(f"{name}: {error}") from None
    try:
        _complete(search)
    except _WrongRecordError as error:
        raise BadInput(f"{name}: {error}") from None
    return search


class _WrongRecordError(Exception):
    """What is wrong with a record, as a sentence without the file."""


def _complete(search: Search) -> None:
    nodes = search.nodes
    count = len(nodes.parent)
    if not count:
        raise _WrongRecordError("nodes.parent is empty: node 0 is the root")
    nodes.depth = nodes.depth or _depths(nodes.parent)
    for name in ("prior", "value"):
        setattr(nodes, name, getattr(nodes, name) or [None] * count)
    for name in FLAGS:
        setattr(nodes, name, getattr(nodes, name) or [False] * count)
    nodes.novel_atoms = nodes.novel_atoms or [[] for _ in range(count)]
    nodes.image = nodes.image or [-1] * count
    optional = ("visits", "new_atoms")  # a page says nothing of them where they are left out
    for field in msgspec.structs.fields(Nodes):
        length = len(getattr(nodes, field.name))
        if length != count and (length or field.name not in optional):
            raise _WrongRecordError(
                f"nodes.{field.encode_name} has {length} entries, and nodes.parent {count}"
            )
    _check_tree(search)
    _check_decision(search)
    _share_images(search)


def _depths(parents: list[int]) -> list[int]:
    depths: list[int] = []
    for node, parent in enumerate(parents):
        depths.append(depths[parent] + 1 if 0 <= parent < node else 0)
    return depths


def _check_tree(search: Search) -> None:
    nodes, actions = search.nodes, len(search.actions)
    if nodes.parent[0] != -1:
        raise _WrongRecordError(
            f"nodes.parent begins with {nodes.parent[0]}: node 0 is the root, of parent -1"
        )
    for node in range(1, len(search)):
        parent = nodes.parent[node]
        if not 0 <= parent < node:
            raise _WrongRecordError(
                f"node {node} has the parent {parent}: a parent comes before its children"
            )
        if not 0 <= nodes.action[node] < actions:
            raise _WrongRecordError(
                f"node {node} has the action {nodes.action[node]}: there are {actions} actions"
            )
    right = _depths(nodes.parent)
    if nodes.depth != right:
        node = next(k for k, depth in enumerate(right) if nodes.depth[k] != depth)
        raise _WrongRecordError(
            f"node {node} has depth {nodes.depth[node]}: its path has {right[node]} edges"
        )
    for node, image in enumerate(nodes.image):
        if not -1 <= image < len(search.images):
            raise _WrongRecordError(
                f"node {node} has image {image}: there are {len(search.images)} images"
            )


def _check_decision(search: Search) -> None:
    actions = len(search.actions)
    if search.chosen is not None and not 0 <= search.chosen < actions:
        raise _WrongRecordError(f"chosen is {search.chosen}: there are {actions} actions")
    for name in ("prior", "q", "policy"):
        values = getattr(search.root, name) or [None] * actions
        if len(values) != actions:
            raise _WrongRecordError(
                f"root.{name} has {len(values)} entries, and there are {actions} actions"
            )
        setattr(search.root, name, values)


def _share_images(search: Search) -> None:
    """Refuses what a browser would have to fetch; keeps of equal images one."""
    first: dict[str, int] = {}
    for position, image in enumerate(search.images):
        match = _IMAGE.fullmatch(image)
        try:
            if not match or not base64.b64decode(match[1], validate=True):
                raise binascii.Error
        except binascii.Error:
            raise _WrongRecordError(
                f"image {position} is not a picture in the file (data:image/png;base64,…)"
            ) from None
        first.setdefault(image, len(first))
    moved = [first[image] for image in search.images]
    search.nodes.image = [moved[image] if image >= 0 else -1 for image in search.nodes.image]
    search.images = list(first)


def encoded(search: Search) -> bytes:
    """The record as a file again."""
    return msgspec.json.encode(search)
