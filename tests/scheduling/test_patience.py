"""Whoever waits looks at the scheduler seldom, and soon after the last job is done."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from experiment.scheduling import events
from experiment.scheduling.events import FINISHED, Event, Left, Started
from experiment.scheduling.patience import Patience

BEGUN, DONE = Started(0.0, "node1", "12", 0), Left(1.0, FINISHED, 0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moments at which somebody went to sleep, and the time now at last."""
    moments = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: moments[-1])
    monkeypatch.setattr(time, "sleep", lambda s: moments.append(moments[-1] + s))
    return moments


def tell(path: Path, *told: Event) -> Path:
    writer = events.Writer(path)
    for event in told:
        writer.write(event)
    writer.close()
    return path


def pauses(clock: list[float], waiting: Patience, jobs: dict[tuple[str, int], Path]) -> list[float]:
    """How long the next eight are."""
    found = []
    for _ in range(8):
        began = clock[-1]
        waiting.pause(jobs)
        found.append(clock[-1] - began)
    return found


def test_pauses_double_up_to_a_minute(clock: list[float], tmp_path: Path) -> None:
    jobs = {("a", 0): tell(tmp_path / "0", BEGUN), ("a", 1): tmp_path / "never written"}
    assert pauses(clock, Patience(), jobs) == [2, 4, 8, 16, 32, 60, 60, 60]
    assert pauses(clock, Patience(), {}) == [2, 4, 8, 16, 32, 60, 60, 60]


def test_they_are_over_once_when_every_job_says_that_it_is_done(
    clock: list[float], tmp_path: Path
) -> None:
    jobs = {("a", 0): tell(tmp_path / "0", BEGUN, DONE), ("a", 1): tell(tmp_path / "1", BEGUN)}
    waiting = Patience()
    assert pauses(clock, waiting, jobs)[-1] == 60
    tell(tmp_path / "1", DONE)
    # the scheduler may say for hours that they run: that is no reason to ask it every second
    assert pauses(clock, waiting, jobs) == [2, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("then", [Left(1.0, "time limit", 1), Left(1.0, "SIGTERM", 1), BEGUN])
def test_a_job_that_comes_back_is_not_done(clock: list[float], tmp_path: Path, then: Event) -> None:
    jobs = {("a", 0): tell(tmp_path / "0", BEGUN, DONE, then)}
    assert pauses(clock, Patience(), jobs) == [2, 4, 8, 16, 32, 60, 60, 60]
