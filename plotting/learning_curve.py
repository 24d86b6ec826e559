"""Learning curves of the best settings: python plotting/learning_curve.py DATA... -o FIGURE."""

from __future__ import annotations

import sys
from pathlib import Path

import click

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command
from plotting.references import Reference, parse_references


@command.named
@command.data
@command.output("seeds")
@command.metric
@click.option(
    "--setting", type=click.IntRange(min=0), help="Draw this setting instead of the best one."
)
@click.option(
    "--bins",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Bins of timesteps of the train curve.",
)
@click.option(
    "--reference",
    "references",
    multiple=True,
    callback=parse_references,
    metavar="NAME=SCORE[:SCORE]",
    help="A score from elsewhere, or a range, as a line or a band: 'published=9000:12000'.",
)
@command.title
@click.option("--width", type=command.WIDTH, default=5.0, show_default=True, help="Inches.")
@click.option(
    "--height",
    type=command.HEIGHT,
    default=2.8,
    show_default=True,
    help="Inches, of the plot; legend and caption add their own.",
)
def main(
    data: tuple[Path, ...],
    output: Path,
    metric: str | None,
    setting: int | None,
    bins: int,
    references: tuple[Reference, ...],
    title: str | None,
    width: float,
    height: float,
) -> None:
    """Draw the learning curve of the best setting of each experiment in DATA.

    DATA are data.json files, or folders that hold one (made by combine.py). Drawn are the mean and
    its 95% Student-t interval over the seeds, and every seed as a thin line. The caption says how
    the setting was chosen and what is missing.
    """
    command.write(
        output,
        lambda: _make(data, output, metric, setting, bins, references, title, (width, height)),
    )


def _make(
    data: tuple[Path, ...],
    output: Path,
    metric_name: str | None,
    setting: int | None,
    bins: int,
    references: tuple[Reference, ...],
    title: str | None,
    size: tuple[float, float],
) -> dict[Path, bytes]:
    """The files to write: the figure and its two tables."""
    from plotting.curve_figure import draw
    from plotting.curve_summary import summarize
    from plotting.data_file import read_experiment
    from plotting.labels import labels
    from plotting.metric import pick_metric
    from plotting.page import render
    from plotting.tables import mean_table, seed_table

    experiments = [read_experiment(path) for path in data]
    names = labels(experiments)
    metric = pick_metric(metric_name, experiments)
    summaries = [
        summarize(experiment, name, metric, bins, setting)
        for experiment, name in zip(experiments, names, strict=True)
    ]
    if title is None:
        title = command.default_title(experiments)
    return {
        output: render(draw(summaries, title, *size, references), output.suffix[1:]),
        output.with_suffix(".csv"): mean_table(summaries).encode(),
        output.with_name(f"{output.stem}_seeds.csv"): seed_table(summaries).encode(),
    }


if __name__ == "__main__":
    main()
