"""Draws learning curves against the time that training took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from plotting import page, style
from plotting.curve_caption import general_note, left_out
from plotting.curve_summary import Summary
from plotting.curve_summary import summarize as summarize_curve
from plotting.curves import stack
from plotting.data_file import BadInput, Experiment
from plotting.inference import in_words, interval
from plotting.kinds import Kind, statistic
from plotting.metric import Metric
from plotting.phrases import chosen_by, count, setting
from plotting.run_facts import Machine, read_machine, read_train_time
from plotting.tables import as_csv

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_BINS = 100
_MICROSECONDS = 1e6
_UNITS = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


@dataclass(frozen=True, slots=True)
class Timed:
    """A setting's mean over its seeds, by seconds of training.

    curve: the same against timesteps.
    seconds, mean, low, high, n: until the first of the seeds ends that did not diverge, where at
        least half of all have a value. [B]
    seeds: of each seed its seconds and values.
    machines: all that the runs were trained on.
    """

    curve: Summary
    seconds: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.int64]
    seeds: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]
    machines: tuple[Machine, ...]


def summarize(
    experiment: Experiment,
    label: str,
    metric: Metric,
    setting: int | None,
    kind: Kind,
    smooth: int | None,
) -> Timed:
    """Chooses the setting and puts its seeds on an axis of time, interpolating between points."""
    import numpy as np

    curve = summarize_curve(experiment, label, metric, _BINS, setting, kind, smooth)
    number = curve.choice.tally.setting
    runs = {
        run.number: run
        for each in experiment.settings
        if each.number == number
        for run in each.runs
    }
    timed = []
    for seed in curve.seeds:
        run = runs[seed.run]
        seconds = read_train_time(run)
        if seconds <= 0:
            raise BadInput(f"{run.where} has no train_time: draw plotting/learning_curve.py")
        each_step = seconds / run.total_timesteps
        at = np.rint(seed.curve.timestep * each_step * _MICROSECONDS).astype(np.int64)
        timed.append(replace(seed.curve, timestep=at))
    at, values, _ = stack(timed)
    found = interval(values, kind, diverged="exclude", rng=np.random.default_rng(0))
    # where the quick ones end, the mean of the slow would be another agent's
    ends = [
        each.timestep[-1]
        for each, seed in zip(timed, curve.seeds, strict=True)
        if not runs[seed.run].diverged
    ]
    kept = (2 * found.n >= len(timed)) & (at <= min(ends, default=at[-1]))
    return Timed(
        curve,
        at[kept] / _MICROSECONDS,
        found.estimate[kept],
        found.low[kept],
        found.high[kept],
        found.n[kept],
        tuple((each.timestep / _MICROSECONDS, each.value) for each in timed),
        tuple(sorted({read_machine(runs[seed.run]) for seed in curve.seeds})),
    )


def draw(
    found: Sequence[Timed], title: str, form: style.Style, width: float, height: float
) -> Figure:
    """All experiments on one axis of time."""
    longest = max(float(each.seconds[-1]) for each in found)
    size, unit = next(pair for pair in _UNITS if longest >= 2 * pair[0] or pair[0] == 1.0)
    with page.styled():
        figure = page.new_figure(width, height)
        axes = figure.add_subplot()
        for position, each in enumerate(found):
            _draw_one(axes, each, size, *style.colour(position))
        axes.set_xlabel(f"{unit} of training")
        axes.set_xlim(0, None)
        metric = found[0].curve.metric
        axes.set_ylabel(style.SCORE_LABELS[metric.kind])
        page.number_scores(axes)
        handles, labels = axes.get_legend_handles_labels()
        page.add_texts(figure, title, handles, labels, notes(found) if form.caption else ())
        return figure


def _draw_one(axes: Axes, of: Timed, size: float, colour: str, dashes: Any) -> None:
    if len(of.seeds) > 1:
        for seconds, values in of.seeds:
            axes.plot(seconds / size, values, color=colour, linewidth=0.5, alpha=0.35)
        axes.fill_between(of.seconds / size, of.low, of.high, color=colour, alpha=0.22, linewidth=0)
    axes.plot(
        of.seconds / size,
        of.mean,
        color=colour,
        linestyle=dashes,
        linewidth=1.6,
        label=of.curve.label,
        zorder=3,
    )


def notes(found: Sequence[Timed]) -> list[page.Note]:
    """The caption."""
    text = (
        "Time: seconds that training took, without evaluations, every timestep of a run taken as "
        "equally long; it is the machine's, and compares only where machines and load are equal."
    )
    general = general_note([each.curve for each in found])
    return [
        *(page.Note(_note(each), each.curve.label) for each in found),
        page.Note(f"{general} {text}"),
    ]


def _note(of: Timed) -> str:
    curve = of.curve
    parts = [
        f"{setting(curve.choice.tally.setting, curve.params)}; "
        f"{in_words(len(curve.seeds), curve.kind)}.",
        chosen_by(curve.choice, curve.metric, curve.stage),
        f"Trained on {'; '.join(map(_machine, of.machines))}.",
        *left_out(curve),
    ]
    return " ".join(part for part in parts if part)


def _machine(machine: Machine) -> str:
    on = machine.cpu if machine.device == "cpu" else machine.device
    if machine.batch_size > 1:
        return f"{on}, {count(machine.batch_size, 'run')} at once in a process"
    return f"{on}, one run at a time in a process"


def table(found: Sequence[Timed]) -> str:
    """One row a point of a mean line."""
    rows = []
    for each in found:
        numbers = (each.seconds, each.mean, each.low, each.high, each.n)
        number = each.curve.choice.tally.setting
        for row in zip(*(column.tolist() for column in numbers), strict=True):
            rows.append((each.curve.label, number, *row))
    name = statistic(found[0].curve.kind)
    return as_csv(("experiment", "setting", "seconds", name, "low", "high", "n"), rows)
