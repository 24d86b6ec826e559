"""Results for other tools: python plotting/export.py DATA... --to rliable -o FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

import click

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command


@command.named
@command.data
@click.option(
    "--to",
    required=True,
    type=click.Choice(["rliable", "openrlbenchmark"]),
    help="The tool: rliable's scores.npz, or openrlbenchmark's offline data set.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the files.",
)
@command.metric
@click.option(
    "--setting", type=click.IntRange(min=0), help="Export this setting instead of the best one."
)
def main(
    data: tuple[Path, ...], to: str, output: Path, metric: str | None, setting: int | None
) -> None:
    """Export the runs of the best setting of each experiment in DATA for another tool.

    DATA are data.json files, or folders that hold one (made by combine.py). Agents are the tool's
    algorithms, environments its tasks.
    """
    from plotting import openrlbenchmark_layout, rliable_layout
    from plotting.chosen import choose_settings
    from plotting.data_file import BadInput, read_experiment
    from plotting.metric import pick_metric

    try:
        experiments = [read_experiment(path) for path in data]
        of = pick_metric(metric, experiments)
        chosen = choose_settings(experiments, of, setting)
        if to == "rliable":
            files, notes = rliable_layout.layout(chosen, of)
        else:
            files, notes = openrlbenchmark_layout.layout(chosen)
        for name, content in files.items():
            path = output / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except BadInput as error:
        raise command.Refused(str(error)) from None
    except OSError as error:
        raise command.Refused(f"{error.filename} cannot be written: {error.strerror}") from None
    for note in notes:
        click.echo(note)
    click.echo(f"wrote {len(files)} files to {output}")


if __name__ == "__main__":
    main()
