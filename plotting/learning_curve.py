"""Learning curves of the best settings: python plotting/learning_curve.py DATA... -o FIGURE."""

from __future__ import annotations

import sys
from pathlib import Path

import click

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

SUFFIXES = (".pdf", ".png", ".svg")


class _Refused(click.ClickException):
    """One sentence on stderr and exit code 2, as click has it for wrong usage."""

    exit_code = 2


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The figure (.pdf, .png, .svg). Its numbers go beside it: STEM.csv and STEM_seeds.csv.",
)
@click.option(
    "--metric",
    metavar="CURVE-PART",
    help="What is drawn and compared. CURVE: eval (return of the evaluations), train (return of "
    "the training episodes) or reward (reward per step). PART: mean (over all timesteps) or final "
    "(over the last 10%).  [default: eval-mean with evaluations, else train-mean when any episode "
    "ended, else reward-mean]",
)
@click.option(
    "--setting", type=click.IntRange(min=0), help="Draw this setting instead of the best one."
)
@click.option(
    "--bins",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Bins of timesteps of the train curve.",
)
@click.option("--title", help="Above the plot.  [default: the environment, when there is only one]")
@click.option(
    "--width", type=click.FloatRange(2, 40), default=5.0, show_default=True, help="Inches."
)
@click.option(
    "--height",
    type=click.FloatRange(1.5, 40),
    default=2.8,
    show_default=True,
    help="Inches, of the plot; legend and caption add their own.",
)
def main(
    data: tuple[Path, ...],
    output: Path,
    metric: str | None,
    setting: int | None,
    bins: int,
    title: str | None,
    width: float,
    height: float,
) -> None:
    """Draw the learning curve of the best setting of each experiment in DATA.

    DATA are data.json files, or folders that hold one (made by combine.py). Drawn are the mean and
    its 95% Student-t interval over the seeds, and every seed as a thin line. The caption says how
    the setting was chosen and what is missing.
    """
    from plotting.data_file import BadInput

    _check_suffix(output)
    try:
        files = _make(data, output, metric, setting, bins, title, (width, height))
        output.parent.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            path.write_bytes(content)
    except BadInput as error:
        raise _Refused(str(error)) from None
    except OSError as error:
        raise _Refused(f"{error.filename} cannot be written: {error.strerror}") from None
    click.echo(f"wrote {', '.join(str(path) for path in files)}")


def _check_suffix(output: Path) -> None:
    if output.suffix not in SUFFIXES:
        lower = output.suffix.lower()
        nearest = output.with_suffix(lower if lower in SUFFIXES else ".pdf")
        raise _Refused(f"{output} does not end in .pdf, .png or .svg: try {nearest}")


def _make(
    data: tuple[Path, ...],
    output: Path,
    metric_name: str | None,
    setting: int | None,
    bins: int,
    title: str | None,
    size: tuple[float, float],
) -> dict[Path, bytes]:
    """The files to write: the figure and its two tables."""
    from plotting.data_file import read_experiment
    from plotting.figure import draw, render
    from plotting.summary import labels, pick_metric, summarize
    from plotting.tables import mean_table, seed_table

    experiments = [read_experiment(path) for path in data]
    names = labels(experiments)
    metric = pick_metric(metric_name, experiments)
    summaries = [
        summarize(experiment, name, metric, bins, setting)
        for experiment, name in zip(experiments, names, strict=True)
    ]
    if title is None:
        environments = {experiment.env_name for experiment in experiments}
        title = environments.pop() if len(environments) == 1 else ""
    return {
        output: render(draw(summaries, title, *size), output.suffix[1:]),
        output.with_suffix(".csv"): mean_table(summaries).encode(),
        output.with_name(f"{output.stem}_seeds.csv"): seed_table(summaries).encode(),
    }


if __name__ == "__main__":
    main()
