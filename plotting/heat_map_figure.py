"""Draws the scores of pairs of values as a map; cells that have none are hatched."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plotting import page, style
from plotting.data_file import BadInput, Experiment
from plotting.hyperparameters import Axis
from plotting.metric import Metric
from plotting.phrases import chosen_by, count, value
from plotting.settings_summary import Settings, incomplete
from plotting.settings_summary import summarize as summarize_settings
from plotting.tables import as_csv
from plotting.variance import main_shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("experiment", "x", "x_value", "y", "y_value", "rest", "score", "setting", "settings")
LAST_COLUMNS = ("n", "diverged", "missing", "seeds")


@dataclass(frozen=True, slots=True)
class Cell:
    """What is known of a pair of values.

    score: NaN where no setting has one.
    setting: the best of them; None where there is none, or the mean is taken.
    settings, runs, diverged, missing: how many have these values; runs with a score.
    """

    score: float
    setting: int | None
    settings: int
    runs: int
    diverged: int
    missing: int


@dataclass(frozen=True, slots=True)
class Map:
    """cells: [y value, x value]."""

    of: Settings
    across: Axis
    down: Axis
    rest: str
    cells: tuple[tuple[Cell, ...], ...]


def summarize(
    experiment: Experiment,
    label: str,
    metric: Metric,
    names: tuple[str | None, str | None],
    rest: str,
) -> Map:
    """The pair that is named, filled up with the hyperparameters of the largest effect."""
    settings = summarize_settings(experiment, label, metric, fewest_axes=2)
    across, down = _pair(experiment, settings, names)
    cells = tuple(
        tuple(_cell(settings, across, x, down, y, rest) for x in range(len(across.values)))
        for y in range(len(down.values))
    )
    return Map(settings, across, down, rest, cells)


def _pair(
    experiment: Experiment, settings: Settings, names: tuple[str | None, str | None]
) -> tuple[Axis, Axis]:
    by_name = {axis.name: axis for axis in settings.axes}
    for name in names:
        if name is not None and name not in by_name:
            near = difflib.get_close_matches(name, by_name, n=1, cutoff=0.0)
            raise BadInput(
                f"{experiment.path} does not vary {name!r}: did you mean {near[0]}? "
                f"(it varies {', '.join(by_name)})"
            )
    if names[0] is not None and names[0] == names[1]:
        raise BadInput(f"--x and --y are both {names[0]}: a map needs two hyperparameters")
    shares = main_shares(settings.axes, settings.means)
    ranked = sorted(by_name, key=lambda name: -shares[name])
    free = [name for name in ranked if name not in names]
    chosen = [name if name is not None else free.pop(0) for name in names]
    return by_name[chosen[0]], by_name[chosen[1]]


def _cell(settings: Settings, across: Axis, x: int, down: Axis, y: int, rest: str) -> Cell:
    here = [
        each
        for each, i, j in zip(settings.tallies, across.position, down.position, strict=True)
        if (i, j) == (x, y)
    ]
    scored = [each for each in here if each.scored]
    score, number = math.nan, None
    if scored and rest == "best":
        best = max(scored, key=lambda each: (each.mean_score, -each.setting))
        score, number = best.mean_score, best.setting
    elif scored:
        score = math.fsum(each.mean_score for each in scored) / len(scored)
    return Cell(
        score,
        number,
        len(here),
        sum(each.scored for each in here),
        sum(each.diverged for each in here),
        sum(each.missing for each in here),
    )


def draw(maps: Sequence[Map], title: str, form: style.Style, width: float, height: float) -> Figure:
    """A map for each experiment, `height` inches or as high as its rows need, below one another."""
    heights = [max(height, 0.34 * len(each.down.values) + 0.6) for each in maps]
    with page.styled():
        figure = page.new_figure(width, sum(heights))
        grid = figure.add_gridspec(len(maps), 1, height_ratios=heights)
        panels = []
        for row, each in enumerate(maps):
            axes = figure.add_subplot(grid[row, 0])
            _draw_map(figure, axes, each)
            if len(maps) > 1:
                axes.set_title(each.of.label, loc="left", fontsize=style.LABEL_SIZE)
            panels.append(axes)
        page.add_texts(figure, title, [], [], notes(maps) if form.caption else ())
        figure.draw_without_rendering()
        for axes, each in zip(panels, maps, strict=True):
            _write_cells(figure, axes, each)
        return figure


def _draw_map(figure: Figure, axes: Axes, of: Map) -> None:
    import numpy as np
    from matplotlib.patches import Rectangle

    scores = np.array([[cell.score for cell in row] for row in of.cells])
    image = axes.imshow(scores, cmap=style.MAP, aspect="auto", origin="lower")
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    for y, x in zip(*np.nonzero(np.isnan(scores)), strict=True):
        corner = (float(x) - 0.5, float(y) - 0.5)
        axes.add_patch(
            Rectangle(corner, 1, 1, facecolor="#F2F2F2", edgecolor="#B0B0B0", hatch="////", lw=0)
        )
    axes.set_xticks(range(len(of.across.values)), [style.value_text(v) for v in of.across.values])
    axes.set_yticks(range(len(of.down.values)), [style.value_text(v) for v in of.down.values])
    axes.set_xlabel(of.across.name)
    axes.set_ylabel(of.down.name)
    bar = figure.colorbar(image, ax=axes, pad=0.02, fraction=0.06, use_gridspec=False)
    bar.outline.set_visible(False)
    metric = of.of.metric
    bar.set_label(f"{metric.suffix} {style.SCORE_LABELS[metric.kind]}", fontsize=style.TICK_SIZE)


def _write_cells(figure: Figure, axes: Axes, of: Map) -> None:
    """Score and number of runs, where they fit."""
    import numpy as np
    from matplotlib import colormaps

    measure = page.text_measure(figure, style.CAPTION_SIZE)
    scores = np.array([[cell.score for cell in row] for row in of.cells])
    low, high = np.nanmin(scores), np.nanmax(scores)
    room = axes.bbox.width / figure.dpi * page.POINTS_PER_INCH / len(of.across.values)
    height = axes.bbox.height / figure.dpi * page.POINTS_PER_INCH / len(of.down.values)
    texts = [[_texts(cell, high - low) for cell in row] for row in of.cells]
    widest = max(measure(line, False) for row in texts for each in row for line in each)
    lines = 2 if height > 2.5 * style.CAPTION_SIZE else 1
    if widest + 4 > room or height < 1.2 * style.CAPTION_SIZE:
        return
    shades = colormaps[style.MAP]
    for y, row in enumerate(of.cells):
        for x, cell in enumerate(row):
            dark = math.isfinite(cell.score)
            if dark and high > low:
                red, green, blue, _ = shades((cell.score - low) / (high - low))
                dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5
            axes.text(
                x,
                y,
                "\n".join(texts[y][x][:lines]),
                ha="center",
                va="center",
                fontsize=style.CAPTION_SIZE,
                color="white" if dark else "black",
                bbox=None
                if math.isfinite(cell.score)
                else {"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            )


def _texts(cell: Cell, span: float) -> list[str]:
    if not cell.settings:
        return ["not run"]
    if math.isnan(cell.score):
        return ["diverged" if cell.diverged else "no score", f"n {cell.runs}"]
    return [style.rounded(cell.score, span), f"n {cell.runs}"]


def notes(maps: Sequence[Map]) -> list[page.Note]:
    """The caption."""
    first = maps[0]
    how = {
        "best": "the best setting with these two values, a mean over its seeds, chosen on these "
        "same seeds and so an optimistic estimate",
        "mean": "the mean over all settings with these two values",
    }[first.rest]
    general = (
        f"Score: {first.of.metric}. Cell: {how}; n: runs with a score, of all settings of the cell."
    )
    if any(math.isnan(cell.score) for each in maps for row in each.cells for cell in row):
        general += " Hatched: no run with a score."
    return [*(page.Note(_note(each), each.of.label) for each in maps), page.Note(general)]


def _note(of: Map) -> str:
    others = [axis.name for axis in of.of.axes if axis not in (of.across, of.down)]
    most = max(cell.settings for row in of.cells for cell in row)
    empty = sum(math.isnan(cell.score) for row in of.cells for cell in row)
    parts = [
        f"{count(len(of.of.tallies), 'setting')}, {count(of.of.seeds, 'seed')} each; up to "
        f"{count(most, 'setting')} a cell"
        + (f", which differ in {', '.join(others)}." if others else "."),
        f"{count(empty, 'cell')} without a score." if empty else "",
        chosen_by(of.of.choice, of.of.metric, of.of.stage) if of.of.stage else "",
        incomplete(of.of.tallies),
    ]
    return " ".join(part for part in parts if part)


def table(maps: Sequence[Map]) -> str:
    """One row a cell."""
    rows = []
    for each in maps:
        for y, row in enumerate(each.cells):
            for x, cell in enumerate(row):
                column = (each.across.name, value(each.across.values[x]))
                line = (each.down.name, value(each.down.values[y]))
                number = "" if cell.setting is None else cell.setting
                counts = (cell.runs, cell.diverged, cell.missing, each.of.kind_of_seeds)
                rows.append(
                    (
                        each.of.label,
                        *column,
                        *line,
                        each.rest,
                        cell.score,
                        number,
                        cell.settings,
                        *counts,
                    )
                )
    return as_csv((*COLUMNS, *LAST_COLUMNS), rows)
