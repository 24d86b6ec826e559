"""Draws shares of variance as bars, with what seeds alone would make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plotting import page, style
from plotting.data_file import Experiment
from plotting.metric import Metric
from plotting.phrases import count
from plotting.settings_summary import Settings, incomplete
from plotting.settings_summary import summarize as summarize_settings
from plotting.tables import as_csv
from plotting.variance import Effect, effects, is_full_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("experiment", "effect", "share", "low", "high", "by_chance", "full_grid", "seeds")
_ROW = 0.24  # inches of a bar
_MOST_PAIRS = 6


@dataclass(frozen=True, slots=True)
class Importance:
    """full: whether every combination of the values has a score."""

    of: Settings
    effects: tuple[Effect, ...]
    full: bool

    @property
    def drawn(self) -> list[Effect]:
        """Every hyperparameter, the largest pairs, and the rest."""
        pairs = [each for each in self.effects if len(each.names) == 2][:_MOST_PAIRS]
        return [each for each in self.effects if len(each.names) != 2 or each in pairs]


def summarize(experiment: Experiment, label: str, metric: Metric) -> Importance:
    """The shares of an experiment that varies something."""
    import numpy as np

    settings = summarize_settings(experiment, label, metric, fewest_axes=1)
    runs = max(len(each.scores) for each in settings.tallies)
    scores = np.array(
        [[*each.scores, *[math.nan] * (runs - len(each.scores))] for each in settings.tallies]
    )
    full = is_full_grid(settings.axes, settings.means)
    return Importance(settings, tuple(effects(settings.axes, scores)), full)


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
        page.wrapped(figure, _name(each), style.TICK_SIZE, 0.35 * width).replace("\n", "\n ")
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


def _name(effect: Effect) -> str:
    return " × ".join(effect.names) if effect.names else "all other interactions"


def notes(found: Sequence[Importance]) -> list[page.Note]:
    """The caption."""
    general = (
        f"Score: {found[0].of.metric}, the mean over a setting's seeds. Bar: share of the variance "
        "of the settings' scores; black line: its 95% jackknife interval over seeds; orange: what "
        "the spread of the seeds alone is expected to make. Shares are of the values that were "
        "run: wider lists would give larger ones."
    )
    return [*(page.Note(_note(each), each.of.label) for each in found), page.Note(general)]


def _note(of: Importance) -> str:
    tallies = of.of.tallies
    text = f"{count(len(tallies), 'setting')}, {count(of.of.seeds, 'seed')} each; "
    if of.full:
        text += "a full grid, so the shares are exact and add up to 100%."
    else:
        without = sum(not each.scored for each in tallies)
        text += (
            "not a full grid"
            + (f" ({count(without, 'setting')} without a score)" if without else "")
            + ", so shares are those of groups of settings with equal values: they may overlap, "
            "and interactions are unknown."
        )
    hidden = len(of.effects) - len(of.drawn)
    if hidden:
        text += f" {count(hidden, 'smaller pair')} not drawn."
    return f"{text} {incomplete(tallies)}".strip()


def table(found: Sequence[Importance]) -> str:
    """One row an effect, also those that are not drawn."""
    rows = [
        (
            *(each.of.label, _name(effect), effect.share, effect.low, effect.high),
            *(effect.by_chance, int(each.full), each.of.kind_of_seeds),
        )
        for each in found
        for effect in each.effects
    ]
    return as_csv(COLUMNS, rows)
