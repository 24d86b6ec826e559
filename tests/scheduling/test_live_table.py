"""What a person sees while runs go on here: numbers that add up, and what went wrong."""

from __future__ import annotations

import io
import os
import pty
import subprocess
from pathlib import Path

import pytest
from batch_submission import prepare
from rich.console import Console
from small_sweep import LOCAL, SmallSweep

from experiment.scheduling import overview
from experiment.scheduling.events import Ended, Ending, Left, Progressed, Started
from experiment.scheduling.sweep import open_sweep
from experiment.scheduling.table import Table, clock


def ended(ending: Ending, *indices: int, error: str | None = None, again: bool = False) -> Ended:
    return Ended(list(indices), ending, 0.0, 30.0, 1.0, 1, error=error, again=again)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(prepare(tmp_path, "local", ["0-3", "4-5"], chunk={"slots": 2}))


def test_numbers_add_up(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    assert table.summary() == "0 of 6 runs done, 0 running, 0 failed, unknown time left"
    table.saw(Started(0.0, "here", "process 7", 0))
    table.saw(Progressed(0, [0, 1], 50, 100, 0))
    table.saw(Progressed(1, [2], 0, 0, 0))
    assert table.summary().startswith("0 of 6 runs done, 3 running, 0 failed, ")
    table.saw(ended("done", 0, 1))
    # two of four are left to each place, and take 15 seconds each
    assert table.summary() == "2 of 6 runs done, 1 running, 0 failed, 0:00:30 left"
    table.saw(ended("failed", 2, error="ValueError: no"))
    table.saw(Left(0.0, "SIGTERM", 3))
    assert table.summary().startswith("2 of 6 runs done, 0 running, 1 failed, ")
    said = capsys.readouterr().err
    assert "index 2: failed: ValueError: no\n" in said
    assert "stopped (SIGTERM); 3 unfinished, run it again to go on\n" in said


def test_what_is_started_again_has_not_failed(
    table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    table.saw(Progressed(0, [0, 1], 50, 100, 0))
    table.saw(ended("failed", 0, 1, error="no", again=True))
    assert table.summary().startswith("0 of 6 runs done, 0 running, 0 failed, ")
    assert "indices 0-1: failed: no; started again\n" in capsys.readouterr().err
    for index in range(6):
        table.saw(ended("done", index))
    assert table.summary() == "6 of 6 runs done, 0 running, 0 failed, 0:00:00 left"


def test_the_picture_shows_each_process(table: Table) -> None:
    table.saw(Progressed(1, [3], 25, 100, 5))
    table.saw(Progressed(0, [0, 1], 50, 100, 0))
    console = Console(file=io.StringIO(), width=100)
    console.print(table._render())
    lines = str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]
    assert lines[0].startswith("0 of 6 runs done, 3 running")
    assert lines[1].split() == ["run", "timestep", "steps/s", "left"]
    assert [line.split()[:2] for line in lines[2:]] == [["indices", "0-1"], ["index", "3"]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown time"),
        (0, "0:00:00"),
        (59.6, "0:01:00"),
        (3725, "1:02:05"),
        (47 * 3600, "47:00:00"),
        (51 * 3600, "2 d 3 h"),
    ],
)
def test_times_are_as_people_say_them(seconds: float | None, text: str) -> None:
    assert clock(seconds) == text


def test_on_a_terminal_there_are_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = SmallSweep(tmp_path / "sweep", LOCAL)
    monkeypatch.chdir(sweep.folder)
    files = sweep.folder / "environment.json", sweep.folder / "agent.json"
    opened = open_sweep(*files, None, None, 4, 0)
    opened.look({}, {}, attempts=3, retry_failed=False)
    console = Console(file=io.StringIO(), width=130)
    console.print(overview.table([overview.standing_of(opened)]))
    title, row = str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]
    names = ["runs", "done", "diverged", "running", "queued", "failed", "missing"]
    assert title.split() == ["experiment", *names, "steps/s", "left"]
    assert row.split() == ["sweep-PendulumContinuous-v1_random", "4", "0", "0", "0", "0", "0", "4"]


def test_on_a_terminal_a_sweep_is_asked_for_and_trained(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path / "sweep", LOCAL)
    near, far = pty.openpty()
    words = [word for word in sweep.command("--runs", 3) if word != "--yes"]
    process = subprocess.Popen(
        words, stdin=far, stdout=far, stderr=far, env={**os.environ, "TERM": "xterm"}
    )
    os.close(far)
    said = b""
    while b"go on?" not in said:
        said += os.read(near, 4096)
    os.write(near, b"y\n")
    while True:
        try:
            said += os.read(near, 4096)
        except OSError:  # how a terminal whose other end is closed says so
            break
    os.close(near)
    assert process.wait(30) == 0, said.decode()
    assert b"3 of 3 runs done, 0 running, 0 failed" in said
    assert b"3 runs, 3 done" in said
