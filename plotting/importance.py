"""Which hyperparameters matter: python plotting/importance.py DATA... -o FIGURE."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command


@command.figure()
def main(options: command.Options) -> None:
    """Draw the share of the variance between settings that each hyperparameter makes.

    DATA are data.json files, or folders that hold one (made by combine.py). On a full grid the
    shares are exact and have those of pairs beside them; the caption says where a grid is not full.
    """

    def make() -> dict[Path, bytes]:
        from plotting.importance_figure import draw, notes
        from plotting.importance_summary import summarize, table

        experiments, names, metric = options.experiments()
        found = [
            summarize(experiment, name, metric)
            for experiment, name in zip(experiments, names, strict=True)
        ]
        width = options.width or options.style.width
        figure = draw(found, options.title_of(experiments), options.style, width, options.height)
        return options.files(figure, notes(found), {"": table(found)})

    command.write(options.output, make)


if __name__ == "__main__":
    main()
