"""Merge the records of a results folder into one data.json. See `python combine.py --help`."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from experiment.merge import Merged
    from experiment.prune import PrunedRecords
    from experiment.tables import Tabled

HELP = """Merge all run records of a results folder into DIR/data.json.

DIR is where main.py wrote experiment.json; several are combined each by itself. The file is

\b
    {"experiment": {"environment": ..., "agent": ...},
     "experiment_data": {"<setting>": {"agent_params": ..., "runs": [...]}, ...}}

with settings and runs in ascending order, so its bytes do not depend on the order in which the
runs finished. Call it as often as you like, also while runs are under way: only records that are
new or changed are read.

--to parquet makes tables instead: runs.parquet, a row a run (hyperparameters, status, scores), and
curves.parquet, a row a point of its learning curves.

--prune then removes the records that data.json holds, once every one has been compared with it.
Their runs count as done as before.

Every record is checked. What is damaged, or belongs to another experiment, is left where it is,
left out, and listed in DIR/combine_report.json.

\b
Exit codes: 0 done, 1 some records were left out or something could not be read or written,
2 the input cannot be used.
"""

_LISTED = 20
_BAR_SECONDS, _LINE_SECONDS = 0.2, 60.0


@click.command(help=HELP, context_settings={"max_content_width": 100})
@click.argument(
    "folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Another place for the file; with one DIR.  [default: DIR/data.json]",
)
@click.option(
    "--to",
    "form",
    type=click.Choice(["json", "parquet"]),
    default="json",
    show_default=True,
    help="data.json, or DIR/runs.parquet and DIR/curves.parquet.",
)
@click.option("--prune", is_flag=True, help="Remove the records that data.json holds, proved so.")
def main(folders: tuple[Path, ...], output: Path | None, form: str, prune: bool) -> None:
    from experiment.errors import SweepError

    if output is not None and len(folders) > 1:
        raise click.UsageError("--output is for one DIR.")
    if output is not None and prune:
        raise click.UsageError("--prune is for DIR/data.json, not for --output.")
    if form == "parquet" and (output is not None or prune):
        raise click.UsageError("--output and --prune are for --to json.")
    exit_code = 0
    for folder in folders:
        try:
            if form == "parquet":
                exit_code = max(exit_code, _tables(folder))
            else:
                exit_code = max(exit_code, _combine(folder, output, prune=prune))
        except SweepError as error:
            click.echo(f"error: {error}", err=True)
            exit_code = max(exit_code, error.exit_code)
    sys.exit(exit_code)


def _combine(folder: Path, output: Path | None, *, prune: bool) -> int:
    from experiment.merge import REPORT_NAME, merge, write_report

    started = time.monotonic()
    removed = None
    with _Progress(str(folder)) as progress:
        if prune:
            from experiment.prune import prune as merge_and_prune

            merged, removed = merge_and_prune(folder, progress.show)
        else:
            merged = merge(folder, output, progress.show)
    click.echo(_summary(merged, time.monotonic() - started))
    if removed is not None:
        click.echo(_removal(removed))
    for one in merged.set_aside[:_LISTED]:
        click.echo(f"left out: {folder / one.file}: {one.reason}", err=True)
    write_report(folder, merged)
    if merged.set_aside:
        count = _count(len(merged.set_aside), "file")
        click.echo(f"{count} left out, listed in {folder / REPORT_NAME}", err=True)
    return 1 if merged.set_aside else 0


def _tables(folder: Path) -> int:
    from experiment.tables import CURVES, RUNS, write_tables

    started = time.monotonic()
    with _Progress(str(folder)) as progress:
        tabled = write_tables(folder, folder, progress.show)
    new = "nothing new, left untouched" if tabled.untouched else f"{tabled.new:,} new"
    text = (
        f"{folder / RUNS} and {CURVES}: {_count(tabled.runs, 'run')} of "
        f"{_count(tabled.settings, 'setting')} ({new}), {time.monotonic() - started:.1f} s"
    )
    click.echo(text + _asides(tabled))
    for one in tabled.set_aside[:_LISTED]:
        click.echo(f"left out: {folder / one.file}: {one.reason}", err=True)
    if len(tabled.set_aside) > _LISTED:
        click.echo(f"left out: {len(tabled.set_aside) - _LISTED:,} more", err=True)
    return 1 if tabled.set_aside else 0


def _summary(merged: Merged, seconds: float) -> str:
    new = "nothing new, left untouched" if merged.untouched else f"{merged.new:,} new"
    text = (
        f"{merged.output}: {_count(merged.runs, 'run')} of {_count(merged.settings, 'setting')} "
        f"({new}), {_bytes(merged.size)}, {seconds:.1f} s"
    )
    return text + _asides(merged)


def _asides(found: Merged | Tabled) -> str:
    text = f"; {found.diverged:,} diverged" if found.diverged else ""
    if found.orphaned:
        text += f"; {_count(found.orphaned, 'orphaned record')} left out"
    return text


def _removal(removed: PrunedRecords) -> str:
    text = f"pruned: {_count(removed.runs, 'record')}, {_count(removed.files, 'file')} removed"
    if removed.kept:
        text += (
            f"; {removed.kept:,} kept: damaged, edited, with arrays beside them, or made with "
            "another environment file"
        )
    return text


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _bytes(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.3g} {unit}"
    return f"{count} bytes"


class _Progress:
    """A counter on a terminal, a plain line a minute elsewhere. Use as a context manager."""

    def __init__(self, label: str) -> None:
        self._label, self._shown = label, False
        self._terminal = sys.stderr.isatty()
        self._interval = _BAR_SECONDS if self._terminal else _LINE_SECONDS
        self._next = time.monotonic() + self._interval

    def show(self, done: int, total: int) -> None:
        """Call as often as you like."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next, self._shown = now + self._interval, True
        line = f"{self._label}: {done:,} of {total:,} records"
        click.echo(f"\r{line}\x1b[K" if self._terminal else line, err=True, nl=not self._terminal)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown and self._terminal:
            click.echo("\r\x1b[K", err=True, nl=False)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # tidy up first
    main()
