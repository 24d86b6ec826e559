"""Own runs beside published ones: python plotting/atari_100k.py DATA... -o FIGURE."""

from __future__ import annotations

import sys
from pathlib import Path

import click

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command


@command.figure("aggregates")
@click.option(
    "--beside",
    default="IRIS,DreamerV3,STORM,DIAMOND,EfficientZero,BBF,SPR",
    show_default=True,
    metavar="NAME,...",
    help="Which published agents.",
)
@click.option(
    "--resamples",
    type=click.IntRange(min=100),
    default=10_000,
    show_default=True,
    help="Bootstrap.",
)
def main(options: command.Options, beside: str, resamples: int) -> None:
    """Draw human-normalised scores of Atari 100k, own ones beside those of papers.

    DATA are data.json files, or folders that hold one (made by combine.py): every agent on the same
    games, ALE/...; config/suite/atari-100k.json has all 26. Own scores have 95% intervals of the
    stratified bootstrap over runs; published ones are means. Over all 26 games aggregates are those
    that were published; over fewer, mean and median of published agents are of the same games, and
    none are drawn where a paper's score of one is not shipped.
    """

    def make() -> dict[Path, bytes]:
        from plotting.atari_figure import aggregate_table, draw, notes, score_table
        from plotting.atari_summary import summarize

        experiments, _, metric = options.experiments()
        names = [name.strip() for name in beside.split(",") if name.strip()]
        found = summarize(experiments, metric, names, resamples)
        width, height = options.size
        figure = draw(found, options.title or "", options.style, width, height)
        tables = {"": score_table(found), "_aggregates": aggregate_table(found)}
        return options.files(figure, notes(found), tables)

    command.write(options.output, make)


if __name__ == "__main__":
    main()
