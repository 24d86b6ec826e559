"""Sensitivity to each hyperparameter: python plotting/sensitivity.py DATA... -o FIGURE."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command
from plotting.kinds import Kind


@command.figure("settings")
@command.interval
def main(options: command.Options, interval: Kind) -> None:
    """Draw how the score depends on each hyperparameter that a sweep varies.

    DATA are data.json files, or folders that hold one (made by combine.py); each begins a row of
    panels, one for every hyperparameter. Dots are settings. One line keeps the other
    hyperparameters at the best setting's values, the other re-tunes them for each value; both have
    intervals over the seeds. The caption says what is missing or diverged.
    """

    def make() -> dict[Path, bytes]:
        from plotting.sensitivity_figure import draw, notes
        from plotting.sensitivity_summary import summarize
        from plotting.tables import line_table, setting_table

        experiments, names, metric = options.experiments()
        summaries = [
            summarize(experiment, name, metric, interval)
            for experiment, name in zip(experiments, names, strict=True)
        ]
        figure = draw(
            summaries,
            options.title_of(experiments),
            options.width or options.style.panels_width,
            options.height or 2.2,
            caption=options.style.caption,
        )
        tables = {"": line_table(summaries), "_settings": setting_table(summaries)}
        return options.files(figure, notes(summaries), tables)

    command.write(options.output, make)


if __name__ == "__main__":
    main()
