"""The command, run in this process, on data that a test makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from plotting.learning_curve import main

Draw = Callable[..., Result]


@pytest.fixture
def draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Draw:
    """Runs the command in an empty folder; -o figure.svg unless told otherwise."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Result:
        words = [str(argument) for argument in arguments]
        if "-o" not in words:
            words += ["-o", "figure.svg"]
        return CliRunner().invoke(main, words, prog_name="learning_curve.py")

    return run
