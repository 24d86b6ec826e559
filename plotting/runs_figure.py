"""Draws every run of a setting: a thin line each, three of them named, the diverged ones in red."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from plotting import page, style
from plotting.curve_summary import choose_setting
from plotting.curves import smoothed
from plotting.data_file import Experiment
from plotting.metric import Metric
from plotting.phrases import chosen_by, count, sentence, setting, some
from plotting.second_stage import SecondStage, stage_of
from plotting.seeds import RunCurve, run_curves, seed_curves, tally, varied
from plotting.selection import Choice
from plotting.tables import as_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("experiment", "setting", "run", "seed", "diverged", "score", "timestep", "value")
_NAMED = {"lowest": 1, "median": 0, "highest": 2}  # -> position in the palette


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one setting.

    named: the place in `runs` of the lowest, the median and the highest score.
    """

    label: str
    metric: Metric
    choice: Choice
    params: dict[str, Any]
    total_timesteps: int
    runs: tuple[RunCurve, ...]
    named: dict[str, int]
    stage: SecondStage | None
    smooth: int | None


def summarize(
    experiment: Experiment,
    label: str,
    metric: Metric,
    bins: int,
    setting: int | None,
    smooth: int | None,
) -> Runs:
    """The runs of the best setting, or of `setting`."""
    tallies = [
        tally(experiment, each, seed_curves(experiment, each, metric, 1), metric)
        for each in experiment.settings
    ]
    choice = choose_setting(experiment, tallies, metric, setting)
    number = choice.tally.setting
    chosen = next(each for each in experiment.settings if each.number == number)
    runs = run_curves(experiment, chosen, metric, bins)
    if smooth is not None:
        runs = tuple(replace(each, curve=smoothed(each.curve, smooth)) for each in runs)
    return Runs(
        label,
        metric,
        choice,
        varied(experiment, number),
        experiment.total_timesteps,
        runs,
        _named(runs),
        stage_of(experiment),
        smooth,
    )


def _named(runs: Sequence[RunCurve]) -> dict[str, int]:
    scored = [k for k, each in enumerate(runs) if not math.isnan(each.score)]
    ranked = sorted(scored, key=lambda k: runs[k].score)
    if len(ranked) < 3:
        return {}
    places = (ranked[0], ranked[(len(ranked) - 1) // 2], ranked[-1])
    return dict(zip(_NAMED, places, strict=True))


def draw(
    summaries: Sequence[Runs], title: str, form: style.Style, width: float, height: float
) -> Figure:
    """A panel of `height` inches for each experiment, below one another."""
    with page.styled():
        figure = page.new_figure(width, height * len(summaries))
        first = None
        for position, summary in enumerate(summaries):
            axes = figure.add_subplot(len(summaries), 1, position + 1, sharex=first)
            first = first or axes
            _draw_runs(axes, summary)
            page.label_timesteps(axes, max(each.total_timesteps for each in summaries), width)
            axes.set_ylabel(style.SCORE_LABELS[summary.metric.kind])
            if len(summaries) > 1:
                axes.set_title(summary.label, loc="left", fontsize=style.LABEL_SIZE)
            if position < len(summaries) - 1:
                axes.set_xlabel("")
            page.number_scores(axes)
        direct = len(summaries) == 1 and page.label_directly(
            figure.axes[0], _ends(summaries[0]), width, height
        )
        handles, labels = _legend(summaries, direct)
        page.add_texts(figure, title, handles, labels, notes(summaries) if form.caption else ())
        return figure


def _ends(of: Runs) -> list[tuple[float, str, str]]:
    """Where the named runs end, their colours and names."""
    return [
        (
            float(of.runs[place].curve.value[-1]),
            style.PALETTE[_NAMED[name]],
            f"{name} ({_seed(of, name)})",
        )
        for name, place in of.named.items()
    ]


def _draw_runs(axes: Axes, summary: Runs) -> None:
    names = {place: name for name, place in summary.named.items()}
    faint = 0.55 if len(summary.runs) <= 10 else 0.3
    for place, run in enumerate(summary.runs):
        line: dict[str, Any] = {"color": style.GREY, "linewidth": 0.7, "alpha": faint}
        if run.diverged:
            line = {"color": style.ALARM, "linewidth": 0.9}
        elif place in names:
            position = _NAMED[names[place]]
            line = {"color": style.PALETTE[position], "linewidth": 1.3, "zorder": 3}
        axes.plot(run.curve.timestep, run.curve.value, gid=f"run {run.run}", **line)
        if run.diverged:
            _mark_end(axes, run)


def _mark_end(axes: Axes, run: RunCurve) -> None:
    """Where a diverged run has its last value; at the edge if it never had one."""
    known = [
        point
        for point in zip(run.curve.timestep.tolist(), run.curve.value.tolist(), strict=True)
        if not math.isnan(point[1])
    ]
    how: dict[str, Any] = {"marker": "x", "color": style.ALARM, "markersize": 5, "zorder": 4}
    if known:
        axes.plot(*known[-1], **how)
    else:
        axes.plot(0.0, 0.04, transform=axes.transAxes, clip_on=False, **how)


def _legend(summaries: Sequence[Runs], direct: bool) -> tuple[list[Any], list[str]]:
    from matplotlib.lines import Line2D

    handles, labels = [], []
    for name, position in sorted(_NAMED.items(), key=lambda pair: -pair[1]):
        if not direct and any(name in each.named for each in summaries):
            seeds = [_seed(each, name) for each in summaries if name in each.named]
            handles.append(Line2D([], [], color=style.PALETTE[position], linewidth=1.3))
            labels.append(f"{name} score ({', '.join(seeds)})" if len(seeds) == 1 else name)
    if any(len(each.runs) > len(each.named) for each in summaries):
        handles.append(Line2D([], [], color=style.GREY, linewidth=0.7))
        labels.append("other runs")
    if any(run.diverged for each in summaries for run in each.runs):
        handles.append(Line2D([], [], color=style.ALARM, linewidth=0.9, marker="x", markersize=5))
        labels.append("diverged")
    return handles, labels


def _seed(summary: Runs, name: str) -> str:
    return f"seed {summary.runs[summary.named[name]].seed}"


def notes(summaries: Sequence[Runs]) -> list[page.Note]:
    """The caption."""
    found = [page.Note(_note(each), each.label) for each in summaries]
    first = summaries[0]
    text = "A line is a run" + (
        f", each point the mean over the {first.smooth} timesteps before it."
        if first.smooth is not None
        else "."
    )
    text += f" Named are the lowest, the median and the highest run by {first.metric}."
    return [*found, page.Note(text)]


def _note(summary: Runs) -> str:
    of = summary.choice.tally
    named = [
        f"{name} {style.short_number(float(f'{summary.runs[k].score:.3g}'), 1e4)} "
        f"({_seed(summary, name)})"
        for name, k in summary.named.items()
    ]
    parts = [
        f"{setting(of.setting, summary.params)}, {count(len(summary.runs), 'run')}.",
        chosen_by(summary.choice, summary.metric, summary.stage),
        sentence("Scores: {}.", named),
        sentence(
            "{}.",
            [
                some(of.diverged, "run that diverged", "runs that diverged"),
                some(of.missing, "missing run"),
            ],
        ),
    ]
    return " ".join(part for part in parts if part)


def table(summaries: Sequence[Runs]) -> str:
    """One row a point of a line."""
    rows = [
        (each.label, each.choice.tally.setting, run.run, run.seed, int(run.diverged), run.score, *p)
        for each in summaries
        for run in each.runs
        for p in zip(run.curve.timestep.tolist(), run.curve.value.tolist(), strict=True)
        if not math.isnan(p[1])
    ]
    return as_csv(COLUMNS, rows)
