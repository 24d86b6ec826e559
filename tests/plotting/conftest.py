"""The commands, run in an empty folder on data that a test makes, and a browser for pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chromium import CHROMIUM
from commands import Draw, runner

from plotting import learning_curve, sensitivity

if TYPE_CHECKING:
    from playwright.sync_api import Browser


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()
