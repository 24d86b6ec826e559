"""One self-contained file: the page, its style, its script and its data, nothing from elsewhere."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import orjson

from plotting import style

ASSETS = Path(__file__).parent / "assets"
STYLES = ("base.css", "panels.css", "media.css")
#: In this order they are one script.
SCRIPTS = (
    "packed.js",
    "elements.js",
    "scales.js",
    "state.js",
    "summary.js",
    "lines.js",
    "curves.js",
    "sensitivity.js",
    "importance.js",
    "distribution.js",
    "heatmap.js",
    "filters.js",
    "parallel.js",
    "table.js",
    "problems.js",
    "theme.js",
    "main.js",
)


def page(content: dict[str, Any], *, live: bool = False) -> bytes:
    """The file.

    Args:
        live: it asks the server that it came from for newer content.
    """
    palette = "".join(f"--series-{k}: {colour};" for k, colour in enumerate(style.PALETTE))
    parts = {
        "title": html.escape(title(content)),
        "connect": "'self'" if live else "'none'",
        # paper has the palette whatever the screen has
        "style": f":root {{{palette}}}\n{_joined(STYLES)}\n"
        f'@media print {{ :root, :root[data-theme="dark"], :root:not([data-theme="light"]) '
        f"{{{palette}}} }}",
        "data": encoded(content).decode().replace("<", "\\u003c"),
        "script": _joined(SCRIPTS),
        "live": "live" if live else "file",
    }
    text = (ASSETS / "page.html").read_text(encoding="utf-8")
    for name, part in parts.items():
        before, placeholder, after = text.partition(f"{{{{{name}}}}}")
        assert placeholder, name
        text = before + part + after
    return text.encode()


def encoded(content: dict[str, Any]) -> bytes:
    """The data of a page, as its script reads it."""
    return orjson.dumps(content)


def title(content: dict[str, Any]) -> str:
    """Of the browser's tab."""
    return " · ".join(
        f"{each['environment']} {each['agent']}" for each in content["experiments"][:3]
    )


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join((ASSETS / name).read_text(encoding="utf-8").strip() for name in names)
