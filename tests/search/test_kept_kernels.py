"""What numba has kept on disk of a kernel is used again, and never after a change of its parts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CALLED = """
from agents.search.kernels.compiling import inner
from constants import MORE

@inner
def called(x):
    return x + MORE
"""
CALLER = """
from pathlib import Path
from agents.kept_kernels import kept
from called import called

def caller(x):
    return called(x)

caller = kept(caller, Path(__file__).parent)
print(caller(1), sum(caller.stats.cache_hits.values()))
"""


def said(folder: Path) -> tuple[int, int]:
    """What the caller's process says: the result, and how much of it was on disk."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    output = subprocess.run(
        [sys.executable, folder / "caller.py"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    result, hits = output.split()
    return int(result), int(hits)


def test_a_kernel_is_kept_until_a_file_that_it_is_made_of_changes(tmp_path: Path) -> None:
    (tmp_path / "constants.py").write_text("MORE = 1\n")
    (tmp_path / "called.py").write_text(CALLED)
    (tmp_path / "caller.py").write_text(CALLER)
    assert said(tmp_path) == (2, 0)
    assert said(tmp_path) == (2, 1)
    (tmp_path / "constants.py").write_text("MORE = 2\n")
    assert said(tmp_path) == (3, 0)
    (tmp_path / "called.py").write_text(CALLED.replace("x +", "x -"))
    assert said(tmp_path) == (-1, 0)
    assert said(tmp_path) == (-1, 1)
