"""What schedule.py cannot use, it says in one sentence, with exit code 2, and touches nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from small_sweep import LOCAL, SmallSweep
from sweep_runs import LINEAR_AC, ROOT


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallSweep:
    monkeypatch.chdir(tmp_path)
    return SmallSweep(tmp_path / "sweep", LOCAL, LINEAR_AC)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--runs", "2", "--indices", "3"], "--runs and --indices exclude one another"),
        (["--status", "--cancel"], "--status and --cancel exclude one another"),
        (["--logs", "0", "--dry-run"], "--logs and --dry-run exclude one another"),
        (["--emit", "x", "--wait"], "--emit and --wait exclude one another"),
        (["--status", "--wait"], "--status and --wait exclude one another"),
        (["--indices", "5-2"], "--indices: the range '5-2' runs backwards"),
        (["--indices", "x"], "--indices: 'x' is not an index or a range like 0-35"),
        (["--indices", ""], "--indices: '' is not an index or a range like 0-35"),
        (["--indices", "0-9999999999"], "--indices: more than 10,000,000 runs; take a part"),
        (["--runs", "1000000"], "1,000,000 x 36 are more than 10,000,000 runs; take a part"),
        (["--batch", "0"], "--batch: '0' is neither a number from 1 to 100000 nor auto"),
        (["--batch", "many"], "--batch: 'many' is neither"),
        (["--gpu", "1"], None),
    ],
)
def test_options_that_cannot_be_used(
    sweep: SmallSweep, options: list[str], sentence: str | None
) -> None:
    before = sweep.snapshot()
    answer = sweep.schedule(*options, "--dry-run" if sentence is None else "--yes")
    if sentence is None:  # a GPU may well be asked for
        assert answer.code == 0
        return
    assert answer.code == 2
    (line,) = answer.complained.splitlines()
    assert line.startswith("error: ")
    assert sentence in line
    assert sweep.snapshot() == before


@pytest.mark.parametrize("options", [["--runs", "0"], ["--seed-offset", "-1"], ["--gpu", "x"]])
def test_numbers_that_are_none(sweep: SmallSweep, options: list[str]) -> None:
    answer = sweep.schedule(*options)
    assert answer.code == 2
    assert "Error: Invalid value for " in answer.complained
    assert not (sweep.folder / "results").exists()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("cluster.json", "{", "cluster.json: line 1, column 2: not JSON"),
        ("cluster.json", '{"scheduler": "slrum"}', "did you mean 'slurm'?"),
        ("cluster.json", '{"scheduler": "local", "corse": 2}', "did you mean 'cores'?"),
        ("cluster.json", '{"scheduler": "slurm", "cores": 2}', "time is null: expected a value"),
        ("agent.json", '{"agent_name": "linearAD", "parameters": {}}', "did you mean 'linearAC'?"),
        ("agent.json", '{"agent_name": "random", "parameters": {"x": [1]}}', "x"),
        ("environment.json", '{"env_name": "sweep/Pendulum"}', "environment.json"),
        ("environment.json", None, "environment.json: no such file"),
        ("agent.json", None, "agent.json: no such file"),
        ("cluster.json", None, "cluster.json: no such file"),
    ],
)
def test_files_that_cannot_be_used(
    sweep: SmallSweep, name: str, text: str | None, sentence: str
) -> None:
    path = sweep.folder / name
    path.unlink() if text is None else path.write_text(text)
    answer = sweep.schedule()
    assert answer.code == 2, answer
    (line,) = answer.complained.splitlines()
    assert line.startswith("error: ")
    assert sentence in line
    assert not (sweep.folder / "results").exists()


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("main.py", "main.py: no such file"),
        ("/nowhere/train.py", "EXECUTABLE: /nowhere/train.py: no such file"),
        ("trian --fast", "EXECUTABLE: trian: no such program"),
        ("'train", 'EXECUTABLE: "\'train": no closing quotation'),
        ("", "EXECUTABLE is empty; main.py is one"),
    ],
)
def test_programs_that_cannot_be_used(sweep: SmallSweep, program: str, sentence: str) -> None:
    sweep.program = program
    answer = sweep.schedule()
    assert answer.code == 2, answer
    (line,) = answer.complained.splitlines()
    assert sentence in line


def test_places_that_cannot_be_used(sweep: SmallSweep, tmp_path: Path) -> None:
    words = sweep.words("--yes")
    for place, at, sentence in (
        ("/nowhere", 2, "BASE_PATH: /nowhere: No such file or directory"),
        (str(sweep.folder / "agent.json"), 2, "agent.json: Not a directory"),
        ("x" * 300, 4, "File name too long"),
        (str(sweep.folder / "agent.json"), 4, "agent.json"),
    ):
        changed = [*words[:at], place, *words[at + 1 :]]
        done = subprocess.run(
            [sys.executable, str(ROOT / "schedule.py"), *changed],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, (place, done)
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: ")
        assert sentence in line


def test_a_missing_argument_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "schedule.py"), "cluster.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Missing argument 'EXECUTABLE'" in done.stderr
