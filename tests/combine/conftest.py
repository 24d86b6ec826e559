"""A sweep of six settings without records, and combine.py in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from recorded_sweep import RecordedSweep

from combine import main


@pytest.fixture
def sweep(tmp_path: Path) -> RecordedSweep:
    return RecordedSweep(tmp_path / "sweep")


@pytest.fixture
def combine() -> Callable[..., Result]:
    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return run
