"""One process a run, also when its holder is dead or on another machine."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sweep_runs import RANDOM, build, new_folder

from experiment import lock as lock_module
from experiment.errors import Locked, StorageError
from experiment.lock import STALE_SECONDS, Lock, held
from experiment.run import Options, Outcome, run_index


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "running" / "0123456789abcdef-0.lock"


def write_lock(path: Path, **changes: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": "2024-01-01 00:00:00"}
    path.write_text(json.dumps(holder | changes))


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_lock_is_there_while_it_is_held_and_gone_afterwards(path: Path) -> None:
    with Lock(path, "index 3"):
        assert held(path)
        content = json.loads(path.read_text())
        assert (content["host"], content["pid"]) == (socket.gethostname(), os.getpid())
        with pytest.raises(Locked) as caught, Lock(path, "index 3"):
            pass
        assert str(caught.value).startswith(
            f"index 3 is being run by process {os.getpid()} on {socket.gethostname()} since "
        )
        assert held(path)
    assert list(path.parent.iterdir()) == []


def test_the_lock_of_a_dead_process_is_taken_over(path: Path) -> None:
    write_lock(path, pid=dead_pid())
    assert not held(path)
    with Lock(path, "index 3"):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert list(path.parent.iterdir()) == []


def test_a_pid_that_was_given_to_another_process_is_dead(path: Path) -> None:
    write_lock(path, process_start="another boot:1")
    assert not held(path)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_zombie_holds_nothing(path: Path) -> None:
    program = (
        f"from experiment.lock import Lock; from pathlib import Path\n"
        f"Lock(Path({str(path)!r}), 'x').__enter__(); print(flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    assert held(path)
    process.kill()
    deadline = time.monotonic() + 10
    while held(path) and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        assert process.returncode is None, "nobody has asked for its exit code yet"
        assert not held(path)
    finally:
        process.communicate()


@pytest.mark.parametrize(
    "content",
    ["", "garbage", "[]", "{}", '{"host": "a", "pid": "x", "since": ""}', "\xff\xfe"],
)
def test_a_lock_that_says_nothing_is_taken_over(content: str, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(content.encode("latin-1"))
    with Lock(path, "index 3"):
        assert held(path)


@pytest.mark.parametrize("pid", [0, -1, 2**40, True, 1.5, None])
def test_a_pid_that_is_none_is_nobody(pid: Any, path: Path) -> None:
    write_lock(path, pid=pid)
    assert not held(path)


def test_a_fresh_lock_of_another_host_is_respected(path: Path) -> None:
    write_lock(path, host="elsewhere", pid=dead_pid())
    with pytest.raises(Locked, match="on elsewhere since 2024-01-01"), Lock(path, "index 3"):
        pass
    assert json.loads(path.read_text())["host"] == "elsewhere"


def test_a_lock_of_another_host_that_is_no_longer_touched_is_taken_over(path: Path) -> None:
    write_lock(path, host="elsewhere")
    old = time.time() - STALE_SECONDS - 1
    os.utime(path, (old, old))
    assert not held(path)
    with Lock(path, "index 3"):
        assert json.loads(path.read_text())["host"] == socket.gethostname()


def test_a_disk_that_is_full_proves_nobody_dead(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lock(path, host="elsewhere")

    def fail(folder: Path) -> float:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lock_module, "_file_server_now", fail)
    assert held(path)


def test_the_holder_keeps_its_lock_fresh(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(lock_module, "_heart", None)  # which waits for its next beat
    with Lock(path, "index 3"):
        old = time.time() - 2 * STALE_SECONDS
        os.utime(path, (old, old))
        deadline = time.monotonic() + 10
        while time.time() - path.stat().st_mtime > 60:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_lock_that_was_taken_away_is_not_removed(path: Path) -> None:
    with Lock(path, "index 3"):
        write_lock(path, host="elsewhere")
    assert path.exists()


def test_a_place_where_no_lock_can_be(tmp_path: Path) -> None:
    (tmp_path / "running").write_text("a file")
    with pytest.raises(StorageError), Lock(tmp_path / "running" / "a.lock", "index 3"):
        pass


def test_of_many_that_want_a_dead_ones_lock_one_gets_it(path: Path, tmp_path: Path) -> None:
    write_lock(path, pid=dead_pid())
    program = (
        "import sys, time; from pathlib import Path; from experiment.lock import Lock\n"
        "from experiment.errors import Locked\n"
        "sys.stdin.readline()\n"
        "try:\n"
        f"    with Lock(Path({str(path)!r}), 'x'):\n"
        "        print('held', flush=True); sys.stdin.readline()\n"
        "except Locked: print('locked', flush=True)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    answers: list[str] = []
    try:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout is not None
            answers.append(process.stdout.readline().strip())
    finally:
        for process in processes:
            process.communicate("\n")
    assert sorted(answers) == ["held"] + ["locked"] * 5


def test_two_runs_of_one_index_at_once_make_one_record(tmp_path: Path) -> None:
    experiment = build(RANDOM, total_timesteps=2_000)
    folder = new_folder(tmp_path, experiment)
    run = folder.run(0)
    with folder.lock(run), pytest.raises(Locked, match=r"^index 0 \(setting 0, seed 0\) is being"):
        run_index(experiment, folder, 0, Options())
    assert run_index(experiment, folder, 0, Options()) is Outcome.COMPLETED
    # a finished run needs no lock to say so
    with folder.lock(run):
        assert run_index(experiment, folder, 0, Options()) is Outcome.FINISHED_BEFORE


def test_locks_of_threads_do_not_hinder_one_another(tmp_path: Path) -> None:
    """Different runs of one folder begin at the same time."""
    errors: list[BaseException] = []

    def take(number: int) -> None:
        try:
            with Lock(tmp_path / "running" / f"{number}.lock", str(number)):
                pass
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with contextlib.suppress(FileNotFoundError):
        assert list((tmp_path / "running").iterdir()) == []
