"""Agents on several environments: python plotting/performance_profile.py DATA... -o FIGURE."""

from __future__ import annotations

import sys
from pathlib import Path

import click

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command
from plotting.references import BOUNDS, Reference


@command.figure("aggregates")
@click.option(
    "--bounds",
    type=BOUNDS,
    multiple=True,
    metavar="ENVIRONMENT=LOW:HIGH",
    help="Scores that count as 0 and as 1 there.  [default: the lowest and the highest run of all]",
)
@click.option(
    "--resamples",
    type=click.IntRange(min=100),
    default=10_000,
    show_default=True,
    help="Bootstrap.",
)
def main(options: command.Options, bounds: tuple[Reference, ...], resamples: int) -> None:
    """Compare agents over environments by their normalised scores.

    DATA are data.json files, or folders that hold one (made by combine.py): every agent on every
    environment. Drawn are the share of runs above each score and the interquartile mean, both with
    95% intervals of the stratified bootstrap, of the runs of each experiment's best setting. Give
    second stages of plotting/choose.py, or experiments of one setting, for scores that no choice
    has flattered.
    """

    def make() -> dict[Path, bytes]:
        from plotting.profile_figure import aggregate_table, draw, notes, profile_table
        from plotting.profile_summary import summarize

        experiments, _, metric = options.experiments()
        ranges = {each.name: (each.low, each.high) for each in bounds}
        found = summarize(experiments, metric, ranges, resamples)
        figure = draw(found, options.title or "", options.style, *options.size)
        tables = {"": profile_table(found), "_aggregates": aggregate_table(found)}
        return options.files(figure, notes(found), tables)

    command.write(options.output, make)


if __name__ == "__main__":
    main()
