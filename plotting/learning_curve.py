"""Learning curves of the best settings: python plotting/learning_curve.py DATA... -o FIGURE."""

from __future__ import annotations

import sys
from pathlib import Path

import click

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command
from plotting.kinds import Kind
from plotting.references import REFERENCE, Reference


@command.figure("seeds")
@command.interval
@command.smooth
@command.setting
@click.option(
    "--bins",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Bins of timesteps of the train curve.",
)
@click.option(
    "--x",
    "axis",
    type=click.Choice(["timesteps", "interactions", "frames"]),
    default="timesteps",
    show_default=True,
    help="The horizontal axis. Of planners: timesteps are decisions, interactions the nodes that "
    "they generated.",
)
@click.option(
    "--reference",
    "references",
    type=REFERENCE,
    multiple=True,
    metavar="NAME=SCORE[:SCORE]",
    help="A score from elsewhere, or a range, as a line or a band: 'published=9000:12000'.",
)
def main(
    options: command.Options,
    interval: Kind,
    smooth: int | None,
    setting: int | None,
    bins: int,
    axis: str,
    references: tuple[Reference, ...],
) -> None:
    """Draw the learning curve of the best setting of each experiment in DATA.

    DATA are data.json files, or folders that hold one (made by combine.py). Drawn are the mean and
    its interval over the seeds, and every seed as a thin line. The caption says how the setting was
    chosen and what is missing.
    """

    def make() -> dict[Path, bytes]:
        from plotting.curve_figure import draw, notes
        from plotting.curve_summary import summarize
        from plotting.data_file import on_axis
        from plotting.tables import mean_table, seed_table

        experiments, names, metric = options.experiments()
        experiments = [on_axis(experiment, axis) for experiment in experiments]
        summaries = [
            summarize(experiment, name, metric, bins, setting, interval, smooth)
            for experiment, name in zip(experiments, names, strict=True)
        ]
        figure = draw(
            summaries,
            options.title_of(experiments),
            *options.size,
            references,
            caption=options.style.caption,
        )
        tables = {"": mean_table(summaries), "_seeds": seed_table(summaries)}
        return options.files(figure, notes(summaries), tables)

    command.write(options.output, make)


if __name__ == "__main__":
    main()
