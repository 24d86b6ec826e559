"""One self-contained file of a planning step: the page, its style, its script, and the record."""

from __future__ import annotations

import html
from pathlib import Path

from plotting.html_report.page import ASSETS as SHARED
from plotting.search_view.record import Search, encoded

ASSETS = Path(__file__).parent / "assets"
STYLES = (SHARED / "base.css", ASSETS / "tree.css")
#: In this order they are one script.
SCRIPTS = (
    SHARED / "elements.js",
    *(ASSETS / f"{name}.js" for name in ("layout", "record", "view", "paint", "items", "panels")),
    *(ASSETS / "hands.js", SHARED / "theme.js", ASSETS / "main.js"),
)


def page(search: Search) -> bytes:
    """The file; each image is in it once."""
    parts = {
        "title": html.escape(search.title or search.environment or "A search"),
        "style": _joined(STYLES),
        "data": encoded(search).decode().replace("<", "\\u003c"),
        "script": _joined(SCRIPTS),
    }
    text = (ASSETS / "page.html").read_text(encoding="utf-8")
    found = []
    for name, part in parts.items():
        before, placeholder, text = text.partition(f"{{{{{name}}}}}")
        assert placeholder, name
        found += [before, part]
    return "".join([*found, text]).encode()


def _joined(files: tuple[Path, ...]) -> str:
    return "\n".join(file.read_text(encoding="utf-8").strip() for file in files)
