"""The page on searches: its program writes what its commands draw; its fields are read."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from PIL import Image
from test_documentation import ROOT, blocks, commands

from plotting.search_view.record import Nodes, Root, Search, read_search

PAGE = "docs/planning.md"


def test_the_program_records_what_the_commands_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (program,) = blocks(PAGE, "python")
    monkeypatch.chdir(tmp_path)
    exec(program, {"__name__": "page"})
    search = read_search(Path("search.json"))
    assert search.environment == "sweep/KeyDoorMaze0-v1"
    assert any(search.nodes.novel_atoms)
    assert min(search.nodes.image) == 0
    with Image.open("episode.gif") as video:
        assert 4 <= getattr(video, "n_frames", 1) <= 21
    for command in commands(ROOT / PAGE):
        words = shlex.split(command)[1:]
        if not words[0].startswith("plotting/"):
            continue
        done = subprocess.run(
            [sys.executable, str(ROOT / words[0]), *words[1:]], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert Path(words[words.index("-o") + 1]).stat().st_size > 10_000


def test_the_fields_are_those_that_are_read() -> None:
    text = (ROOT / PAGE).read_text().partition("## The file")[2]
    named = set(re.findall(r"`(\w+)`", text))
    for kind in (Search, Root, Nodes):
        for field in msgspec.structs.fields(kind):
            assert field.encode_name in named
