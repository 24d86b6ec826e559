"""Draws series that runs measured while they learned, below their learning curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from plotting import page, style
from plotting.curve_caption import experiment_note, general_note
from plotting.curve_figure import draw_experiment, label_axes
from plotting.losses_summary import Losses

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 2
_LOW = 0.62  # of a row's height: a panel of a series
_ROUND = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))


def draw(
    found: Sequence[Losses],
    title: str,
    form: style.Style,
    width: float,
    height: float,
    *,
    logarithmic: bool,
) -> Figure:
    """The curves are `height` inches high, and each row of series a share of it."""
    names = list(dict.fromkeys(name for each in found for name in each.series))
    columns = min(_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    with page.styled():
        figure = page.new_figure(width, height * (1 + _LOW * rows))
        grid = figure.add_gridspec(1 + rows, columns, height_ratios=[1, *[_LOW] * rows])
        top = figure.add_subplot(grid[0, :])
        curves = [each.curve for each in found]
        for position, curve in enumerate(curves):
            draw_experiment(top, curve, *style.colour(position))
        label_axes(top, curves, width)
        longest = max(each.total_timesteps for each in curves)
        for place, name in enumerate(names):
            down, right = divmod(place, columns)
            axes = figure.add_subplot(grid[1 + down, right])
            for position, each in enumerate(found):
                if name in each.series:
                    _draw_series(axes, each, name, position)
            axes.set_title(name.replace("_", " "), fontsize=style.LABEL_SIZE, loc="left")
            page.label_timesteps(axes, longest, width / columns)
            if place + columns < len(names):
                axes.set_xlabel("")
            if logarithmic:
                _make_logarithmic(axes)
            else:
                page.number_scores(axes)
        top.set_xlabel("")
        handles, labels = top.get_legend_handles_labels()
        if len(found) == 1:
            handles, labels = [], []
        page.add_texts(figure, title, handles, labels, notes(found) if form.caption else ())
        return figure


def _draw_series(axes: Axes, of: Losses, name: str, position: int) -> None:
    colour, dashes = style.colour(position)
    band = of.series[name]
    axes.fill_between(band.timestep, band.low, band.high, color=colour, alpha=0.22, linewidth=0)
    axes.plot(
        band.timestep,
        band.mean,
        color=colour,
        linestyle=dashes,
        linewidth=1.2,
        marker="o" if len(band.timestep) == 1 else "",
        markersize=3,
    )


def _make_logarithmic(axes: Axes) -> None:
    """With at least three numbers, as round as that allows."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    for mantissas in _ROUND:
        ticks = [m * 10.0**decade for decade in decades for m in mantissas]
        within = [tick for tick in ticks if low <= tick <= high]
        if len(within) >= 3:
            axes.yaxis.set_major_locator(FixedLocator(within))
            break
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: style.short_number(v, 1e4)))


def notes(found: Sequence[Losses]) -> list[page.Note]:
    """The caption."""
    curves = [each.curve for each in found]
    text = (
        "Below: what the runs measured while they learned, as at that timestep; of the seeds only "
        "mean and interval are drawn, and each panel has a scale of its own."
    ).replace("mean", curves[0].kind.partition("-")[0])
    absent = [
        f"{each.curve.label} has no {name.replace('_', ' ')}"
        for each in found
        for name in dict.fromkeys(name for other in found for name in other.series)
        if name not in each.series
    ]
    if absent:
        text += f" {'; '.join(absent)}."
    return [
        *(page.Note(experiment_note(each), each.label) for each in curves),
        page.Note(f"{general_note(curves)} {text}"),
    ]
