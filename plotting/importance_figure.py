"""Draws shares of variance as bars, with what seeds alone would make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plotting import page, style
from plotting.importance_summary import OF_THE_VALUES, Importance, name_of, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 0.24  # inches of a bar


def draw(
    found: Sequence[Importance],
    title: str,
    form: style.Style,
    width: float,
    height: float | None,
) -> Figure:
    """A panel of bars for each experiment, below one another."""
    heights = [height or _ROW * len(each.drawn) + 0.45 for each in found]
    with page.styled():
        figure = page.new_figure(width, sum(heights))
        grid = figure.add_gridspec(len(found), 1, height_ratios=heights)
        for row, each in enumerate(found):
            axes = figure.add_subplot(grid[row, 0])
            _draw_bars(figure, axes, each, width)
            if len(found) > 1:
                axes.set_title(each.of.label, loc="left", fontsize=style.LABEL_SIZE)
            if row == len(found) - 1:
                axes.set_xlabel("share of the variance between settings")
        handles, labels = _legend(found)
        page.add_texts(figure, title, handles, labels, notes(found) if form.caption else ())
        return figure


def _draw_bars(figure: Figure, axes: Axes, of: Importance, width: float) -> None:
    from matplotlib.ticker import PercentFormatter

    shown = of.drawn
    for row, each in enumerate(shown):
        colour = style.PALETTE[0] if len(each.names) == 1 else style.PALETTE[4]
        axes.barh(row, each.share, height=0.66, color=colour, zorder=2)
        if math.isfinite(each.by_chance):
            axes.plot([each.by_chance] * 2, [row - 0.4, row + 0.4], zorder=4, **_CHANCE)
        if each.low < each.high:
            axes.plot([each.low, each.high], [row, row], color="black", linewidth=1.0, zorder=3)
    names = [
        page.wrapped(figure, name_of(each), style.TICK_SIZE, 0.35 * width).replace("\n", "\n ")
        for each in shown
    ]
    axes.set_yticks(range(len(shown)), names)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, None)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


_CHANCE: dict[str, Any] = {"color": style.PALETTE[1], "linewidth": 1.6, "solid_capstyle": "butt"}


def _legend(found: Sequence[Importance]) -> tuple[list[Any], list[str]]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Patch(color=style.PALETTE[0])]
    labels = ["one hyperparameter"]
    if any(len(effect.names) != 1 for each in found for effect in each.drawn):
        handles.append(Patch(color=style.PALETTE[4]))
        labels.append("together, beyond each alone")
    if any(math.isfinite(effect.by_chance) for each in found for effect in each.drawn):
        handles.append(Line2D([], [], **_CHANCE))
        labels.append("what seeds alone would make")
    return handles, labels


def notes(found: Sequence[Importance]) -> list[page.Note]:
    """The caption."""
    general = (
        f"Score: {found[0].of.metric}, the mean over a setting's seeds. Bar: share of the variance "
        "of the settings' scores; black line: its 95% jackknife interval over seeds; orange: what "
        f"the spread of the seeds alone is expected to make. {OF_THE_VALUES}"
    )
    return [*(page.Note(note(each), each.of.label) for each in found), page.Note(general)]
