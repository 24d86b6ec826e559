"""Draws sensitivities: a panel for each hyperparameter, a dot for each setting, two lines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from plotting import page, style, ticks
from plotting.sensitivity_caption import experiment_note, general_note
from plotting.sensitivity_summary import Panel, Sensitivity
from plotting.view import Look, View, view_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

PANEL_WIDTH = 2.2  # inches, when the width is not given
NARROWEST_PANEL = 1.6
NARROWEST_PAGE = 4.4
MOST_COLUMNS = 4

AT_BEST = "others at the best setting's values"
TUNED = "others re-tuned for each value"
_LINES: dict[str, dict[str, Any]] = {
    AT_BEST: {"color": style.PALETTE[0], "linestyle": (0, (2.2, 1.1)), "zorder": 4},
    TUNED: {"color": style.PALETTE[1], "linestyle": "-", "zorder": 3},
}
_LOOKS: dict[Look, dict[str, Any]] = {
    "dot": {"marker": "o", "color": style.GREY, "markeredgewidth": 0},
    "hollow": {
        "marker": "o",
        "color": style.GREY,
        "markerfacecolor": "none",
        "markeredgewidth": 0.7,
    },
    "below": {"marker": "v", "color": style.GREY, "markeredgewidth": 0},
    "cross": {"marker": "x", "color": style.ALARM, "markeredgewidth": 0.9},
}
_LOOK_NAMES: dict[Look, str] = {
    "dot": "a setting",
    "hollow": "some runs without a score",
    "below": "below the axis",
    "cross": "no score",
}
_STAR: dict[str, Any] = {
    "marker": "*",
    "markersize": 9,
    "color": style.PALETTE[5],
    "markeredgecolor": "black",
    "markeredgewidth": 0.6,
    "linestyle": "",
    "zorder": 6,
}


def draw(
    summaries: Sequence[Sensitivity],
    title: str,
    width: float | None = None,
    height: float = 2.2,
    *,
    caption: bool = True,
) -> Figure:
    """Each experiment's panels in rows of `height` inches, and what legend and caption need."""
    columns = _columns([len(each.panels) for each in summaries], width)
    drawn = [(each, view_of(each)) for each in summaries]
    with page.styled():
        rows = sum(_rows(each, columns) for each in summaries)
        figure = page.new_figure(width or max(NARROWEST_PAGE, columns * PANEL_WIDTH), rows * height)
        panels = list(_panels(figure, summaries, rows, columns))
        views = {summary.label: view for summary, view in drawn}
        for axes, summary, panel in panels:
            _draw_panel(axes, summary, panel, views[summary.label])
        page.add_texts(figure, title, *_legend(drawn), notes(summaries) if caption else ())
        _label_panels(figure, panels)
        return figure


def notes(summaries: Sequence[Sensitivity]) -> list[page.Note]:
    """The caption."""
    return [
        *(page.Note(experiment_note(each, view_of(each)), each.label) for each in summaries),
        page.Note(general_note(summaries)),
    ]


def _columns(panels: Sequence[int], width: float | None) -> int:
    """As many as fit side by side, and no more than fill the rows evenly."""
    most = MOST_COLUMNS if width is None else max(1, int(width / NARROWEST_PANEL))
    return max(math.ceil(count / math.ceil(count / most)) for count in panels)


def _rows(summary: Sensitivity, columns: int) -> int:
    return math.ceil(len(summary.panels) / columns)


def _panels(
    figure: Figure, summaries: Sequence[Sensitivity], rows: int, columns: int
) -> Iterator[tuple[Axes, Sensitivity, Panel]]:
    """Empty axes. Every experiment begins a row, and its panels share the vertical axis."""
    grid = figure.add_gridspec(rows, columns)
    row = 0
    for summary in summaries:
        first = None
        for number, panel in enumerate(summary.panels):
            down, right = divmod(number, columns)
            axes = figure.add_subplot(grid[row + down, right], sharey=first)
            if first is None and len(summaries) > 1:
                _head(figure, axes, summary.label)
            first = first or axes
            if right == 0:
                metric = summary.metric
                axes.set_ylabel(f"{metric.suffix} {style.SCORE_LABELS[metric.kind]}")
            axes.tick_params(labelleft=right == 0)
            yield axes, summary, panel
        row += _rows(summary, columns)


def _head(figure: Figure, axes: Axes, label: str) -> None:
    """The experiment's name over its first panel and those beside it, which it does not push."""
    room = float(figure.get_size_inches()[0]) - 1.0  # the vertical axis's labels stand left of it
    text = page.wrapped(figure, label, style.LABEL_SIZE, room)
    axes.set_title(text, loc="left", fontsize=style.LABEL_SIZE).set_in_layout(False)
    axes.set_title(" " + "\n " * text.count("\n"), fontsize=style.LABEL_SIZE)  # keeps its height


def _draw_panel(axes: Axes, summary: Sensitivity, panel: Panel, view: View) -> None:
    axes.set_ylim(view.bottom, view.top)
    page.number_scores(axes)
    ticks.set_scale(axes, panel.axis)
    places = panel.axis.places
    size, alpha = (3.5, 0.5) if len(summary.scores) <= 150 else (2.8, 0.35)
    looks = [view.look(score) for score in summary.scores]
    for look, how in _LOOKS.items():
        chosen = [k for k, each in enumerate(looks) if each == look]
        at_edge = look in view.edge
        axes.plot(
            [places[panel.axis.position[k]] for k in chosen],
            [view.edge_height(look) if at_edge else summary.scores[k].mean for k in chosen],
            linestyle="",
            markersize=size + 1 if at_edge else size,
            alpha=1.0 if at_edge else alpha,
            zorder=2,
            transform=axes.get_xaxis_transform() if at_edge else axes.transData,
            gid=look,
            **how,
        )
    for name, line in ((TUNED, panel.tuned), (AT_BEST, panel.at_best)):
        if line is not None:
            _draw_line(axes, summary, places, line, name)
    best = places[panel.axis.position[summary.best]]
    axes.plot([best], [summary.scores[summary.best].mean], gid="best", **_STAR)


def _draw_line(
    axes: Axes,
    summary: Sensitivity,
    places: Sequence[float],
    line: Sequence[int | None],
    name: str,
) -> None:
    """With gaps where no setting has a score; a marker is hollow where some runs have none."""
    how = _LINES[name]
    scores = [None if k is None else summary.scores[k] for k in line]
    means = [math.nan if score is None else score.mean for score in scores]
    axes.plot(places, means, linewidth=1.4, gid=name, **how)
    for place, score in zip(places, scores, strict=True):
        if score is None or not score.tally.scored:
            continue
        face = how["color"] if score.tally.whole else "white"
        point = {"color": how["color"], "zorder": how["zorder"]}
        axes.plot([place], [score.mean], marker="o", markersize=3.5, markerfacecolor=face, **point)
        if score.low < score.high:
            axes.vlines(place, score.low, score.high, linewidth=1.0, alpha=0.8, **point)


def _legend(
    drawn: Sequence[tuple[Sensitivity, View]],
) -> tuple[list[Line2D], list[str]]:
    """What occurs in the figure."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **_STAR)]
    labels = ["best setting"]
    panels = [panel for summary, _ in drawn for panel in summary.panels]
    lines = {
        AT_BEST: any(panel.has_neighbours for panel in panels),
        TUNED: any(panel.tuned for panel in panels),
    }
    for name in (name for name, present in lines.items() if present):
        handles.append(Line2D([], [], linewidth=1.4, marker="o", markersize=3.5, **_LINES[name]))
        labels.append(name)
    looks = [(view.look(score), score) for summary, view in drawn for score in summary.scores]
    for look, how in _LOOKS.items():
        scores = [score for each, score in looks if each == look]
        if scores:
            handles.append(Line2D([], [], linestyle="", markersize=4.5, **how))
            all_diverged = all(score.all_diverged for score in scores)
            labels.append("all runs diverged" if all_diverged else _LOOK_NAMES[look])
    return handles, labels


def _label_panels(figure: Figure, panels: Sequence[tuple[Axes, Sensitivity, Panel]]) -> None:
    """What stands below each panel must fit its width, which the layout has to say first."""
    figure.draw_without_rendering()
    measure = page.text_measure(figure, style.TICK_SIZE)
    for axes, summary, panel in panels:
        inches = float(axes.bbox.width) / figure.dpi
        best = panel.axis.position[summary.best]
        ticks.label_values(axes, panel.axis, best, inches * page.POINTS_PER_INCH, measure)
        axes.set_xlabel(page.wrapped(figure, panel.axis.name, style.LABEL_SIZE, inches))
