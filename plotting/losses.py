"""Losses and the return above them: python plotting/losses.py DATA... -o FIGURE."""

from __future__ import annotations

import sys
from pathlib import Path

import click

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command
from plotting.kinds import Kind


@command.figure("series")
@command.interval
@command.smooth
@click.option(
    "--setting",
    "settings",
    type=click.IntRange(min=0),
    multiple=True,
    help="Draw this setting, by its number; repeatable.  [default: the best]",
)
@click.option(
    "--series",
    multiple=True,
    help="A series of metrics, by its name; repeatable.  [default: all that are called a loss]",
)
@click.option("--log", "logarithmic", is_flag=True, help="Losses on a logarithmic axis.")
def main(
    options: command.Options,
    interval: Kind,
    smooth: int | None,
    settings: tuple[int, ...],
    series: tuple[str, ...],
    logarithmic: bool,
) -> None:
    """Draw what the best setting of each experiment in DATA lost, below what it gained.

    DATA are data.json files, or folders that hold one (made by combine.py). On top is the
    evaluation (or what --metric says) with its seeds; below it a panel for each series that runs
    measured while they learned, with the mean and its interval over the seeds.
    """

    def make() -> dict[Path, bytes]:
        from plotting.losses_figure import draw, notes
        from plotting.losses_summary import series_table, summarize
        from plotting.tables import mean_table

        experiments, names, metric = options.experiments()
        found = [
            each
            for experiment, name in zip(experiments, names, strict=True)
            for each in summarize(experiment, name, metric, settings, series, interval, smooth)
        ]
        figure = draw(
            found,
            options.title_of(experiments),
            options.style,
            *options.size,
            logarithmic=logarithmic,
        )
        tables = {"": mean_table([each.curve for each in found]), "_series": series_table(found)}
        return options.files(figure, notes(found), tables)

    command.write(options.output, make)


if __name__ == "__main__":
    main()
