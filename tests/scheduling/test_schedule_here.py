"""schedule.py on this machine: one call trains what is missing, and the next goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from small_sweep import LOCAL, SmallSweep, records_below, undisturbed
from sweep_runs import LINEAR_AC, ROOT, command, write_files

from experiment.scheduling import events
from experiment.scheduling.events import Left

#: Three settings.
THREE: dict[str, Any] = {"agent_name": "linearAC", "parameters": {"critic_lr": [0.01, 0.1, 0.3]}}
#: Minutes of training.
LONG: dict[str, Any] = {
    "total_timesteps": 3_000_000,
    "eval_interval_timesteps": 3_000_000,
    "eval_episodes": 0,
}
#: A program for EXECUTABLE: trains as main.py, but for index 2, which fails.
TROUBLE = f"""#!/bin/bash
[[ " $* " != *" --index 2 "* ]] || {{ echo "index 2 is trouble" >&2; exit 1; }}
exec {{python}} {ROOT / "main.py"} "$@"
"""


@pytest.fixture(autouse=True)
def _back_from_the_base_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def wait_for(
    sweep: SmallSweep, pattern: str, process: subprocess.Popen[str], count: int = 1
) -> None:
    """Until so many files are there."""
    end = time.monotonic() + 90
    while len(list(sweep.folder.rglob(pattern))) < count:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.01)


# -- what is trained


@pytest.mark.parametrize("program", ["main.py", "another"])
def test_runs_log_for_the_tools_that_are_named(program: str, tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path)
    if program == "another":
        script = tmp_path / "program"
        script.write_text(f'#!/bin/bash\nexec {sys.executable} {ROOT / "main.py"} "$@"\n')
        script.chmod(0o755)
        sweep.program = script
    assert sweep.schedule("--log", "tensorboard").code == 0
    assert len(list(sweep.results.glob("logs/tensorboard/*_0/events.out.tfevents.*"))) == 1


@pytest.mark.parametrize("batch", [1, 2])
def test_it_trains_what_is_missing_as_main_py_would(tmp_path: Path, batch: int) -> None:
    fields = {"total_timesteps": 300, "eval_interval_timesteps": 150}
    sweep = SmallSweep(tmp_path / "a sweep", LOCAL, THREE, **fields)
    first = sweep.schedule("--runs", 2, "--batch", batch)
    assert first.code == 0, first
    at_once = "2 at once" if batch == 1 else "2 batches of 2 at once"
    assert f"trains 6 runs here, {at_once}: no time limit" in first.said
    assert "6 runs, 6 done, 0 running, 0 queued, 0 failed, 0 missing" in first.said
    assert sweep.records() == undisturbed(sweep, tmp_path / "plain", "--runs", 2)
    before = sweep.snapshot()
    second = sweep.schedule("--runs", 2, "--batch", batch)
    assert second.code == 0
    assert "6 done" in second.said
    assert sweep.snapshot() == before
    assert set(sweep.times_done().values()) == {1}
    assert sweep.left_over() == []
    assert [len(event.indices) for event in sweep.ends()] == [batch] * (6 // batch)
    # more runs: only those, and what they will take is known now
    third = sweep.schedule("--runs", 3)
    assert re.search(
        r"trains 3 runs here, 2 at once: about \S+ core-hours at 0:00:0\d a run", third.said
    )
    assert sweep.indices() == [list(range(6)), [6, 7, 8]]


def test_of_several_agent_files_each_is_trained(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path / "sweep", LOCAL, THREE)
    sweep.write("random.json", {"agent_name": "random", "parameters": {}})
    sweep.agents = ["agent.json", "random.json"]
    answer = sweep.schedule("--indices", "1-2,7", "--seed-offset", 50)
    assert answer.code == 0
    assert len(re.findall(r"3 runs, 3 done", answer.said)) == 2
    folders = sorted(path.name for path in (sweep.folder / "results" / "out").iterdir())
    assert folders == [
        "sweep-PendulumContinuous-v1_linearAC",
        "sweep-PendulumContinuous-v1_random",
    ]
    runs = records_below(sweep.folder / "results" / "out" / folders[0])
    assert [runs[index]["random_seed"] for index in (1, 2, 7)] == [50, 50, 52]


def test_a_torn_record_is_done_again(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path / "sweep")
    sweep.schedule("--runs", 3)
    whole = sweep.records()
    path = next(sweep.results.glob("*_data_1.json"))
    path.write_bytes(path.read_bytes()[:-50])
    status = sweep.schedule("--runs", 3, "--status")
    assert "3 runs, 2 done, 0 running, 0 queued, 0 failed, 1 missing" in status.said
    assert "1 of the missing have a damaged record" in status.said
    assert sweep.schedule("--runs", 3).code == 0
    assert sweep.records() == whole
    assert path.with_name(path.name + ".damaged").exists()


def test_what_a_cluster_file_sets_up_is_there(tmp_path: Path) -> None:
    cluster = {
        "environment": {"GREETING": "good day"},
        "setup": ["export NAME=$(echo world)"],
        "threadsPerRun": 2,
    }
    sweep = SmallSweep(tmp_path / "sweep", LOCAL | cluster)
    program = sweep.folder / "program"
    program.write_text('#!/bin/sh\necho "$GREETING, $NAME: $OMP_NUM_THREADS" > said\n')
    program.chmod(0o755)
    sweep.program = program
    sweep.schedule()
    assert (sweep.folder / "said").read_text() == "good day, world: 2\n"


# -- what changes nothing


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path / "sweep", LOCAL, THREE)
    before = sweep.snapshot()
    answer = sweep.schedule("--dry-run", agree=False)
    assert answer.code == 0
    assert "trains 3 runs here" in answer.said
    assert "indices: 0-2" in answer.said
    for option in ("--status", "--cancel"):
        assert sweep.schedule(option, agree=False).code == 0
    assert sweep.schedule("--logs", 0).code == 1
    assert sweep.snapshot() == before


def test_scripts_can_be_written_and_run_by_hand(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path / "it's a sweep")
    assert sweep.schedule("--runs", 3, "--emit", tmp_path / "scripts").code == 0
    (script,) = (tmp_path / "scripts").iterdir()
    assert sweep.records() == {}
    done = subprocess.run([script], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "0 runs failed, 0 are unfinished\n"
    assert sweep.records().keys() == {0, 1, 2}
    assert "3 done" in sweep.schedule("--runs", 3).said


# -- others at the same sweep


def test_runs_that_main_py_has_in_hand_are_left_to_it(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path / "sweep", LOCAL, THREE, **LONG)
    files = write_files(sweep.folder, THREE, **LONG)
    arguments = (*files, "--save-dir", "out", "--index", 1)
    process = subprocess.Popen(
        command(*arguments),
        cwd=sweep.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(sweep, "*.lock", process)
        answer = sweep.schedule("--dry-run")
        assert "3 runs, 0 done, 1 running, 0 queued, 0 failed, 2 missing" in answer.said
        assert "indices: 0,2" in answer.said
        assert sweep.schedule("--indices", 1).code == 0  # somebody has it in hand
        assert sweep.submissions == []
    finally:
        process.kill()
        process.communicate()
    assert "0 running" in sweep.schedule("--status").said


def test_while_one_call_trains_others_see_it_and_can_take_it_back(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path / "sweep", LOCAL, THREE, **LONG)
    process = sweep.start()
    wait_for(sweep, "*.lock", process, 3)  # the submission's, and of two runs
    status = sweep.schedule("--status")
    assert "0 done, 3 running, 0 queued, 0 failed, 0 missing" in status.said
    second = sweep.schedule()
    assert (second.code, len(sweep.submissions)) == (0, 1)
    sweep.write("agent.json", THREE | {"parameters": {"critic_lr": [0.1]}})
    edited = sweep.schedule()
    assert edited.code == 2
    assert "1 jobs of the files before the edit are queued or running" in edited.complained
    sweep.write("agent.json", THREE)
    assert "took back 1 jobs" in sweep.schedule("--cancel").said
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 75, said
    assert "stopped (SIGTERM); 3 unfinished, run it again to go on" in said
    assert {event.ended for event in sweep.ends()} == {"saved"}
    assert sorted(Path(name).suffix for name in sweep.left_over()) == [".checkpoint"] * 2


def test_interrupted_it_saves_and_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"total_timesteps": 60_000, "eval_interval_timesteps": 30_000}
    sweep = SmallSweep(tmp_path / "sweep", LOCAL, THREE, **fields)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        process = sweep.start()
        # locks of two runs, and the submission's
        wait_for(sweep, "*.lock", process, 3)
        time.sleep(0.2)
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 75, said
        assert "Traceback" not in said
    again = sweep.schedule()
    assert again.code == 0, again
    assert sweep.records() == undisturbed(sweep, tmp_path / "plain", "--runs", 1)
    assert set(sweep.times_done().values()) == {1}
    assert sweep.left_over() == []


def test_interrupted_at_any_moment_of_its_start_it_ends_in_order(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path / "sweep", **LONG)
    for number in range(4):
        process = sweep.start("--runs", 3)
        wait_for(sweep, "submission.json", process, number + 1)
        time.sleep(0.4 * number)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        # before it has begun to train, Ctrl-C is as with any program
        assert process.returncode == 75 or said.endswith("Aborted!\n"), said
        assert "Traceback" not in said
    assert not [name for name in sweep.left_over() if name.endswith(".lock")]


def test_where_the_job_is_killed_that_is_said_and_the_next_call_goes_on(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"total_timesteps": 20_000, "eval_interval_timesteps": 20_000}
    sweep = SmallSweep(tmp_path / "sweep", **fields)
    process = sweep.start("--runs", 3)
    wait_for(sweep, "*.lock", process, 3)
    first = json.loads(next(sweep.folder.rglob("task-0.jsonl")).read_text().splitlines()[0])
    os.kill(int(first["job"].removeprefix("process ")), signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.splitlines()[-1].startswith("error: the job of ")
    assert "was killed by SIGKILL before its runs had ended" in said
    assert sweep.schedule("--runs", 3).code == 0
    assert sweep.records().keys() == {0, 1, 2}


# -- failures


def test_a_run_that_fails_is_tried_some_times_and_then_held_back(tmp_path: Path) -> None:
    cluster = LOCAL | {"retry": {"attempts": 2}}
    sweep = SmallSweep(tmp_path / "sweep", cluster, {"agent_name": "random", "parameters": {}})
    program = sweep.folder / "trouble"
    program.write_text(TROUBLE.replace("{python}", command()[0]))
    program.chmod(0o755)
    sweep.program = f"'{program}'"
    first = sweep.schedule("--runs", 4)
    assert first.code == 1, first
    assert "4 runs, 3 done, 0 running, 0 queued, 1 failed, 0 missing" in first.said
    assert "1 x failed: index 2 is trouble" in first.said
    assert "    index 2; the end of the log of 2:" in first.said
    logs = sweep.schedule("--logs", 2)
    assert logs.code == 0
    name, *lines = logs.said.splitlines()
    assert name.endswith("_random, index 2:")
    assert lines[0].endswith(" index 2: index 2 is trouble")
    second = sweep.schedule("--runs", 4)
    assert second.code == 1
    assert "1 failed too often and are not sent again; --retry-failed sends them" in second.said
    third = sweep.schedule("--runs", 4)
    assert (third.code, len(sweep.submissions)) == (1, 2)
    sweep.program = ROOT / "main.py"
    fourth = sweep.schedule("--runs", 4, "--retry-failed")
    assert fourth.code == 0, fourth
    assert "4 done" in fourth.said
    assert sweep.times_done() == {0: 1, 1: 1, 2: 1, 3: 1}


def test_a_program_that_writes_no_record_is_found_out(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path / "sweep")
    sweep.program = "true"
    answer = sweep.schedule("--runs", 2)
    assert answer.code == 75
    assert "2 x ended well, but without a record" in answer.said


def test_before_its_time_limit_a_job_saves(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path / "sweep", LOCAL | {"time": 1, "saveBefore": 56}, **LONG)
    answer = sweep.schedule("--runs", 3)
    assert answer.code == 75
    (one,) = sweep.submissions
    *_, last = events.read(one.events_path(0))
    assert isinstance(last, Left)
    assert (last.why, last.unfinished) == ("time limit", 3)


# -- edits


def test_an_edit_is_shown_and_adopted_when_asked_for(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path / "sweep", LOCAL, THREE)
    sweep.schedule()
    before = sweep.records()
    sweep.write("agent.json", THREE | {"parameters": {"critic_lr": [0.3, 0.5]}})
    refused = sweep.schedule()
    assert refused.code == 2
    assert "the configuration is not the one that its results were made with" in refused.complained
    assert "go on with --adopt" in refused.complained
    files = sweep.snapshot()
    assert sweep.schedule("--adopt", "--dry-run").code == 0
    assert sweep.snapshot() == files
    adopted = sweep.schedule("--adopt")
    assert adopted.code == 0
    assert "plan: kept 1 records" in adopted.complained
    assert "2 runs, 1 done, 0 running, 0 queued, 0 failed, 1 missing" in adopted.said
    assert sweep.indices() == [[0, 1, 2], [1]]
    after = records_below(sweep.results)
    assert after[0]["setting_id"] == before[2]["setting_id"]
    assert after.keys() == {0, 1}


def test_an_index_means_what_its_own_submission_says(tmp_path: Path) -> None:
    """What failed before an edit says nothing of the run that has its index after it."""
    sweep = SmallSweep(tmp_path / "sweep", LOCAL | {"retry": {"attempts": 1}}, THREE)
    sweep.program = "false"
    assert sweep.schedule().code == 1
    sweep.program = ROOT / "main.py"
    held = sweep.schedule()
    assert (held.code, held.said.count("failed too often")) == (1, 1)
    sweep.write("agent.json", LINEAR_AC)
    answer = sweep.schedule("--indices", "2")
    assert answer.code == 0
    assert "1 done" in answer.said


def test_what_a_process_left_that_was_killed_after_its_record_is_cleared_away(
    tmp_path: Path,
) -> None:
    sweep = SmallSweep(tmp_path / "sweep", LOCAL)
    assert sweep.schedule("--runs", 2).code == 0
    whole = sweep.records()
    name = next(sweep.results.glob("*_data_1.json")).stem
    setting, seed = (sweep.records()[1][key] for key in ("setting_id", "random_seed"))
    running = sweep.results / "running"
    process = subprocess.Popen(["sleep", "0"])
    process.wait()
    gone = {"host": socket.gethostname(), "pid": process.pid, "since": "then"}
    (running / f"{setting}-{seed}.lock").write_text(json.dumps(gone))
    (running / f"{setting}-{seed}.checkpoint").touch()
    half = sweep.results / f".{name}.json.x.tmp"
    half.touch()
    assert "2 done" in sweep.schedule("--runs", 2, "--status").said
    assert len(list(running.iterdir())) == 2
    assert sweep.schedule("--runs", 2).code == 0
    assert [*running.iterdir(), *half.parent.glob(".*.tmp")] == []
    assert sweep.records() == whole
