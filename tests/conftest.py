"""What holds for every test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# how fast examples come is the machine's business
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def in_the_project() -> Iterator[None]:
    """A command that ran in this process may have left its folder, where the programs that the
    next test starts would not find the project."""
    yield
    os.chdir(ROOT)
