"""The commands, run in an empty folder on data that a test makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Draw, runner

from plotting import learning_curve, sensitivity


@pytest.fixture
def draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Draw:
    """learning_curve.py."""
    monkeypatch.chdir(tmp_path)
    return runner(learning_curve.main)


@pytest.fixture
def draw_sensitivity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Draw:
    """sensitivity.py."""
    monkeypatch.chdir(tmp_path)
    return runner(sensitivity.main)


@pytest.fixture(params=["draw", "draw_sensitivity"])
def draw_anything(request: pytest.FixtureRequest) -> Draw:
    """Each of the commands."""
    run: Draw = request.getfixturevalue(request.param)
    return run
