"""How the scores of runs are distributed: python plotting/distribution.py DATA... -o FIGURE."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command
from plotting.kinds import Kind


@command.figure()
@command.interval
def main(options: command.Options, interval: Kind) -> None:
    """Draw the score of every run: each one as a dot, and the share of runs up to each score.

    DATA are data.json files, or folders that hold one (made by combine.py). Of each are drawn the
    runs of its best setting and those of all its settings: how good, and how hard to find. Runs
    that diverged count as lower than any score.
    """

    def make() -> dict[Path, bytes]:
        from plotting.distribution_figure import draw, notes, summarize, table

        experiments, names, metric = options.experiments()
        found = [
            summarize(experiment, name, metric, interval)
            for experiment, name in zip(experiments, names, strict=True)
        ]
        figure = draw(found, options.title_of(experiments), options.style, *options.size)
        return options.files(figure, notes(found), {"": table(found)})

    command.write(options.output, make)


if __name__ == "__main__":
    main()
