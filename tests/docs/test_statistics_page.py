"""The page on statistics names functions that exist, and its example prints what it says."""

from __future__ import annotations

import importlib
import re

from test_documentation import ROOT, blocks

PAGE = "docs/statistics.md"


def test_functions_on_the_page_exist() -> None:
    text = (ROOT / PAGE).read_text()
    rows = re.findall(r"^\| `((?:plotting|experiment)\.\w+)` \| `(\w+)` \|(.*)", text, re.MULTILINE)
    assert len(rows) > 10
    for module, function, rest in rows:
        for name in [function, *re.findall(r"`(\w+)`", rest)]:
            assert callable(getattr(importlib.import_module(module), name))
    modules = [importlib.import_module(module) for module, _, _ in rows]
    for name in re.findall(r"`(\w+)`", text.partition("## Which test")[2].partition("\n## ")[0]):
        assert any(hasattr(module, name) for module in modules), name


def test_the_example_prints_the_caption_below_it() -> None:
    (program,) = blocks(PAGE, "python")
    printed: list[object] = []
    exec(program, {"print": lambda *words: printed.extend(words)})
    assert f"# {printed[-1]}" == program.strip().splitlines()[-1]
