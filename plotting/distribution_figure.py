"""Draws scores of runs as strips of dots above their distribution functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plotting import page, style
from plotting.data_file import Experiment
from plotting.inference import in_words, interval
from plotting.kinds import Kind, in_full
from plotting.metric import Metric
from plotting.phrases import chosen_by, count, setting
from plotting.seeds import run_curves
from plotting.settings_summary import Settings
from plotting.settings_summary import summarize as summarize_settings
from plotting.tables import as_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("experiment", "setting", "best", "run", "seed", "diverged", "score", "seeds")
_ROW = 0.26  # inches of a strip
_EDGE = 0.03  # where diverged runs stand, in widths of the axis
_ROOM = 0.06


@dataclass(frozen=True, slots=True)
class Scored:
    """One run; its score is NaN if it diverged or has none."""

    setting: int
    run: int
    seed: int
    diverged: bool
    score: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """The runs of all settings. estimate: of the best one's, with its interval."""

    of: Settings
    kind: Kind
    runs: tuple[Scored, ...]
    estimate: tuple[float, float, float]

    @property
    def best(self) -> list[Scored]:
        """The runs of the best setting."""
        return [each for each in self.runs if each.setting == self.of.choice.tally.setting]

    @property
    def strips(self) -> list[tuple[str, list[Scored]]]:
        """What is drawn in a row of its own."""
        if self.of.choice.settings == 1:
            return [("", self.best)]
        return [("best setting", self.best), ("all settings", list(self.runs))]


def summarize(experiment: Experiment, label: str, metric: Metric, kind: Kind) -> Distribution:
    """Every run of every setting."""
    import numpy as np

    settings = summarize_settings(experiment, label, metric)
    runs = tuple(
        Scored(each.number, run.run, run.seed, run.diverged, run.score)
        for each in experiment.settings
        for run in run_curves(experiment, each, metric, bins=1)
    )
    scores = np.array(settings.choice.tally.scores)
    found = interval(scores, kind, diverged="exclude", rng=np.random.default_rng(0))
    numbers = (float(found.estimate), float(found.low), float(found.high))
    return Distribution(settings, kind, runs, numbers)


def draw(
    found: Sequence[Distribution], title: str, form: style.Style, width: float, height: float
) -> Figure:
    """The distribution functions are `height` inches high."""
    strips = [
        (each, position, name, runs)
        for position, each in enumerate(found)
        for name, runs in each.strips
    ]
    several = len(found) > 1
    strip_height = _ROW * len(strips) + 0.1
    with page.styled():
        figure = page.new_figure(width, height + strip_height)
        grid = figure.add_gridspec(2, 1, height_ratios=[strip_height, height])
        below = figure.add_subplot(grid[1])
        above = figure.add_subplot(grid[0], sharex=below)
        _scale(below, found)
        for row, (each, position, name, runs) in enumerate(strips):
            _draw_strip(above, row, each, runs, style.colour(position)[0], name)
        above.set_yticks(
            range(len(strips)),
            [name.split()[0] if several and name else name for _, _, name, _ in strips],
        )
        above.set_ylim(len(strips) - 0.5, -0.5)
        above.tick_params(axis="y", length=0)
        above.tick_params(labelbottom=False, bottom=False)
        above.spines["bottom"].set_visible(False)
        for _, position, name, runs in strips:
            _draw_steps(below, runs, style.colour(position)[0], name)
        metric = found[0].of.metric
        below.set_xlabel(f"{metric.suffix} {style.SCORE_LABELS[metric.kind]} of a run")
        below.set_ylabel("share of runs\nwith at most this")
        below.set_ylim(0, 1.02)
        handles, labels = _legend(found)
        page.add_texts(figure, title, handles, labels, notes(found) if form.caption else ())
        return figure


def _scale(axes: Axes, found: Sequence[Distribution]) -> None:
    """Room at the left for runs without a score, where there are any."""
    scores = [run.score for each in found for run in each.runs]
    known = [score for score in scores if not math.isnan(score)]
    low, high = min(known), max(known)
    span = (high - low) or abs(high) or 1.0
    left = 2 * _ROOM if len(known) < len(scores) else 0.5 * _ROOM
    axes.set_xlim(low - left * span, high + 0.5 * _ROOM * span)
    thousands_from = 1e3 if max(abs(low), abs(high)) >= 1e4 else float("inf")
    from matplotlib.ticker import FuncFormatter

    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: style.short_number(value, thousands_from))
    )


def _draw_strip(
    axes: Axes, row: int, of: Distribution, runs: Sequence[Scored], colour: str, name: str
) -> None:
    """Dots of equal scores stand apart a little, by their order."""
    known = [each for each in runs if not math.isnan(each.score)]
    heights = [row + 0.28 * (((k * 0.618034) % 1.0) - 0.5) * 2 for k in range(len(known))]
    size, alpha = (4.0, 0.7) if len(known) <= 40 else (2.4, 0.35)
    axes.plot(
        [each.score for each in known],
        heights,
        linestyle="",
        marker="o",
        markersize=size,
        alpha=alpha,
        color=colour,
        markeredgewidth=0,
        gid=f"{of.of.label} {name}",
    )
    lost = len(runs) - len(known)
    if lost:
        axes.plot(
            [_EDGE] * lost,
            [row + 0.28 * (((k * 0.618034) % 1.0) - 0.5) * 2 for k in range(lost)],
            transform=axes.get_yaxis_transform(),
            linestyle="",
            **_CROSS,
        )
    if name != "all settings":
        estimate, low, high = of.estimate
        if low < high:
            axes.plot([low, high], [row, row], color="black", linewidth=1.2, zorder=4)
        axes.plot(estimate, row, zorder=5, **_ESTIMATE)


_CROSS: dict[str, Any] = {"marker": "x", "color": style.ALARM, "markersize": 4}
_ESTIMATE: dict[str, Any] = {
    "marker": "D",
    "markersize": 4.5,
    "color": "white",
    "markeredgecolor": "black",
    "linestyle": "",
}


def _draw_steps(axes: Axes, runs: Sequence[Scored], colour: str, name: str) -> None:
    """Those without a score are in the height that the line begins at."""
    known = sorted(each.score for each in runs if not math.isnan(each.score))
    lost = len(runs) - len(known)
    left, right = axes.get_xlim()
    places = [left, *known, right]
    shares = [(lost + k) / len(runs) for k in range(len(known) + 1)]
    how: dict[str, Any] = {"linewidth": 1.4}
    if name == "all settings":
        how = {"linewidth": 1.1, "linestyle": (0, (3, 1.2))}
    axes.step(places, [*shares, shares[-1]], where="post", color=colour, **how)


def _legend(found: Sequence[Distribution]) -> tuple[list[Any], list[str]]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    labels: list[str] = []
    colour = style.PALETTE[0] if len(found) == 1 else style.GREY
    if len(found) > 1:
        handles += [Patch(color=style.colour(k)[0]) for k in range(len(found))]
        labels += [each.of.label for each in found]
    if any(each.of.choice.settings > 1 for each in found):
        handles.append(Line2D([], [], color=colour, linewidth=1.4))
        handles.append(Line2D([], [], color=colour, linewidth=1.1, linestyle=(0, (3, 1.2))))
        labels += ["best setting", "all settings"]
    handles.append(Line2D([], [], **_ESTIMATE))
    labels.append(f"{in_full(found[0].kind)} and interval")
    if any(math.isnan(run.score) for each in found for run in each.runs):
        handles.append(Line2D([], [], linestyle="", **_CROSS))
        diverged = all(run.diverged for each in found for run in each.runs if math.isnan(run.score))
        labels.append("diverged" if diverged else "diverged or without a score")
    return handles, labels


def notes(found: Sequence[Distribution]) -> list[page.Note]:
    """The caption."""
    text = f"Dot: a run's score ({found[0].of.metric})."
    if any(math.isnan(run.score) for each in found for run in each.runs):
        text += (
            " Cross: a run without a score; it counts as lower than all others in the shares, and "
            "not at all in the interval."
        )
    return [*(page.Note(_note(each), each.of.label) for each in found), page.Note(text)]


def _note(of: Distribution) -> str:
    tally = of.of.choice.tally
    diverged = sum(run.diverged for run in of.runs)
    unscored = sum(math.isnan(run.score) and not run.diverged for run in of.runs)
    missing = sum(each.missing for each in of.of.tallies)
    lost = [
        f"{number} {what}"
        for number, what in (
            (diverged, "diverged"),
            (unscored, "completed without a score"),
            (missing, "missing"),
        )
        if number
    ]
    total = f"{count(len(of.runs), 'run')} of {count(of.of.choice.settings, 'setting')}"
    parts = [
        f"{setting(tally.setting, of.of.params)}; {in_words(tally.scored, of.kind)}.",
        chosen_by(of.of.choice, of.of.metric, of.of.stage),
        f"All: {', '.join([total, *lost])}.",
    ]
    return " ".join(part for part in parts if part)


def table(found: Sequence[Distribution]) -> str:
    """One row a run."""
    rows = [
        (
            *(each.of.label, run.setting, int(run.setting == each.of.choice.tally.setting)),
            *(run.run, run.seed, int(run.diverged), run.score, each.of.kind_of_seeds),
        )
        for each in found
        for run in each.runs
    ]
    return as_csv(COLUMNS, rows)
