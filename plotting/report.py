"""Experiments as one page to look at: python plotting/report.py DIR... -o report.html."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import click

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command


@command.named
@click.argument(
    "folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page (.html).",
)
@click.option("--serve", is_flag=True, help="Show the page to a browser here, as runs finish.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="With --serve; 0 for any that is free.",
)
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    help="Runs of every setting that were meant, to tell what is missing.  "
    "[default: those that were sent or begun]",
)
@command.metric
def main(
    folders: tuple[Path, ...],
    output: Path | None,
    serve: bool,
    port: int,
    runs: int | None,
    metric: str | None,
) -> None:
    """Make one page of HTML of the experiments in DIR, to look at in a browser.

    DIR are results folders, whose new records are combined on the way, or data.json files. The page
    says what was run, what is missing or failed and why, and shows learning curves, sensitivity,
    distributions and a table of all settings. It needs no network, and may be mailed.

    With --serve the page is at http://localhost:PORT and follows the runs; Ctrl-C ends it.
    """
    if serve == (output is not None):
        raise command.Refused("give -o report.html, or --serve to look at it as runs finish")
    if serve:
        _serve(folders, port, runs, metric)
        return
    assert output is not None
    if output.suffix != ".html":
        raise command.Refused(f"{output} does not end in .html: try {output.with_suffix('.html')}")
    command.write_files(lambda: {output: _make(folders, runs, metric)})


def _make(folders: tuple[Path, ...], runs: int | None, metric: str | None) -> bytes:
    from plotting.html_report.content import content
    from plotting.html_report.page import page
    from plotting.html_report.sources import open_source

    gc.disable()  # millions of numbers, and no cycles among them
    try:
        return page(content([open_source(folder, runs) for folder in folders], metric))
    finally:
        gc.enable()


def _serve(folders: tuple[Path, ...], port: int, runs: int | None, metric: str | None) -> None:
    from plotting.data_file import BadInput
    from plotting.html_report.server import serve

    try:
        serve(folders, port, runs, metric)
    except BadInput as error:
        raise command.Refused(str(error)) from None


if __name__ == "__main__":
    main()
