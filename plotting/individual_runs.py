"""Every run of the best setting by itself: python plotting/individual_runs.py DATA... -o FIGURE."""

from __future__ import annotations

import sys
from pathlib import Path

import click

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command


@command.figure()
@command.smooth
@command.setting
@click.option(
    "--bins",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Bins of timesteps of the train curve.",
)
def main(options: command.Options, smooth: int | None, setting: int | None, bins: int) -> None:
    """Draw every run of the best setting of each experiment in DATA, a panel each.

    DATA are data.json files, or folders that hold one (made by combine.py). The runs with the
    lowest, the median and the highest score are named; a run that diverged is drawn as far as it
    came.
    """

    def make() -> dict[Path, bytes]:
        from plotting.runs_figure import draw, notes, summarize, table

        experiments, names, metric = options.experiments()
        summaries = [
            summarize(experiment, name, metric, bins, setting, smooth)
            for experiment, name in zip(experiments, names, strict=True)
        ]
        figure = draw(summaries, options.title_of(experiments), options.style, *options.size)
        return options.files(figure, notes(summaries), {"": table(summaries)})

    command.write(options.output, make)


if __name__ == "__main__":
    main()
