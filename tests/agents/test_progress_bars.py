"""What people see of something that takes long: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import io

import pytest

from agents.collecting.progress import Progress as Collecting
from agents.progress import duration
from experiment.progress import Progress as Training


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_bar_has_what_is_done_and_how_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "100")
    with Training("index 3", 5000, 1000) as training:
        training.show(2500)
        training.say("saved")
    with Collecting("rollouts", action_repeat=4) as collecting:
        collecting.show(3, 10, 700)
    drawn = screen.getvalue()
    assert "2500/5000" in drawn and "steps/s" in drawn and "index 3: saved" in drawn
    assert "3/10" in drawn and "frames/s" in drawn and "rollouts, " not in drawn


def test_elsewhere_it_says_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Training("index 3", 5000, 1000) as training:
        training.show(2500)
    said = capsys.readouterr().err
    assert said.startswith("index 3: 2,500/5,000 steps (50%), ") and said.endswith(" left\n")


def test_durations_are_hours_minutes_and_seconds() -> None:
    assert duration(3725.4) == "1:02:05"
    assert duration(float("inf")) == "unknown time"
