"""One planning step of a search, drawn: python plotting/search_tree.py FILE -o tree.html."""

from __future__ import annotations

import sys
from pathlib import Path

import click

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command
from plotting.style import STYLES

SUFFIXES = (".html", *command.SUFFIXES, ".dot")


@command.named
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What to write (.html, .pdf, .png, .svg, .dot).  [default: FILE, ending in .html]",
)
@click.option(
    "--style",
    "style_name",
    type=click.Choice(list(STYLES)),
    default="web",
    show_default=True,
    help="How wide a figure may be, and its resolution: a page of a paper, a slide (the caption "
    "goes to STEM.txt) or a page on the web.",
)
@click.option(
    "--direction",
    type=click.Choice(["down", "right"]),
    help="Where a figure grows to.  [default: where its nodes have more room]",
)
@click.option("--title", help="In place of the file's.")
def main(
    file: Path, output: Path | None, style_name: str, direction: str | None, title: str | None
) -> None:
    """Draw the planning step in FILE, a search recorded as JSON (format "search/1").

    A .html is one page to explore in a browser: it needs no network, and may be mailed. A figure
    shows the same tree at once, with pictures of the states where there is room; .dot is text for
    Graphviz.
    """
    output = output or file.with_suffix(".html")
    if output.suffix not in SUFFIXES:
        lower = output.suffix.lower()
        nearest = output.with_suffix(lower if lower in SUFFIXES else ".html")
        raise command.Refused(
            f"{output} does not end in .html, .pdf, .png, .svg or .dot: try {nearest}"
        )
    command.write_files(lambda: _make(file, output, style_name, direction, title))


def _make(
    file: Path, output: Path, style_name: str, direction: str | None, title: str | None
) -> dict[Path, bytes]:
    from plotting.search_view.record import read_search

    search = read_search(file)
    if title is not None:
        search.title = title
    if output.suffix == ".html":
        from plotting.search_view.page import page

        return {output: page(search)}
    if output.suffix == ".dot":
        from plotting.search_view.dot import dot

        return {output: dot(search)}
    from plotting.page import as_text, render
    from plotting.search_view.figure import draw

    style = STYLES[style_name]
    figure, notes = draw(search, style_name, direction)
    files = {output: render(figure, output.suffix[1:], style.dpi)}
    if not style.caption:
        files[output.with_suffix(".txt")] = as_text(notes).encode()
    return files


if __name__ == "__main__":
    main()
