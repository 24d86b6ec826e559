"""A planning step as one figure: pictures of the states where there is room, else marks."""

from __future__ import annotations

import base64
import io
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plotting import style
from plotting.page import Note, add_texts, new_figure, styled
from plotting.search_view.layout import level_heights, tidy
from plotting.search_view.record import Search

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The largest plot of each style, in inches: letters and lines keep their size.
LARGEST = {"paper": (6.8, 8.0), "talk": (12.0, 6.0), "web": (18.0, 30.0)}
NARROWEST = 5.0
MOST_PICTURES, LEAST_PICTURE = 200, 0.34  # nodes; inches
PICTURES, MARKS = (0.72, 0.98), (0.24, 0.42)  # inches between siblings, between levels
LEAST_TEXT = 0.4  # inches of a picture with words beside it
SMALLEST, HOLLOW = 1.5, 3.0  # points of a mark: at least, and to have an inside
EDGE, CHOSEN = "#a9b1ba", "#0072B2"
#: By what a node is, the first that holds: legend, matplotlib's marker, colour, whether filled.
KINDS: dict[str, tuple[str, str, str, bool]] = {
    "terminated": ("terminal", "s", "#1c2127", True),
    "truncated": ("truncated", "D", "#a8477f", True),
    "pruned": ("pruned: nothing novel", "x", "#b34700", True),
    "solved": ("solved", "o", "#00785a", True),
    "open": ("open", "o", "#0072B2", False),
}
CACHED, LOST, REWARD = "#59626e", "#b00020", "#1c2127"


@dataclass(frozen=True, slots=True)
class _Plan:
    """Inches: across between siblings, along between levels, and the half width of a node."""

    right: bool
    across: float
    along: float
    radius: float
    pictures: bool


def draw(
    search: Search, style_name: str, direction: str | None = None
) -> tuple[Figure, list[Note]]:
    """The figure, and its caption, which is in the figure where the style has it there.

    Args:
        direction: where the tree grows to, "down" or "right"; None for where there is more room.
    """
    children = search.children()
    position = tidy(children)
    breadth, depth = max(position), search.nodes.depth
    counts = [0] * (max(depth) + 1)
    for level in depth:
        counts[level] += 1
    rungs = [0.0, *itertools.accumulate(level_heights(counts)[1:])]
    levels = rungs[-1]
    plan = _plan(search, breadth, levels, LARGEST[style_name], direction)
    across, along = plan.across * (breadth + 1), plan.along * (levels + 1)
    width, height = (along, across) if plan.right else (across, along)
    points = [
        _point(plan, p, rungs[level], breadth, levels)
        for p, level in zip(position, depth, strict=True)
    ]
    notes = [Note(_caption(search, boxes=plan.pictures))]
    look = style.STYLES[style_name]
    with styled():
        figure = new_figure(max(width + 0.2, NARROWEST), height + 0.1)
        figure.suppressComposite = True  # pictures stay as sharp as they are
        axes = figure.add_subplot()
        axes.set_axis_off()
        _edges(axes, search, points, plan)
        handles, labels = (_pictures if plan.pictures else _marks)(axes, search, points, plan)
        axes.set_xlim(0, width)
        axes.set_ylim(0, height)
        axes.set_aspect("equal")
        title = search.title or search.environment
        add_texts(figure, title, handles, labels, notes if look.caption else [])
    return figure, notes


def _plan(
    search: Search,
    breadth: float,
    levels: float,
    largest: tuple[float, float],
    direction: str | None,
) -> _Plan:
    """As large as is readable, within what the style has room for."""
    some = search.nodes.visits or any(k >= 0 for k in search.nodes.image)
    with_pictures = len(search) <= MOST_PICTURES and some
    plans = []
    for right in (False, True) if direction is None else (direction == "right",):
        width, height = largest
        room, length = (height, width) if right else (width, height)
        scale = min(1, room / PICTURES[0] / (breadth + 1), length / PICTURES[1] / (levels + 1))
        picture = 0.76 * PICTURES[0] * scale
        if with_pictures and picture >= LEAST_PICTURE:
            a, b = (scale * inches for inches in PICTURES)
            plans.append(_Plan(right, a, b, picture / 2, True))
            continue
        a = min(MARKS[0], room / (breadth + 1))
        # a wide, shallow tree has higher levels, so that its edges can be told apart
        b = min(max(MARKS[1], a * (breadth + 1) / (4 * (levels + 1))), length / (levels + 1))
        plans.append(_Plan(right, a, b, min(0.3 * a, 0.22 * b), False))

    def merit(plan: _Plan) -> tuple[bool, float, float]:
        sides = plan.across * (breadth + 1), plan.along * (levels + 1)
        shape = max(sides[plan.right], NARROWEST) / max(sides[not plan.right], 0.1)
        return plan.pictures, round(plan.radius, 2), -abs(math.log(shape / 1.4))

    return max(plans, key=merit)


def _point(
    plan: _Plan, position: float, depth: float, breadth: float, levels: float
) -> tuple[float, float]:
    if plan.right:
        return plan.along * (depth + 0.5), plan.across * (breadth + 0.5 - position)
    return plan.across * (position + 0.5), plan.along * (levels + 0.5 - depth)


def _edges(axes: Axes, search: Search, points: list[tuple[float, float]], plan: _Plan) -> None:
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path as Line

    path = set(search.chosen_path())
    curved = [Line.MOVETO, Line.CURVE4, Line.CURVE4, Line.CURVE4]
    groups: dict[str, list[tuple[Line, float]]] = {"plain": [], "pruned": [], "chosen": []}
    for node in range(1, len(search)):
        (x, y), (u, v) = points[search.nodes.parent[node]], points[node]
        if plan.right:
            corners = [(x, y), ((x + u) / 2, y), ((x + u) / 2, v), (u, v)]
        else:
            corners = [(x, y), (x, (y + v) / 2), (u, (y + v) / 2), (u, v)]
        kind = "chosen" if node in path else "pruned" if search.nodes.pruned[node] else "plain"
        groups[kind].append((Line(corners, curved), search.width(node)))
    thin, thick = max(0.3, min(0.9, 12 * plan.radius)), max(1.4, min(3, 40 * plan.radius))
    looks: dict[str, dict[str, Any]] = {
        "plain": {"edgecolor": EDGE},
        "pruned": {"edgecolor": EDGE, "linestyle": (0, (2.5, 2))},
        "chosen": {"edgecolor": CHOSEN},
    }
    for kind, lines in groups.items():
        least = thick if kind == "chosen" and not search.nodes.visits else thin
        widths = [least + 1.5 * thick * share for _, share in lines]
        paths = [line for line, _ in lines]
        axes.add_collection(
            PathCollection(paths, facecolor="none", linewidths=widths, zorder=1, **looks[kind]),
            autolim=False,
        )


def _kind(search: Search, node: int) -> str:
    flags = search.flags(node)
    return next((kind for kind in KINDS if kind in flags), "open")


_Drawn = tuple[list["Artist"], list[str]]


def _marks(axes: Axes, search: Search, points: list[tuple[float, float]], plan: _Plan) -> _Drawn:
    size = max(SMALLEST, 72 * plan.radius * 2)
    of_kind: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for node in range(len(search)):
        of_kind[_kind(search, node)].append(node)
    for kind, members in of_kind.items():
        _, marker, colour, filled = KINDS[kind]
        _dots(
            axes, [points[node] for node in members], marker, colour, size, filled or size < HOLLOW
        )
    beside = plan.radius
    for sign, marker in ((1, "+"), (-1, "_")):
        rewarded = [
            (points[k][0] + 1.5 * beside, points[k][1] - 1.5 * beside)
            for k, reward in enumerate(search.nodes.reward)
            if reward * sign > 0 and search.rewarded(k)
        ]
        _dots(axes, rewarded, marker, REWARD, 0.7 * size, True)
    _dots(axes, _those(points, search.nodes.cached), "o", CACHED, 1.8 * size, False, 0.25)
    lost = _those(points, search.nodes.life_lost)
    above = [(x + 1.3 * beside, y + 1.3 * beside) for x, y in lost]
    _dots(axes, above, "v", LOST, 0.7 * size, True)
    return _legend(search, [kind for kind, members in of_kind.items() if members])


def _dots(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    marker: str,
    colour: str,
    size: float,
    filled: bool,
    line: float = 0.5,
) -> None:
    """`size` in points across; outlines are thinner where marks are small."""
    if not points:
        return
    x, y = zip(*points, strict=True)
    thin = marker in "x+_"
    axes.scatter(
        x,
        y,
        s=size**2 * (0.5 if thin else 1),
        marker=marker,
        facecolors=colour if filled else "white" if line == 0.5 else "none",
        edgecolors=None if thin and filled else colour,
        linewidths=min(1.2, line * size / 2.5) if thin or not filled else 0,
        zorder=3,
    )


def _those(points: Sequence[tuple[float, float]], flags: Sequence[bool]) -> list[Any]:
    return [point for point, flag in zip(points, flags, strict=True) if flag]


def _pictures(axes: Axes, search: Search, points: list[tuple[float, float]], plan: _Plan) -> _Drawn:
    from matplotlib.patches import Rectangle

    images = [_image(uri) for uri in search.images]
    path = set(search.chosen_path())
    r = plan.radius
    kinds = set()
    for node, (x, y) in enumerate(points):
        kind = _kind(search, node)
        kinds.add(kind)
        faded = 0.5 if kind == "pruned" else 1
        axes.add_patch(Rectangle((x - r, y - r), 2 * r, 2 * r, facecolor="#eeeeee", zorder=2))
        if (image := search.nodes.image[node]) >= 0:
            width, height = images[image].size
            a, b = r * width / max(width, height), r * height / max(width, height)
            extent = (x - a, x + a, y - b, y + b)
            axes.imshow(images[image], extent=extent, zorder=2.1, alpha=faded)
        elif search.nodes.visits:
            _numbers(axes, search, node, (x, y), r)
        axes.add_patch(
            Rectangle(
                (x - r, y - r),
                2 * r,
                2 * r,
                facecolor="none",
                edgecolor=CHOSEN if node in path else KINDS[kind][2],
                linewidth=2.4 if node in path else 0.8 if kind == "open" else 1.4,
                linestyle=(0, (2.5, 1.5)) if kind == "pruned" else "-",
                zorder=2.2,
            )
        )
        if search.nodes.cached[node]:
            gap = r + 0.04
            outer = Rectangle((x - gap, y - gap), 2 * gap, 2 * gap, fill=False, edgecolor=CACHED)
            outer.set(linewidth=0.8, zorder=2.2)
            axes.add_patch(outer)
    badge = 72 * 0.36 * r
    for kind in ("pruned", "terminated", "truncated", "solved"):
        corner = [
            (x - 0.68 * r, y - 0.68 * r)
            for k, (x, y) in enumerate(points)
            if _kind(search, k) == kind
        ]
        _dots(axes, corner, "s", "white", 1.7 * badge, True)
        _dots(axes, corner, *KINDS[kind][1:3], badge, True)
    lost = [(x + 0.7 * r, y + 0.7 * r) for x, y in _those(points, search.nodes.life_lost)]
    _dots(axes, lost, "v", "white", 1.6 * badge, True)
    _dots(axes, lost, "v", LOST, 1.1 * badge, True)
    _words(axes, search, points, plan, path)
    return _legend(search, [kind for kind in KINDS if kind in kinds])


def _numbers(axes: Axes, search: Search, node: int, at: tuple[float, float], r: float) -> None:
    """What is known of a state that has no picture: visits, and below them its return."""
    x, y = at
    size = min(8.0, 72 * r * 0.4)
    returns = search.nodes.returns
    value = style.rounded(returns[node], max(returns) - min(returns))
    both: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 2.3}
    axes.text(x, y + 0.35 * r, str(search.nodes.visits[node]), size=size, weight="bold", **both)
    axes.text(x, y - 0.4 * r, value, size=0.85 * size, color=style.GREY, **both)


def _image(uri: str) -> Any:
    from PIL import Image

    data = base64.b64decode(uri.partition(",")[2])
    return Image.open(io.BytesIO(data)).convert("RGB")


def _words(
    axes: Axes, search: Search, points: list[tuple[float, float]], plan: _Plan, path: set[int]
) -> None:
    """The action, and the reward where there is one; or the reward alone."""
    small = 2 * plan.radius < LEAST_TEXT
    for node in range(1, len(search)):
        x, y = points[node]
        action, reward = search.actions[search.nodes.action[node]], search.nodes.reward[node]
        digits = ".2f" if search.nodes.visits else ".4g"
        told = ""
        if search.rewarded(node):
            told = f"{reward:+{digits}}".replace("-", "\N{MINUS SIGN}")
        text = told if small else f"{action} {told}".strip()
        if text:
            axes.text(
                x,
                y + plan.radius + 0.05,
                text,
                ha="center",
                va="bottom",
                size=6,
                weight="bold" if told or node in path else "normal",
                color=CHOSEN if node in path else style.GREY if not told else REWARD,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
                zorder=2.5,
            )


def _legend(search: Search, kinds: Sequence[str]) -> _Drawn:
    from matplotlib.lines import Line2D

    handles: list[Artist] = []
    labels: list[str] = []

    def add(label: str, **look: Any) -> None:
        handles.append(Line2D([], [], **({"linestyle": "none"} | look)))
        labels.append(label)

    for kind in reversed(kinds):
        label, marker, colour, filled = KINDS[kind]
        add(label, marker=marker, color=colour, markerfacecolor=colour if filled else "white")
    nodes = search.nodes
    beside: list[tuple[bool, Callable[[], None]]] = [
        (
            any(nodes.cached),
            lambda: add(
                "cached: from the tree before",
                marker="o",
                color=CACHED,
                markerfacecolor="none",
                markersize=9,
                markeredgewidth=0.8,
            ),
        ),
        (any(nodes.life_lost), lambda: add("life lost", marker="v", color=LOST)),
        (
            any(map(search.rewarded, range(len(search)))),
            lambda: add("reward", marker="+", color=REWARD),
        ),
        (
            bool(search.chosen_path()),
            lambda: add("chosen action, then the best line", linestyle="-", color=CHOSEN, lw=2.4),
        ),
    ]
    for there, put in beside:
        if there:
            put()
    return handles, labels


def _caption(search: Search, *, boxes: bool) -> str:
    limits = [f"{v:.6g} {what}" for what, v in search.budget.items() if v is not None]
    said = [
        search.environment,
        search.planner,
        "" if search.gamma is None else f"γ {search.gamma:g}",
        f"budget {', '.join(limits)}" if limits else "",
        f"{len(search)} nodes, {max(search.nodes.depth)} deep",
    ]
    text = "; ".join(part for part in said if part) + "."
    if search.chosen is not None:
        q = search.root.q[search.chosen]
        value = "" if q is None else f" (Q {q:.4g})".replace("-", "\N{MINUS SIGN}")
        text += f" Chosen: {search.actions[search.chosen]}{value}."
    if search.nodes.visits:
        text += " Edges are as wide as they were visited."
        if boxes:
            text += f" In a box: visits, and below them {search.word('return')}."
    return text
