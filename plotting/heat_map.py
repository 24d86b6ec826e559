"""How two hyperparameters interact: python plotting/heat_map.py DATA... -o FIGURE."""

from __future__ import annotations

import sys
from pathlib import Path

import click

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command


@command.figure()
@click.option("--x", "across", metavar="NAME", help="Hyperparameter of the columns.")
@click.option("--y", "down", metavar="NAME", help="Hyperparameter of the rows.")
@click.option(
    "--rest",
    type=click.Choice(["best", "mean"]),
    default="best",
    show_default=True,
    help="What a cell has of the settings that share its two values: the best or the mean.",
)
def main(options: command.Options, across: str | None, down: str | None, rest: str) -> None:
    """Draw the score for every pair of values of two hyperparameters.

    DATA are data.json files, or folders that hold one (made by combine.py); each is a map of its
    own. Without --x and --y, the two hyperparameters whose values make the largest difference.
    Every cell has its score and the number of runs behind it; pairs without a score are hatched.
    """

    def make() -> dict[Path, bytes]:
        from plotting.heat_map_figure import draw, notes, summarize, table

        experiments, names, metric = options.experiments()
        maps = [
            summarize(experiment, name, metric, (across, down), rest)
            for experiment, name in zip(experiments, names, strict=True)
        ]
        figure = draw(maps, options.title_of(experiments), options.style, *options.size)
        return options.files(figure, notes(maps), {"": table(maps)})

    command.write(options.output, make)


if __name__ == "__main__":
    main()
