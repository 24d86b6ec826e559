"""Sensitivity to each hyperparameter: python plotting/sensitivity.py DATA... -o FIGURE."""

from __future__ import annotations

import sys
from pathlib import Path

import click

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command


@command.named
@command.data
@command.output("settings")
@command.metric
@command.title
@click.option("--width", type=command.WIDTH, help="Inches.  [default: 2.2 for each column]")
@click.option(
    "--height",
    type=command.HEIGHT,
    default=2.2,
    show_default=True,
    help="Inches, of each row of panels; legend and caption add their own.",
)
def main(
    data: tuple[Path, ...],
    output: Path,
    metric: str | None,
    title: str | None,
    width: float | None,
    height: float,
) -> None:
    """Draw how the score depends on each hyperparameter that a sweep varies.

    DATA are data.json files, or folders that hold one (made by combine.py); each begins a row of
    panels, one for every hyperparameter. Dots are settings. One line keeps the other
    hyperparameters at the best setting's values, the other re-tunes them for each value; both have
    95% Student-t intervals over the seeds. The caption says what is missing or diverged.
    """
    command.write(output, lambda: _make(data, output, metric, title, width, height))


def _make(
    data: tuple[Path, ...],
    output: Path,
    metric_name: str | None,
    title: str | None,
    width: float | None,
    height: float,
) -> dict[Path, bytes]:
    """The files to write: the figure and its two tables."""
    from plotting.data_file import read_experiment
    from plotting.labels import labels
    from plotting.metric import pick_metric
    from plotting.page import render
    from plotting.sensitivity_figure import draw
    from plotting.sensitivity_summary import summarize
    from plotting.tables import line_table, setting_table

    experiments = [read_experiment(path) for path in data]
    names = labels(experiments)
    metric = pick_metric(metric_name, experiments)
    summaries = [
        summarize(experiment, name, metric)
        for experiment, name in zip(experiments, names, strict=True)
    ]
    if title is None:
        title = command.default_title(experiments)
    return {
        output: render(draw(summaries, title, width, height), output.suffix[1:]),
        output.with_suffix(".csv"): line_table(summaries).encode(),
        output.with_name(f"{output.stem}_settings.csv"): setting_table(summaries).encode(),
    }


if __name__ == "__main__":
    main()
