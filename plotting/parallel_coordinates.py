"""All settings as lines across their hyperparameters: see parallel_coordinates.py --help."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command


@command.figure()
def main(options: command.Options) -> None:
    """Draw every setting of a sweep as a line across its hyperparameters, coloured by its score.

    DATA are data.json files, or folders that hold one (made by combine.py); each is a panel. Lines
    that share a value are spread a little around it by score, the best one stands out, and
    settings without a score are dashed.
    """

    def make() -> dict[Path, bytes]:
        from plotting.parallel_figure import draw, notes, table
        from plotting.settings_summary import summarize

        experiments, names, metric = options.experiments()
        found = [
            summarize(experiment, name, metric, fewest_axes=1)
            for experiment, name in zip(experiments, names, strict=True)
        ]
        figure = draw(found, options.title_of(experiments), options.style, *options.size)
        return options.files(figure, notes(found), {"": table(found)})

    command.write(options.output, make)


if __name__ == "__main__":
    main()
