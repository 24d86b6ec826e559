"""A job and its pool of processes: whatever becomes of a run, its neighbours are as without it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brittle_agent
import pytest
from batch_submission import DEAF, ENVIRONMENT, IN_TWO_GOES, happened, prepare, write_program
from small_sweep import records_below
from sweep_runs import ROOT

import agents
from experiment import processor
from experiment.configuration import build_experiment
from experiment.folder import ResultFolder
from experiment.lock import JOB_VARIABLE, held
from experiment.manifest import Manifest
from experiment.scheduling import events, pool, submission
from experiment.scheduling.events import Ended, Event, Left, Progressed, Started
from experiment.scheduling.job import Result, run_task
from experiment.scheduling.launchers import Devices, program_of
from experiment.scheduling.pool import Pool
from experiment.scheduling.stopping import StopSignals
from experiment.scheduling.submission import Submission
from experiment.scheduling.task_log import lines_of

# xdist has a thread of its own, which the processes of a pool do without
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def _this_process_is_a_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in (*processor.THREADS, JOB_VARIABLE, "SLURM_RESTART_COUNT"):
        monkeypatch.setenv(variable, "0")
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    monkeypatch.chdir(tmp_path)
    for name, where in brittle_agent.AGENTS.items():
        monkeypatch.setitem(agents.AGENTS, name, where)
    monkeypatch.setattr(pool, "GRACE_SECONDS", 0.5)
    yield
    gc.unfreeze()


def brittle(*hows: str) -> dict[str, Any]:
    """An agent file: what becomes of index i is `hows[i]`."""
    values = [f"{how}-{index}" for index, how in enumerate(hows)]
    return {"agent_name": "brittle", "parameters": {"how": values}}


def of_brittle(folder: Path, hows: list[str], slots: int = 2, **fields: Any) -> Submission:
    """One task that takes them all."""
    chunk = {"slots": slots, "cores": slots} | fields.pop("chunk", {})
    tasks = [f"0-{len(hows) - 1}"]
    return prepare(folder, "local", tasks, agent=brittle(*hows), chunk=chunk, **fields)


def run(sent: Submission, task: int = 0) -> Result:
    """A job, in this process."""
    return run_task(sent, task)


def ends(sent: Submission, task: int = 0) -> dict[int, list[str]]:
    """Index -> how it ended, each time."""
    found: dict[int, list[str]] = {}
    for event in happened(sent, task):
        if isinstance(event, Ended):
            for index in event.indices:
                found.setdefault(index, []).append(event.ended)
    return found


def the_end(sent: Submission, index: int) -> Ended:
    """The last word of a job on an index."""
    told = [event for event in happened(sent, 0) if isinstance(event, Ended)]
    return [event for event in told if index in event.indices][-1]


def left(sent: Submission) -> Left:
    *_, last = happened(sent, 0)
    assert isinstance(last, Left)
    return last


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """Records of six runs that nothing happens to, in one process."""
    folder = tmp_path_factory.mktemp("expected")
    with pytest.MonkeyPatch.context() as patch:
        for name, where in brittle_agent.AGENTS.items():
            patch.setitem(agents.AGENTS, name, where)
        patch.setenv(JOB_VARIABLE, "")
        patch.chdir(folder)
        run_task(of_brittle(folder, ["well"] * 6, slots=1), 0)
    return records_below(folder)


def same(record: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether the numbers are the same; what the setting is called depends on its list."""
    return {**record, "setting_id": ""} == {**expected, "setting_id": ""}


# -- endings


def test_a_job_whose_runs_all_end_well(tmp_path: Path, expected: Any) -> None:
    sent = of_brittle(tmp_path, ["well"] * 6)
    result = run(sent)
    assert (result, result.exit_code) == (Result(0, 0, None), 0)
    assert records_below(tmp_path) == expected
    first, *middle, last = happened(sent, 0)
    assert isinstance(first, Started)
    assert (first.job, first.attempt) == (f"process {os.getpid()}", 0)
    assert isinstance(last, Left)
    assert (last.why, last.unfinished) == ("finished", 0)
    told = [event for event in middle if isinstance(event, Ended)]
    assert len(told) == len(middle)
    for event in told:
        assert (event.ended, event.exit, event.signal, event.error) == ("done", 0, None, None)
        assert event.memory > 10 * 2**20
        assert event.wall > 0
    assert sorted(index for event in told for index in event.indices) == list(range(6))
    assert not list(Path(sent.results).glob("running/*"))


@pytest.mark.parametrize("batch", [1, 2, 6])
def test_one_that_fails_harms_no_other(tmp_path: Path, expected: Any, batch: int) -> None:
    hows = ["well", "raises", "well", "killed", "memory", "well"]
    sent = of_brittle(tmp_path, hows, batch=batch)
    result = run(sent)
    assert (result, result.exit_code) == (Result(3, 0, None), 1)
    records = records_below(tmp_path)
    assert sorted(records) == [0, 2, 5]
    assert all(same(records[index], expected[index]) for index in records)
    assert [ends(sent)[index][-1] for index in range(6)] == [
        *("done", "failed", "done"),
        *("killed", "failed", "done"),
    ]
    assert the_end(sent, 1).error == "RuntimeError: brittle broke"
    assert the_end(sent, 3).error == "by signal 9"
    assert the_end(sent, 4).error == "MemoryError: Unable to allocate 8.00 TiB"
    # a group is taken apart before anybody is blamed
    alone = [event for event in happened(sent, 0) if isinstance(event, Ended) and not event.again]
    assert all(len(event.indices) == 1 or event.ended == "done" for event in alone)
    # what was killed could not put its lock away, which nobody heeds
    (lock,) = Path(sent.results).glob("running/*.lock")
    assert not held(lock)


def test_a_job_started_again_does_what_is_left(tmp_path: Path, expected: Any) -> None:
    sent = of_brittle(tmp_path, ["well"] * 4)
    run(sent)
    Path(sent.results, "sweep-PendulumContinuous-v1_brittle_data_2.json").unlink()
    assert run(sent).exit_code == 0
    assert {index: len(each) for index, each in ends(sent).items()} == {0: 1, 1: 1, 2: 2, 3: 1}
    assert records_below(tmp_path).keys() == {0, 1, 2, 3}


def test_a_killed_process_is_started_again_some_times(tmp_path: Path) -> None:
    sent = of_brittle(tmp_path, ["killed", "well"], retry={"attempts": 4})
    assert run(sent).exit_code == 1
    assert ends(sent) == {0: ["killed"] * 4, 1: ["done"]}
    told = [e for e in happened(sent, 0) if isinstance(e, Ended) and e.ended == "killed"]
    assert [event.again for event in told] == [True, True, True, False]


def test_a_process_that_is_killed_once_ends_as_if_it_had_not_been(
    tmp_path: Path, expected: Any
) -> None:
    sent = of_brittle(tmp_path, ["once", "well"])
    assert run(sent).exit_code == 0
    assert ends(sent) == {0: ["killed", "done"], 1: ["done"]}
    assert same(records_below(tmp_path)[0], expected[0])


@pytest.mark.parametrize("batch", [1, 3])
def test_one_that_is_refused_harms_no_other(tmp_path: Path, batch: int) -> None:
    # the first is the one that the job warms up with
    sent = of_brittle(tmp_path, ["refused", "well", "well"], batch=batch)
    assert run(sent).exit_code == 1
    assert ends(sent)[0][-1] == "refused"
    assert the_end(sent, 0).error == ("error: sweep/PendulumContinuous-v1: brittle refuses")
    assert records_below(tmp_path).keys() == {1, 2}


@pytest.mark.parametrize("how", ["raises", "memory", "killed"])
def test_a_first_run_that_fails_harms_no_job(tmp_path: Path, how: str) -> None:
    sent = of_brittle(tmp_path, [how, "well", "well"])
    assert run(sent).exit_code == 1
    assert records_below(tmp_path).keys() == {1, 2}


def test_a_run_that_another_process_has_is_left_to_it(tmp_path: Path) -> None:
    sent = of_brittle(tmp_path, ["well"] * 3)
    experiment = build_experiment(ENVIRONMENT, brittle(*["well"] * 3), "", "")
    folder = ResultFolder(Path(sent.results), Manifest.of(experiment, 0))
    with folder.lock(folder.run(1)):
        result = run(sent)
    assert (result, result.exit_code) == (Result(0, 0, None), 0)
    assert ends(sent) == {0: ["done"], 1: ["locked"], 2: ["done"]}


# -- time


@pytest.mark.parametrize("how", ["hangs", "deaf"])
def test_a_run_that_hangs_is_stopped_alone(tmp_path: Path, expected: Any, how: str) -> None:
    sent = of_brittle(tmp_path, ["well", how, "well", "well"], chunk={"run_seconds": 1})
    began = time.monotonic()
    assert run(sent).exit_code == 1
    assert time.monotonic() - began < 30
    assert ends(sent) == {0: ["done"], 1: ["timeout"], 2: ["done"], 3: ["done"]}
    assert same(records_below(tmp_path)[3], expected[3])


def test_of_a_batch_only_the_run_that_hangs_is_out_of_time(tmp_path: Path) -> None:
    sent = of_brittle(tmp_path, ["well", "hangs", "well"], batch=3, chunk={"run_seconds": 1})
    assert run(sent).exit_code == 1
    assert {index: each[-1] for index, each in ends(sent).items()} == {
        0: "done",
        1: "timeout",
        2: "done",
    }


def test_a_slow_run_goes_on_where_its_time_ended(tmp_path: Path, expected: Any) -> None:
    long = ENVIRONMENT | {"total_timesteps": 400, "eval_interval_timesteps": 400}
    sent = of_brittle(tmp_path, ["slow"], problem=long, chunk={"run_seconds": 1})
    attempts = 0
    while run(sent).exit_code == 1:
        attempts += 1
        assert attempts < 20
        assert ends(sent)[0] == ["timeout"] * attempts
    assert attempts >= 1
    assert any("resumes at timestep" in line for line in lines_of(sent.log_path(0), 0))


def test_before_the_time_limit_everything_is_saved(tmp_path: Path) -> None:
    long = ENVIRONMENT | {"total_timesteps": 100_000, "eval_episodes": 0}
    sent = of_brittle(tmp_path, ["slow"] * 3, problem=long, chunk={"seconds": 7}, saveBefore=5)
    began = time.monotonic()
    result = run(sent)
    assert time.monotonic() - began < 7 + 30
    assert (result, result.exit_code) == (Result(0, 3, "time limit"), 75)
    assert ends(sent) == {0: ["saved"], 1: ["saved"]}
    assert (left(sent).why, left(sent).unfinished) == ("time limit", 3)
    checkpoints = [path.suffix for path in Path(sent.results).glob("running/*")]
    assert checkpoints == [".checkpoint"] * 2


def test_the_end_that_slurm_tells_counts_if_it_is_earlier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = ENVIRONMENT | {"total_timesteps": 100_000, "eval_episodes": 0}
    sent = of_brittle(tmp_path, ["slow"], problem=long, chunk={"seconds": 3600}, saveBefore=5)
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 6))
    assert run(sent) == Result(0, 1, "time limit")


# -- signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT])
def test_asked_to_stop_it_saves_every_run(tmp_path: Path, number: signal.Signals) -> None:
    long = ENVIRONMENT | {"total_timesteps": 100_000, "eval_episodes": 0}
    sent = of_brittle(tmp_path, ["slow"] * 4, problem=long)
    before = signal.getsignal(number)

    def ask(event: object) -> None:
        if isinstance(event, Progressed) and event.timestep > 0:
            os.kill(os.getpid(), number)

    result = run_task(sent, 0, ask)
    assert (result, result.exit_code) == (Result(0, 4, number.name), 75)
    assert signal.getsignal(number) is before
    assert left(sent).why == number.name
    running = sorted(path.suffix for path in Path(sent.results).glob("running/*"))
    assert running == [".checkpoint"] * 2
    assert sorted(ends(sent).values()) == [["saved"], ["saved"]]


def test_asked_to_stop_before_it_began_it_begins_nothing(tmp_path: Path) -> None:
    sent = of_brittle(tmp_path, ["well"] * 4)

    def ask(event: object) -> None:
        if isinstance(event, Started):
            os.kill(os.getpid(), signal.SIGTERM)

    assert run_task(sent, 0, ask) == Result(0, 4, "SIGTERM")
    assert records_below(tmp_path) == {}


def test_one_that_does_not_listen_is_killed_in_the_end(tmp_path: Path) -> None:
    sent = prepare(tmp_path, "local", ["0"], program=write_program(tmp_path, DEAF))

    def ask(event: object) -> None:
        if isinstance(event, Progressed):
            os.kill(os.getpid(), signal.SIGTERM)

    assert run_task(sent, 0, ask) == Result(0, 1, "SIGTERM")
    assert ends(sent) == {0: ["saved"]}


def test_signalled_together_with_its_runs_it_takes_none_for_killed(tmp_path: Path) -> None:
    program = own_program(tmp_path, 'touch "began $6"; exec sleep 1000')
    sent = prepare(tmp_path, "local", ["0-1"], program=f"'{program}'", chunk={"slots": 2})
    process = start(sent, start_new_session=True)
    wait_until(lambda: len(list(tmp_path.glob("began *"))) == 2, process)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 75
    assert ends(sent) == {0: ["saved"], 1: ["saved"]}


# -- requeued


def test_put_back_it_does_not_try_again_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = of_brittle(tmp_path, ["raises", "well", "killed"])
    assert run(sent) == Result(2, 0, None)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert run(sent) == Result(2, 0, None)
    assert ends(sent)[0] == ["failed"]
    # sent once more, it does
    monkeypatch.setenv("SLURM_RESTART_COUNT", "0")
    assert run(sent) == Result(2, 0, None)
    assert ends(sent)[0] == ["failed", "failed"]


# -- programs of other people


def own_program(folder: Path, text: str) -> Path:
    """An executable file that is no Python."""
    path = folder / "train it"
    path.write_text(f"#!/bin/bash\n{text}")
    path.chmod(0o755)
    return path


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


# -- the pool by itself


class Shell:
    """Starts a line of shell, with the group as its arguments."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.slots: list[int] = []

    def start(self, group: Any, slot: int, output: int, status: int) -> int:
        self.slots.append(slot)
        process = subprocess.Popen(
            ["bash", "-c", self.line, "bash", *map(str, group)],
            stdout=output,
            stderr=output,
            pass_fds=[status],
            env={"STATUS": str(status)},
        )
        process.returncode = 0
        return process.pid

    def succeeded(self, group: Any) -> None:
        pass


def pooled(
    launcher: Shell, groups: list[list[int]], slots: int, **how: Any
) -> tuple[Pool, list[Ended]]:
    told: list[Ended] = []
    with StopSignals() as signals:
        how = {"ended": told.append, "said": lambda label, line: None} | how
        made = Pool(launcher, groups, slots, signals, **how)
        made.run()
    return made, told


def test_no_more_run_at_once_than_there_are_slots(tmp_path: Path) -> None:
    line = f"cd {tmp_path}; touch $1.runs; a=(*.runs); echo ${{#a[@]}}; sleep 0.05; rm $1.runs"
    most: list[int] = []
    launcher = Shell(line)
    made, told = pooled(
        launcher, [[i] for i in range(12)], 3, said=lambda label, text: most.append(int(text))
    )
    assert made.endings == {"done": 12}
    assert sorted(event.indices[0] for event in told) == list(range(12))
    assert 2 <= max(most) <= 3
    assert set(launcher.slots) == {0, 1, 2}


def test_what_a_process_tells_of_itself_is_heard() -> None:
    told = '{"timestep":40,"total":100,"start":10,"gpu_memory":7}'
    line = f"echo '{told}' >&$STATUS; echo nonsense >&$STATUS"
    changes: list[int] = []
    _, (ended,) = pooled(
        Shell(line), [[4, 5]], 1, changed=lambda child: changes.append(child.last.timestep)
    )
    assert changes == [0, 40]
    assert (ended.timesteps, ended.gpu_memory) == (60, 7)


def test_descendants_that_go_on_do_not_hold_the_job_up() -> None:
    began = time.monotonic()
    made, _ = pooled(Shell("sleep 30 & echo $!"), [[1]], 1)
    assert made.endings == {"done": 1}
    assert time.monotonic() - began < 20


def test_the_pool_leaves_no_descriptor_and_no_process() -> None:
    def mine() -> tuple[list[str], list[int]]:
        descriptors = sorted(path.name for path in Path("/proc/self/fd").iterdir())
        return descriptors, processes_with(1, os.getpid())

    before = mine()
    pooled(Shell("exit $1"), [[i % 4] for i in range(20)], 4)
    assert mine() == before


# -- the job as a process


def start(sent: Submission, *more: object, **how: Any) -> subprocess.Popen[str]:
    """With the brittle agent."""
    program = (
        "import sys, agents, brittle_agent; agents.AGENTS |= brittle_agent.AGENTS;"
        "from experiment.scheduling.job import main; sys.exit(main(sys.argv[1:]))"
    )
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    environment = {**os.environ, "PYTHONPATH": path}
    del environment[JOB_VARIABLE]
    return subprocess.Popen(
        [sys.executable, "-c", program, str(sent.folder), "0", *map(str, more)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **how,
    )


def wait_until(true: Callable[[], object], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.01)


def processes_with(field: int, value: int) -> list[int]:
    """Those that have not ended, by their parent (1) or their process group (2)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[field]) == value and fields[0] not in "ZX":
            found.append(int(path.parent.name))
    return found


def test_killed_a_job_leaves_no_process_and_its_runs_go_on_later(tmp_path: Path) -> None:
    long = ENVIRONMENT | {"total_timesteps": 400, "eval_interval_timesteps": 100}
    sent = of_brittle(tmp_path / "killed", ["slow"] * 3, problem=long)
    process = start(sent, start_new_session=True)
    wait_until(lambda: len(list(Path(sent.results).glob("running/*.lock"))) == 2, process)
    time.sleep(0.3)
    process.kill()
    process.communicate()
    end = time.monotonic() + 30
    while processes_with(2, process.pid):
        assert time.monotonic() < end, "a process was left behind"
        time.sleep(0.01)
    left_over = sorted(path.suffix for path in Path(sent.results).glob("running/*"))
    assert left_over == [".checkpoint"] * 2

    assert run(sent).exit_code == 0
    whole = of_brittle(tmp_path / "whole", ["slow"] * 3, problem=long)
    assert run(whole).exit_code == 0
    assert records_below(tmp_path / "killed") == records_below(tmp_path / "whole")
    assert "resumes at timestep" in "".join(lines_of(sent.log_path(0), 0))


def test_killed_a_job_takes_programs_with_it(tmp_path: Path) -> None:
    program = own_program(tmp_path, 'touch "began $6"; exec sleep 1000')
    sent = prepare(tmp_path, "local", ["0-1"], program=f"'{program}'", chunk={"slots": 2})
    process = start(sent, start_new_session=True)
    wait_until(lambda: len(list(tmp_path.glob("began *"))) == 2, process)
    process.kill()
    process.communicate()
    end = time.monotonic() + 30
    while processes_with(2, process.pid):
        assert time.monotonic() < end, "a process was left behind"
        time.sleep(0.01)


def test_a_job_ends_when_its_parent_does(tmp_path: Path) -> None:
    sent = of_brittle(tmp_path, ["well"])
    process = start(sent, 1, 1, pass_fds=[1])
    process.communicate(timeout=60)
    assert process.returncode == 75  # process 1 is not its parent
    assert happened(sent, 0) == []


def test_what_cannot_be_run_at_all_is_said_in_a_sentence(tmp_path: Path) -> None:
    sent = of_brittle(tmp_path, ["well"])
    for arguments, sentence in (
        ([sent.folder, 4], f"error: {sent.folder}: has 1 tasks, no number 4\n"),
        ([tmp_path / "x", 0], f"error: {tmp_path}/x/submission.json: cannot be read: No such file"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "experiment.scheduling.job", *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr.startswith(sentence)
        assert done.returncode in (1, 2)
        assert len(done.stderr.splitlines()) == 1
    assert submission.read(sent.folder) == sent
