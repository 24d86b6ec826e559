"""What the commands that draw have in common: their options, their refusals, writing the files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from plotting.data_file import Experiment

_F = TypeVar("_F", bound=Callable[..., Any])
SUFFIXES = (".pdf", ".png", ".svg")

named = click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
data = click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
metric = click.option(
    "--metric",
    metavar="CURVE-PART",
    help="What is drawn and compared. CURVE: eval (return of the evaluations), train (return of "
    "the training episodes) or reward (reward per step). PART: mean (over all timesteps) or final "
    "(over the last 10%).  [default: eval-mean with evaluations, else train-mean when any episode "
    "ended, else reward-mean]",
)
title = click.option(
    "--title", help="Above the plot.  [default: the environment, when there is only one]"
)
WIDTH = click.FloatRange(2, 40)
HEIGHT = click.FloatRange(1.5, 40)


class Refused(click.ClickException):
    """One sentence on stderr and exit code 2, as click has it for wrong usage."""

    exit_code = 2


def output(table: str) -> Callable[[_F], _F]:
    """-o FIGURE; `table` names the second table beside it."""
    return click.option(
        "-o",
        "--output",
        required=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help="The figure (.pdf, .png, .svg). Its numbers go beside it: "
        f"STEM.csv and STEM_{table}.csv.",
    )


def write(output: Path, make: Callable[[], dict[Path, bytes]]) -> None:
    """Writes the files that `make` returns, or refuses in one sentence."""
    from plotting.data_file import BadInput

    _check_suffix(output)
    try:
        files = make()
        output.parent.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            path.write_bytes(content)
    except BadInput as error:
        raise Refused(str(error)) from None
    except OSError as error:
        raise Refused(f"{error.filename} cannot be written: {error.strerror}") from None
    click.echo(f"wrote {', '.join(str(path) for path in files)}")


def _check_suffix(output: Path) -> None:
    if output.suffix not in SUFFIXES:
        lower = output.suffix.lower()
        nearest = output.with_suffix(lower if lower in SUFFIXES else ".pdf")
        raise Refused(f"{output} does not end in .pdf, .png or .svg: try {nearest}")


def default_title(experiments: Sequence[Experiment]) -> str:
    """The environment, when there is only one."""
    environments = {experiment.env_name for experiment in experiments}
    return environments.pop() if len(environments) == 1 else ""
