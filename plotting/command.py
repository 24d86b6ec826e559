"""What the commands that draw have in common: their options, their refusals, writing the files."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from plotting.kinds import KINDS
from plotting.style import STYLES, Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from plotting.data_file import Experiment
    from plotting.metric import Metric
    from plotting.page import Note

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
interval = click.option(
    "--interval",
    type=click.Choice(KINDS),
    default="mean-t",
    show_default=True,
    help="What is estimated over the seeds, and how its 95% interval is found.",
)
smooth = click.option(
    "--smooth",
    type=click.IntRange(min=1),
    metavar="TIMESTEPS",
    help="Each point of a curve as the mean over so many timesteps before it.",
)
setting = click.option(
    "--setting", type=click.IntRange(min=0), help="Draw this setting instead of the best one."
)
_WIDTH = click.FloatRange(2, 40)
_HEIGHT = click.FloatRange(1.5, 40)


class Refused(click.ClickException):
    """One sentence on stderr and exit code 2, as click has it for wrong usage."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Options:
    """What every figure is told.

    width, height: inches of the plot; None for what suits the figure and its style.
    """

    data: tuple[Path, ...]
    output: Path
    metric: str | None
    style: Style
    title: str | None
    width: float | None
    height: float | None

    def experiments(self) -> tuple[list[Experiment], list[str], Metric]:
        """The experiments, what they are called, and what they are compared by."""
        from plotting.data_file import read_experiment
        from plotting.labels import labels
        from plotting.metric import pick_metric

        found = [read_experiment(path) for path in self.data]
        return found, labels(found), pick_metric(self.metric, found)

    @property
    def size(self) -> tuple[float, float]:
        """Of the plot, or of one in a column of plots."""
        return self.width or self.style.width, self.height or self.style.height

    def title_of(self, experiments: Sequence[Experiment]) -> str:
        """The environment, when there is only one and no title is given."""
        return default_title(experiments) if self.title is None else self.title

    def files(
        self, figure: Figure, notes: Sequence[Note], tables: Mapping[str, str]
    ) -> dict[Path, bytes]:
        """The files to write; the tables by what stands between STEM and .csv."""
        from plotting.page import as_text, render

        written = {self.output: render(figure, self.output.suffix[1:], self.style.dpi)}
        for name, table in tables.items():
            written[self.output.with_name(f"{self.output.stem}{name}.csv")] = table.encode()
        if not self.style.caption:
            written[self.output.with_suffix(".txt")] = as_text(notes).encode()
        return written


def figure(second_table: str = "") -> Callable[[Callable[..., None]], click.Command]:
    """A command with the options that all figures have; `second_table` is in the help of -o."""
    beside = "STEM.csv" + (f" and STEM_{second_table}.csv" if second_table else "")
    options = [
        data,
        click.option(
            "-o",
            "--output",
            required=True,
            type=click.Path(path_type=Path, dir_okay=False),
            help=f"The figure (.pdf, .png, .svg). Its numbers go beside it: {beside}.",
        ),
        metric,
        click.option(
            "--style",
            "style_name",
            type=click.Choice(list(STYLES)),
            default="web",
            show_default=True,
            help="Size and resolution: a column of a paper, a slide (the caption goes to "
            "STEM.txt) or a page on the web.",
        ),
        click.option(
            "--title", help="Above the plot.  [default: the environment, when there is only one]"
        ),
        click.option("--width", type=_WIDTH, help="Inches.  [default: the style's]"),
        click.option(
            "--height",
            type=_HEIGHT,
            help="Inches, of the plot or of a row of plots; legend and caption add their own.  "
            "[default: the style's]",
        ),
    ]

    def decorate(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def main(
            data: tuple[Path, ...],
            output: Path,
            metric: str | None,
            style_name: str,
            title: str | None,
            width: float | None,
            height: float | None,
            **more: Any,
        ) -> None:
            style = STYLES[style_name]
            function(Options(data, output, metric, style, title, width, height), **more)

        command: Callable[..., None] = main
        for option in reversed(options):
            command = option(command)
        return named(command)

    return decorate


def write(output: Path, make: Callable[[], dict[Path, bytes]]) -> None:
    """Writes the figure `output` and its tables, or refuses in one sentence."""
    _check_suffix(output)
    write_files(make)


def write_files(make: Callable[[], dict[Path, bytes]]) -> None:
    """Writes the files that `make` returns, or refuses in one sentence."""
    from plotting.data_file import BadInput

    try:
        files = make()
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
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
