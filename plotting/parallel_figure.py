"""Draws settings as lines across parallel axes: one a hyperparameter, and the score at the end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plotting import page, style
from plotting.hyperparameters import MOST_CATEGORIES, Axis
from plotting.phrases import chosen_by, count, setting, value
from plotting.settings_summary import Settings, incomplete
from plotting.tables import as_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SPREAD = 0.5  # of the distance between two values, that lines are spread over
_MOST_SPREAD = 0.09  # of the axis
_BOTTOM = -0.09  # where settings without a score end


def draw(
    found: Sequence[Settings], title: str, form: style.Style, width: float, height: float
) -> Figure:
    """A panel of `height` inches for each experiment, below one another."""
    with page.styled():
        figure = page.new_figure(width, height * len(found))
        panels = []
        for row, each in enumerate(found):
            axes = figure.add_subplot(len(found), 1, row + 1)
            _draw_lines(figure, axes, each)
            if len(found) > 1:
                axes.set_title(each.label, loc="left", fontsize=style.LABEL_SIZE)
            panels.append(axes)
        handles, labels = _legend(found)
        page.add_texts(figure, title, handles, labels, notes(found) if form.caption else ())
        figure.draw_without_rendering()
        for axes, each in zip(panels, found, strict=True):
            _label(figure, axes, each)
        return figure


def heights(axis: Axis) -> list[float]:
    """Where the values stand, from 0 to 1. [V]"""
    places = [math.log(p) for p in axis.places] if axis.scale == "log" else axis.places
    low, high = places[0], places[-1]
    return [(place - low) / (high - low) for place in places]


def spread(axis: Axis, ranks: Sequence[int]) -> list[float]:
    """Where the line of each setting crosses: near its value, higher with a higher rank. [S]"""
    at = heights(axis)
    gap = min(b - a for a, b in itertools.pairwise(at))
    reach = min(_SPREAD * gap, _MOST_SPREAD)
    crossed = [0.0] * len(axis.position)
    for place in range(len(at)):
        members = sorted(
            (k for k, p in enumerate(axis.position) if p == place), key=lambda k: ranks[k]
        )
        for order, k in enumerate(members):
            shift = (order + 0.5) / len(members) - 0.5
            crossed[k] = at[place] + reach * shift
    return crossed


def _draw_lines(figure: Figure, axes: Axes, of: Settings) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    means = of.means
    known = [mean for mean in means if not math.isnan(mean)]
    low, span = min(known), (max(known) - min(known)) or 1.0
    # the colour bar stands beside the last axis and has its scale
    bottom, top = _BOTTOM - 0.03, 1.08
    norm = Normalize(low + bottom * span, low + top * span)
    shades = colormaps[style.MAP]
    order = sorted(range(len(means)), key=lambda k: -math.inf if means[k] != means[k] else means[k])
    ranks = [0] * len(means)
    for rank, k in enumerate(order):
        ranks[k] = rank
    crossings = [spread(axis, ranks) for axis in of.axes]
    faint = 0.75 if len(means) <= 60 else 0.4
    for k in order:
        scored = not math.isnan(means[k])
        level = (means[k] - low) / span if scored else _BOTTOM
        how: dict[str, Any] = {"color": shades(norm(means[k])), "linewidth": 0.9, "alpha": faint}
        if not scored:
            how = _LOST
        if k == of.best:
            how = {"color": style.PALETTE[1], "linewidth": 2.0, "zorder": 4}
        points = [*(crossed[k] for crossed in crossings), level]
        axes.plot(range(len(points)), points, gid=f"setting {of.tallies[k].setting}", **how)
    for x in range(len(of.axes) + 1):
        axes.axvline(x, color="black", linewidth=0.7, zorder=3)
    axes.set_xlim(-0.02, len(of.axes) + 0.02)
    axes.set_ylim(bottom, top)
    axes.grid(visible=False)
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    bar = figure.colorbar(
        ScalarMappable(norm, shades), ax=axes, pad=0.01, fraction=0.04, use_gridspec=False
    )
    bar.outline.set_visible(False)
    bar.set_label(
        f"{of.metric.suffix} {style.SCORE_LABELS[of.metric.kind]}", fontsize=style.TICK_SIZE
    )


_LOST: dict[str, Any] = {"color": style.ALARM, "linewidth": 0.9, "linestyle": (0, (3, 2))}


def _label(figure: Figure, axes: Axes, of: Settings) -> None:
    """Names below, values beside the axes, on white so that lines do not cross them."""
    room = float(axes.bbox.width) / figure.dpi / (len(of.axes) + 1)
    names = [page.wrapped(figure, axis.name, style.TICK_SIZE, room) for axis in of.axes]
    axes.set_xticks(range(len(of.axes) + 1), [*names, "score"])
    axes.tick_params(axis="x", length=0)
    for x, axis in enumerate(of.axes):
        for text, height in _ticks(axis):
            axes.annotate(
                text,
                (x, height),
                xytext=(3 if x == 0 else -3, 0),
                textcoords="offset points",
                ha="left" if x == 0 else "right",
                va="center",
                fontsize=style.CAPTION_SIZE,
                zorder=6,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
            )


def _ticks(axis: Axis) -> list[tuple[str, float]]:
    """Every value; of many, both ends."""
    pairs = list(zip(map(style.value_text, axis.values), heights(axis), strict=True))
    return pairs if len(pairs) <= MOST_CATEGORIES else [pairs[0], pairs[-1]]


def _legend(found: Sequence[Settings]) -> tuple[list[Any], list[str]]:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=style.PALETTE[1], linewidth=2.0)]
    labels = ["best setting"]
    if any(not tally.scored for each in found for tally in each.tallies):
        handles.append(Line2D([], [], **_LOST))
        labels.append("no run with a score")
    return handles, labels


def notes(found: Sequence[Settings]) -> list[page.Note]:
    """The caption."""
    text = (
        f"Line: a setting; colour and last axis: its score ({found[0].metric}, mean over its "
        "seeds). Lines that share a value are spread around it, higher scores above."
    )
    return [*(page.Note(_note(each), each.label) for each in found), page.Note(text)]


def _note(of: Settings) -> str:
    best = setting(of.choice.tally.setting, of.params)
    parts = [
        f"{count(len(of.tallies), 'setting')}, {count(of.seeds, 'seed')} each. Best: {best}.",
        chosen_by(of.choice, of.metric, of.stage),
        incomplete(of.tallies),
    ]
    return " ".join(part for part in parts if part)


def table(found: Sequence[Settings]) -> str:
    """One row a setting."""
    names = list(dict.fromkeys(axis.name for each in found for axis in each.axes))
    rows = []
    for each in found:
        for k, (of, mean) in enumerate(zip(each.tallies, each.means, strict=True)):
            values = {axis.name: value(axis.values[axis.position[k]]) for axis in each.axes}
            counts = (of.scored, of.diverged, of.missing, each.kind_of_seeds)
            columns = [values.get(name, "") for name in names]
            rows.append((each.label, of.setting, *columns, mean, *counts, int(k == each.best)))
    head = ("experiment", "setting", *names, "mean", "n", "diverged", "missing", "seeds", "best")
    return as_csv(head, rows)
