"""Draws learning curves: each experiment's mean, its interval, and its seeds as thin lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plotting import page, style
from plotting.curve_caption import drawn_seed_lines, experiment_note, general_note
from plotting.curve_summary import Summary
from plotting.references import Reference

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(
    summaries: Sequence[Summary],
    title: str,
    width: float = 5.0,
    height: float = 2.8,
    references: Sequence[Reference] = (),
    *,
    caption: bool = True,
) -> Figure:
    """The figure of some experiments: `height` inches of plot, and what legend and caption need.

    Several lines are named at their ends where the names fit there.
    """
    with page.styled():
        figure = page.new_figure(width, height)
        axes = figure.add_subplot()
        for position, summary in enumerate(summaries):
            draw_experiment(axes, summary, *style.colour(position))
        for reference in references:
            _draw_reference(axes, reference)
        label_axes(axes, summaries, width)
        handles, names = axes.get_legend_handles_labels()
        ends = [
            (float(each.mean[-1]), style.colour(position)[0], each.label)
            for position, each in enumerate(summaries)
        ]
        if len(ends) > 1 and not references and page.label_directly(axes, ends, width, height):
            handles, names = [], []
        page.add_texts(figure, title, handles, names, notes(summaries) if caption else ())
        return figure


def notes(summaries: Sequence[Summary]) -> list[page.Note]:
    """The caption."""
    return [
        *(page.Note(experiment_note(each), each.label) for each in summaries),
        page.Note(general_note(summaries)),
    ]


def draw_experiment(axes: Axes, summary: Summary, colour: str, dashes: Any) -> None:
    several = len(summary.seeds) > 1
    if several:
        lines = drawn_seed_lines(summary)
        faint = 0.35 if len(lines) <= 10 else 0.2
        for position in lines:
            curve = summary.seeds[position].curve
            axes.plot(curve.timestep, curve.value, color=colour, linewidth=0.5, alpha=faint)
        axes.fill_between(
            summary.timestep, summary.low, summary.high, color=colour, alpha=0.22, linewidth=0
        )
    axes.plot(
        summary.timestep,
        summary.mean,
        color=colour,
        linestyle=dashes,
        linewidth=1.6,
        label=summary.label,
        # a line needs two points to be seen
        marker="o" if len(summary.timestep) == 1 else "",
        markersize=4,
        zorder=3,
    )


def _draw_reference(axes: Axes, reference: Reference) -> None:
    if reference.low == reference.high:
        axes.axhline(
            reference.low, color=style.REFERENCE, linewidth=1.0, dashes=(4, 2), label=reference.name
        )
    else:
        axes.axhspan(
            reference.low, reference.high, color=style.REFERENCE, alpha=0.2, label=reference.name
        )


def label_axes(axes: Axes, summaries: Sequence[Summary], width: float) -> None:
    axes.set_ylabel(style.SCORE_LABELS[summaries[0].metric.kind])
    longest = max(each.total_timesteps for each in summaries)
    page.label_timesteps(axes, longest, width, summaries[0].axis)
    page.number_scores(axes)
