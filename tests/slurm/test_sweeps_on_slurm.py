"""Sweeps on a real Slurm: whatever happens to their jobs, every record comes out, and is the same.

72 indices (36 settings, two seeds) go into tasks of eight, two side by side.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster import SlurmCluster, wait_until
from sweep_runs import LINEAR_AC
from sweeps import SlurmSweep, undisturbed

from experiment.scheduling import events, submission
from experiment.scheduling.events import Ended

#: Long enough to be caught in the act: a second or two.
STEPS = 40_000
ENVIRONMENT: dict[str, Any] = {
    "total_timesteps": STEPS,
    "eval_interval_timesteps": 10_000,
    "eval_episodes": 1,
}
#: Longer than the eight seconds that SHORT_JOB leaves it.
LONG: dict[str, Any] = {
    "total_timesteps": 1_200_000,
    "eval_interval_timesteps": 1_200_000,
    "eval_episodes": 1,
}
ONE_SETTING = {"agent_name": "linearAC", "parameters": {}}
#: A limit is a minute at least; most of it is left for saving, so that the test is short.
SHORT_JOB = {"time": 1, "saveBefore": 52, "sequential": 1}


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What an undisturbed sweep gives."""
    return undisturbed(tmp_path_factory.mktemp("undisturbed"), LINEAR_AC, 2, **ENVIRONMENT)


@pytest.fixture(scope="session")
def expected_of_long(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What an undisturbed long run gives."""
    return undisturbed(tmp_path_factory.mktemp("undisturbed"), ONE_SETTING, 1, **LONG)


def states(slurm: SlurmCluster, job: str) -> Counter[str]:
    """How many elements of an array `sacct` says to be in which state."""
    answer = slurm.run("sacct", "-X", "-n", "-P", "-j", job, "-o", "JobID,State")
    return Counter(line.partition("|")[2].split()[0] for line in answer.splitlines())


def runs_ended(sweep: SlurmSweep) -> Counter[int]:
    """How often each index was run to its end."""
    return Counter(
        index
        for sent in submission.all_of(sweep.results)
        for task in range(len(sent.tasks))
        for event in events.read(sent.events_path(task))
        if isinstance(event, Ended) and event.ended == "done"
        for index in event.indices
    )


def running(slurm: SlurmCluster, job: str) -> list[str]:
    """Elements of an array that run."""
    return slurm.run("squeue", "-h", "-r", "-j", job, "-t", "RUNNING", "-o", "%i").split()


def pid_of_a_run(sweep: SlurmSweep) -> int | None:
    """A process that trains an index now."""
    import json

    for lock in sweep.locks():
        try:
            pid = json.loads(lock.read_text())["pid"]
        except (OSError, ValueError):
            continue
        return int(pid)
    return None


def test_a_sweep_completes_and_a_second_call_sends_nothing(
    slurm: SlurmCluster, tmp_path: Path, expected: dict[str, dict[str, Any]]
) -> None:
    sweep = SlurmSweep(tmp_path, LINEAR_AC, **ENVIRONMENT)
    assert "sends 72 runs in 9 jobs" in sweep.schedule("--runs", 2)
    assert "sends" not in sweep.schedule("--runs", 2)  # while they are queued and running
    sweep.schedule("--runs", 2, "--wait")
    assert sweep.records() == expected
    assert set(runs_ended(sweep).values()) == {1}
    (job,) = sweep.jobs()
    wait_until(lambda: states(slurm, job) == {"COMPLETED": 9})
    assert "72 done" in sweep.schedule("--runs", 2)
    assert sweep.locks() == []


def test_a_sweep_survives_what_happens_on_clusters(
    slurm: SlurmCluster, tmp_path: Path, expected: dict[str, dict[str, Any]]
) -> None:
    sweep = SlurmSweep(tmp_path, LINEAR_AC, {"arrayParallelism": 2}, **ENVIRONMENT)
    sweep.schedule("--runs", 2)
    (job,) = sweep.jobs()

    # somebody requeues an element in the middle
    wait_until(lambda: bool(running(slurm, job)) and pid_of_a_run(sweep) is not None)
    requeued = running(slurm, job)[0]
    slurm.run("scontrol", "requeue", requeued)

    # a process of a run is killed
    wait_until(lambda: bool(running(slurm, job)) and pid_of_a_run(sweep) is not None)
    pid = pid_of_a_run(sweep)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)

    # slurmd goes away for a while
    slurm.stop_slurmd()
    slurm.start_slurmd()

    # a task is cancelled
    wait_until(lambda: bool(running(slurm, job)))
    cancelled = running(slurm, job)[-1]
    slurm.run("scancel", cancelled)
    wait_until(lambda: states(slurm, job)["CANCELLED"] == 1)

    wait_until(lambda: "cancelled" in sweep.schedule("--runs", 2, "--status"))
    while sweep.records() != expected:
        assert sweep.records().keys() <= expected.keys()
        sweep.schedule("--runs", 2, "--wait")
    assert set(runs_ended(sweep).values()) == {1}
    assert sweep.locks() == []


def test_a_time_limit_shorter_than_the_run_only_means_more_jobs(
    slurm: SlurmCluster, tmp_path: Path, expected_of_long: dict[str, dict[str, Any]]
) -> None:
    sweep = SlurmSweep(tmp_path, ONE_SETTING, SHORT_JOB, **LONG)
    sweep.schedule("--wait")
    assert sweep.records() == expected_of_long
    (job,) = sweep.jobs()
    wait_until(lambda: slurm.sacct_state(job) == "COMPLETED")
    assert int(slurm.job(job)["Restarts"]) >= 1


def test_a_job_that_may_not_be_put_back_again_fails_and_the_next_call_goes_on(
    slurm: SlurmCluster, tmp_path: Path, expected_of_long: dict[str, dict[str, Any]]
) -> None:
    sweep = SlurmSweep(tmp_path, ONE_SETTING, SHORT_JOB, **LONG)
    sweep.schedule("--max-requeues", 0)
    (job,) = sweep.jobs()
    wait_until(lambda: slurm.sacct_state(job) == "FAILED", 90)
    for _ in range(10):
        sweep.schedule("--wait")
        if sweep.records():
            break
    assert sweep.records() == expected_of_long
    assert len(sweep.jobs()) > 1


def test_a_run_that_fails_fails_alone_and_sacct_says_so(
    slurm: SlurmCluster, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "index = sys.argv[sys.argv.index('--index') + 1]\n"
        "print('index', index, 'speaks')\n"
        "sys.exit('this one fails' if index == '2' else 0)\n"
    )
    sweep = SlurmSweep(tmp_path, {"agent_name": "random", "parameters": {}})
    done = sweep.schedule("--runs", 4, "--wait", program=program, codes=(1,))
    assert "1 x failed: this one fails" in done
    (job,) = sweep.jobs()
    wait_until(lambda: slurm.sacct_state(job) == "FAILED")
    ends = {
        index: event.ended
        for sent in submission.all_of(sweep.results)
        for event in events.read(sent.events_path(0))
        if isinstance(event, Ended)
        for index in event.indices
    }
    assert ends == {0: "done", 1: "done", 2: "failed", 3: "done"}


def test_arrays_are_cut_at_the_cluster_s_own_limit(slurm: SlurmCluster, tmp_path: Path) -> None:
    agent = {"agent_name": "random", "parameters": {}}
    sweep = SlurmSweep(tmp_path, agent, {"cores": 1, "sequential": 1}, total_timesteps=20)
    # ids of an array must be below MaxArraySize, 21 here
    assert "sends 30 runs in 30 jobs" in sweep.schedule("--runs", 30)
    assert len(sweep.jobs()) == 2
    sweep.schedule("--runs", 30, "--cancel")
    wait_until(lambda: slurm.run("squeue", "-h") == "", 60)


def test_an_emitted_script_puts_its_own_job_back(
    slurm: SlurmCluster, tmp_path: Path, expected_of_long: dict[str, dict[str, Any]]
) -> None:
    sweep = SlurmSweep(tmp_path, ONE_SETTING, SHORT_JOB, **LONG)
    sweep.schedule("--emit", tmp_path / "scripts")
    (script,) = (tmp_path / "scripts").iterdir()
    slurm.run("sbatch", str(script))
    sweep.schedule("--wait")  # it is known by its name; nothing else is sent
    assert sweep.jobs() == []
    (job,) = slurm.run("sacct", "-X", "-n", "-P", "-o", "JobID", "--name", script.stem).split()
    wait_until(lambda: slurm.sacct_state(job) == "COMPLETED")
    assert int(slurm.job(job)["Restarts"]) >= 1
    assert sweep.records() == expected_of_long
