"""Jobs of other people's programs, what jobs say in their logs, and the GPUs they hand out."""

from __future__ import annotations

import os
import signal
import sys
import time
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from batch_submission import IN_TWO_GOES, happened, prepare, write_program
from brittle_jobs import ends, of_brittle, own_program, run, the_end
from small_sweep import records_below
from sweep_runs import ROOT

from experiment.scheduling import events
from experiment.scheduling.events import Ended, Event, Left, Progressed, Started
from experiment.scheduling.job import Result, run_task
from experiment.scheduling.launchers import Devices, program_of
from experiment.scheduling.task_log import lines_of

# xdist has a thread of its own, which the processes of a pool do without
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("this_process_is_a_node", "short_grace"),
]


# -- programs of other people


def test_a_program_gets_main_pys_options(tmp_path: Path) -> None:
    program = own_program(tmp_path, 'printf "%s\\n" "$@" > "words $8"\n')
    sent = prepare(
        tmp_path,
        "local",
        ["3,7-8"],
        program=f"'{program}' --extra 'a b'",
        checkpointMinutes=2.5,
    )
    assert run(sent).exit_code == 0
    assert (tmp_path / "words 3").read_text().splitlines() == [
        *("--extra", "a b", "--env-json", str(sent.folder / "environment.json")),
        *("--agent-json", str(sent.folder / "agent.json"), "--index", "3"),
        *("--seed-offset", "0", "--device", "cpu", "--checkpoint-minutes", "2.5"),
    ]


def test_a_program_is_started_as_it_is(tmp_path: Path) -> None:
    assert program_of("main.py") == [sys.executable, "main.py"]
    assert program_of("/a b/main.py") == [sys.executable, "/a b/main.py"]
    assert program_of("python -m train") == ["python", "-m", "train"]
    assert program_of("'/a b/train' --fast") == ["/a b/train", "--fast"]


def test_exit_codes_of_programs_say_how_runs_ended(tmp_path: Path) -> None:
    text = 'case "$6" in 0) exit 0;; 1) echo no; exit 1;; 2) exit 2;; 3) exit 3;; 4) exit 75;; esac'
    sent = prepare(tmp_path, "local", ["0-4"], program=f"'{own_program(tmp_path, text)}'")
    result = run(sent)
    assert (result, result.exit_code) == (Result(2, 1, None), 75)
    assert ends(sent) == {
        0: ["done"],
        1: ["failed"],
        2: ["refused"],
        3: ["locked"],
        4: ["saved"],
    }
    assert the_end(sent, 1).error == "no"


def test_a_program_that_is_not_there_fails_alone(tmp_path: Path) -> None:
    sent = prepare(tmp_path, "local", ["0-1"], program="/nowhere/train")
    assert run(sent) == Result(2, 0, None)
    assert ends(sent) == {0: ["failed"], 1: ["failed"]}
    assert "No such file or directory: '/nowhere/train'" in str(the_end(sent, 0).error)


def test_an_interrupted_program_goes_on_in_the_next_job(tmp_path: Path) -> None:
    sent = prepare(tmp_path, "local", ["0"], program=write_program(tmp_path, IN_TWO_GOES))

    def ask(event: object) -> None:
        while isinstance(event, Progressed) and not (tmp_path / "ready").exists():
            time.sleep(0.01)
        if isinstance(event, Progressed):
            os.kill(os.getpid(), signal.SIGTERM)

    assert run_task(sent, 0, ask).exit_code == 75
    assert run(sent).exit_code == 0


def test_main_py_itself_may_be_the_program(tmp_path: Path, expected: Any) -> None:
    """A copy of it is started as a command; the records are the same."""
    copy = tmp_path / "main.py"
    copy.write_text(
        f"import runpy, sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        f"runpy.run_path({str(ROOT / 'main.py')!r}, run_name='__main__')\n"
    )
    sent = prepare(tmp_path, "local", ["0-2"], program=copy, batch=2)
    assert run(sent).exit_code == 0
    warm = prepare(tmp_path / "warm", "local", ["0-2"])
    assert run(warm).exit_code == 0
    ours = records_below(tmp_path / "results")
    assert ours == records_below(tmp_path / "warm")
    assert ours.keys() == {0, 1, 2}


# -- what is said


def test_lines_carry_the_run_that_said_them(tmp_path: Path) -> None:
    sent = of_brittle(tmp_path, ["raises", "well", "well"])
    run(sent)
    lines = lines_of(sent.log_path(0), 0)
    assert all(" index 0: " in line for line in lines)
    assert lines[-1].endswith("s")
    assert "index 0: failed with exit code 1 after" in lines[-1]
    assert any(line.endswith("RuntimeError: brittle broke") for line in lines)
    assert any("Traceback (most recent call last)" in line for line in lines)
    assert len(lines_of(sent.log_path(0), 1)) == 2
    assert lines_of(sent.log_path(0), 10) == []


def test_lines_of_a_batch_are_lines_of_each_of_its_runs(tmp_path: Path) -> None:
    sent = of_brittle(tmp_path, ["well"] * 3, batch=3)
    run(sent)
    assert lines_of(sent.log_path(0), 2) == lines_of(sent.log_path(0), 0)
    assert "indices 0-2: done after" in lines_of(sent.log_path(0), 1)[-1]


def test_all_that_a_program_prints_is_in_the_log(tmp_path: Path) -> None:
    text = "seq 1 40000; printf 'no end of line'; printf 'bar 1%%\\rbar 2%%\\n' >&2; exit 1"
    sent = prepare(tmp_path, "local", ["5"], program=f"'{own_program(tmp_path, text)}'")
    run(sent)
    *lines, bar, how = [line.partition(" index 5: ")[2] for line in lines_of(sent.log_path(0), 5)]
    assert [int(line) for line in lines] == list(range(1, 40_001))
    assert bar == "bar 2%"
    assert how.startswith("failed with exit code 1")


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    text = "head -c 300000 /dev/zero | tr '\\0' x; exit 1"
    sent = prepare(tmp_path, "local", ["5"], program=f"'{own_program(tmp_path, text)}'")
    run(sent)
    said = [line.partition(" index 5: ")[2] for line in lines_of(sent.log_path(0), 5)][:-1]
    assert "".join(said) == "x" * 300_000
    assert max(map(len, said)) <= 2 * 65_536
    assert len(str(the_end(sent, 5).error)) == 500


def test_a_torn_end_of_the_events_is_tolerated(tmp_path: Path) -> None:
    sent = of_brittle(tmp_path, ["well", "raises"])
    run(sent)
    whole = sent.events_path(0).read_bytes()
    sent.events_path(0).write_bytes(whole[:-10])
    before = happened(sent, 0)
    assert len(before) == 3
    run(sent)
    assert happened(sent, 0)[:3] == before
    assert isinstance(happened(sent, 0)[3], Started)
    assert ends(sent)[1] == ["failed", "failed"]


def test_events_are_read_as_they_were_written(tmp_path: Path) -> None:
    told: list[Event] = [
        Started(1.5, "node7", "12_3", 2),
        Ended([1, 2], "killed", 2.5, 1.0, 0.5, 2**20, 7, 100, None, 9, "by signal 9", again=True),
        Left(3.5, "SIGTERM", 4),
    ]
    path = tmp_path / "task-0.jsonl"
    for event in told:
        writer = events.Writer(path)
        writer.write(event)
        writer.close()
    assert list(events.read(path)) == told
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        read = list(events.read(path))
        assert read == told[: len(read)]
        assert len(read) >= data[:length].count(b"\n")
    assert list(events.read(tmp_path / "nothing")) == []


def test_a_line_of_events_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "task-0.jsonl"
    rest = events._rest
    taken: list[bytes] = []

    def noted(file: FileIO, start: int) -> bytes:
        taken.append(rest(file, start))
        return taken[-1]

    monkeypatch.setattr(events, "_rest", noted)
    writer = events.Writer(path)
    told: list[Event] = []
    for number in range(4):
        told.append(Left(float(number), "finished", 0))
        writer.write(told[-1])
        assert [*events.read(path), *events.read(path)] == told * 2
    writer.close()
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    assert taken == lines
    # what lies in its place later is read from its beginning
    for order in ([1, 0], [3, 2, 1, 0, 3], [], [0, 1, 2, 3]):
        path.write_bytes(b"".join(lines[k] for k in order))
        assert list(events.read(path)) == [told[k] for k in order]


def test_a_full_disk_stops_no_run(tmp_path: Path) -> None:
    writer = events.Writer(Path("/dev/full"))
    writer.write(Left(1.0, "finished", 0))
    writer.close()
    sent = of_brittle(tmp_path, ["well", "well"])
    sent.events_path(0).symlink_to("/dev/full")
    sent.log_path(0).symlink_to("/dev/full")
    assert run(sent).exit_code == 0
    assert records_below(tmp_path).keys() == {0, 1}


# -- GPUs


def test_each_slot_has_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(devices: Devices, slots: int) -> list[str]:
        return [devices.environment(slot)["CUDA_VISIBLE_DEVICES"] for slot in range(slots)]

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert seen(Devices(2, 3), 6) == ["0", "0", "0", "1", "1", "1"]
    assert Devices(0, 1).environment(0) == {}
    # the scheduler says which, by number or by name
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert seen(Devices(2, 1), 2) == ["4", "7"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-8f,MIG-3/1/0")
    assert seen(Devices(2, 2), 4) == ["GPU-8f", "GPU-8f", "MIG-3/1/0", "MIG-3/1/0"]


def test_processes_see_the_gpu_of_their_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    text = 'echo "$CUDA_VISIBLE_DEVICES" > "gpu of $6"; until test -e "gpu of 1"; do :; done'
    program = f"'{own_program(tmp_path, text)}'"
    sent = prepare(tmp_path, "local", ["0-1"], program=program, chunk={"slots": 2, "gpus": 2})
    assert run(sent).exit_code == 0
    assert (tmp_path / "gpu of 0").read_text() == "3\n"
    assert (tmp_path / "gpu of 1").read_text() == "5\n"
