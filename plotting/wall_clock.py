"""Scores against the time that training took: python plotting/wall_clock.py DATA... -o FIGURE."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command
from plotting.kinds import Kind


@command.figure()
@command.interval
@command.smooth
@command.setting
def main(options: command.Options, interval: Kind, smooth: int | None, setting: int | None) -> None:
    """Draw the evaluation of the best setting of each experiment against seconds of training.

    DATA are data.json files, or folders that hold one (made by combine.py). A run's timesteps are
    taken to have lasted equally long; evaluations do not count. Times of runs that were trained
    together, on other machines or beside other work do not compare: the caption says what was.
    """

    def make() -> dict[Path, bytes]:
        from plotting.wall_clock_figure import draw, notes, summarize, table

        experiments, names, metric = options.experiments()
        found = [
            summarize(experiment, name, metric, setting, interval, smooth)
            for experiment, name in zip(experiments, names, strict=True)
        ]
        figure = draw(found, options.title_of(experiments), options.style, *options.size)
        return options.files(figure, notes(found), {"": table(found)})

    command.write(options.output, make)


if __name__ == "__main__":
    main()
