"""What jobs wrote of their runs, added up beside what was asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from experiment.scheduling import dispatch, events, submission, usage
from experiment.scheduling.backends import Accounted, Limits, Queued
from experiment.scheduling.cluster import check_cluster
from experiment.scheduling.dispatch import Wish
from experiment.scheduling.events import PILOT_OVER, Ended, Event, Left, Started
from experiment.scheduling.launchers import Growth
from experiment.scheduling.measured import Measured, attempts_of, measure
from experiment.scheduling.sizing import MIB
from experiment.scheduling.submission import Submission
from experiment.scheduling.sweep import Sweep, open_sweep

HOUR = 3600.0
CLUSTER = {"scheduler": "slurm", "time": "02:00:00", "cores": 2, "sequential": 2, "memPerCpu": "1G"}
#: 1000 timesteps, and an agent that stores each of them for 500.
ENVIRONMENT = {
    "env_name": "CartPole-v1",
    "total_timesteps": 1000,
    "steps_per_episode": 100,
    "eval_interval_timesteps": 500,
    "eval_episodes": 1,
}
AGENT = {"agent_name": "DQN", "parameters": {"replay_capacity": [500], "critic_lr": [0.1, 0.2]}}


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """Eight runs of which nobody has done one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "environment.json").write_text(json.dumps(ENVIRONMENT))
    (tmp_path / "agent.json").write_text(json.dumps(AGENT))
    files = tmp_path / "environment.json", tmp_path / "agent.json"
    opened = open_sweep(*files, None, None, 4, 0)
    opened.look({}, {}, attempts=3, retry_failed=False)
    return opened


def send(sweep: Sweep, *, batch: int = 1, **fields: Any) -> Submission:
    """A submission of all of them, on disk, that no scheduler knows."""
    cluster = check_cluster(CLUSTER | fields, "cluster.json")
    device = "cuda" if cluster.gpus else "cpu"
    wish = Wish(cluster, "main.py", Path.cwd(), None, 0, batch, device)
    plan = dispatch.make_plan(sweep, wish, Limits(), None)
    assert plan is not None
    sweep.folder.create()
    submission.write(plan.sent, dict(sweep.experiment.files))
    return plan.sent


def job(sent: Submission, task: int, *told: Event) -> None:
    """What a job wrote."""
    writer = events.Writer(sent.events_path(task))
    for event in told:
        writer.write(event)
    writer.close()


def started(time: float = 0.0, attempt: int = 0) -> Started:
    return Started(time, "node", "7_0", attempt)


def ended(
    index: int | Sequence[int], how: Any = "done", wall: float = 1000.0, **fields: Any
) -> Ended:
    """A run that takes 1000 seconds, and keeps a core busy half of the time."""
    indices = [index] if isinstance(index, int) else list(index)
    values: dict[str, Any] = {"cpu": wall / 2, "memory": 300 * MIB}
    if how != "failed":
        values["timesteps"] = 1000 * len(indices)
    return Ended(indices, how, 0.0, wall, **(values | fields))


def left(time: float, why: str = "finished", unfinished: int = 0) -> Left:
    return Left(time, why, unfinished, 200 * MIB)


def look(sweep: Sweep, sent: Submission, queued: Any = None, accounted: Any = None) -> usage.Usage:
    """The usage of one submission."""
    attempts = list(attempts_of([sent], queued or {}, accounted or {}))
    return usage.usage_of(attempts, measure(sweep, attempts), sent.batch or 1)


def measured(sweep: Sweep, sent: Submission) -> Measured:
    return measure(sweep, attempts_of([sent], {}, {}))


# -- the table


def test_asked_and_used_side_by_side(sweep: Sweep) -> None:
    sent = send(sweep)
    fast, slow = ended(0, wall=1000), ended(1, wall=1400, memory=500 * MIB)
    job(sent, 0, started(), fast, slow, ended(2), ended(3, wall=1200), left(2880))
    job(sent, 1, started(), *(ended(index) for index in range(4, 8)), left(2160))
    found = look(sweep, sent)
    assert list(usage.plain(usage.rows(found))) == [
        "                     asked   median     95 %  largest  of asked",
        "time of a run            -  0:16:40  0:23:20  0:23:20",
        "time of a job      2:00:00  0:36:00  0:48:00  0:48:00       40%",
        "memory of a run  1,024 MiB  300 MiB  500 MiB  500 MiB       49%",
        "cores of a run        1.00     0.50     0.50     0.50       50%",
    ]
    # 2 cores for 48 and for 36 minutes; their runs took 4600 and 4000 seconds of it
    assert list(usage.summary(found)) == [
        "2 jobs, 0 requeues, 0 ended without a word",
        "core-hours: 2.8 held, 2.4 used (85%), 0.41 idle (15%), 0 in runs that failed (0%)",
    ]


def test_a_slot_without_a_run_is_idle(sweep: Sweep) -> None:
    sent = send(sweep)
    job(sent, 0, started(), ended(0, wall=HOUR), left(HOUR))
    found = look(sweep, sent)
    assert (found.core_hours, found.idle) == (2, 1)


def test_runs_that_fail_are_counted_apart_and_measure_nothing(sweep: Sweep) -> None:
    sent = send(sweep)
    job(sent, 0, started(), ended(0, "failed", wall=HOUR), ended(1, wall=HOUR), left(HOUR))
    found = look(sweep, sent)
    assert (found.failed, found.idle, len(found.measured.seconds)) == (1, 0, 1)


def test_a_requeued_job_is_one_job_that_ran_twice(sweep: Sweep) -> None:
    sent = send(sweep)
    job(sent, 0, started(), ended(0, "saved", timesteps=600), left(1000, "time limit", 1))
    job(sent, 0, started(5000, 1), ended(0, timesteps=400, wall=700), left(5700))
    found = look(sweep, sent)
    assert (found.jobs, found.requeues, sorted(found.job_seconds)) == (1, 1, [700, 1000])


def test_a_job_that_was_killed_held_its_cores_as_long_as_the_scheduler_says(sweep: Sweep) -> None:
    sent = send(sweep)
    job(sent, 0, started(), ended(0))
    account = {(sent.name, 0): Accounted("7_0", "OUT_OF_MEMORY", 3600)}
    found = look(sweep, sent, accounted=account)
    assert (found.lost, found.core_hours) == (1, 2)


def test_a_job_that_runs_is_not_judged(sweep: Sweep) -> None:
    sent = send(sweep)
    job(sent, 0, started(), ended(0))
    found = look(sweep, sent, queued={(sent.name, 0): Queued("7_0", "running")})
    assert (found.jobs, found.running, found.core_hours, found.idle) == (1, 1, 0, 0)
    assert len(found.measured.seconds) == 1  # but its runs are


def test_before_any_run_has_ended_there_is_little_to_tell(sweep: Sweep) -> None:
    sent = send(sweep)
    job(sent, 0, started())
    found = look(sweep, sent, queued={(sent.name, 0): Queued("7_0", "running")})
    assert found.measured.used() is None
    assert next(usage.plain(usage.rows(found))).split()[0] == "asked"


def test_a_terminal_gets_a_table() -> None:
    from rich.console import Console

    console = Console(file=sys.stdout, width=80)
    with console.capture() as captured:
        console.print(usage.as_table([("time of a run", "-", "1", "2", "3", "50%")]))
    assert "time of a run" in captured.get()


# -- what runs tell


def test_what_a_run_takes_is_told_by_its_speed_where_it_did_not_end(sweep: Sweep) -> None:
    sent = send(sweep)
    part = ended(0, "saved", wall=100.0, timesteps=250)
    job(sent, 0, started(), part, left(110, PILOT_OVER, 1))
    found = measured(sweep, sent)
    assert (found.seconds, found.rates, found.whole) == ([400], [2.5], 0)
    assert found.job_memory == 200 * MIB


def test_a_moment_of_a_run_counts_for_nothing_beside_whole_ones(sweep: Sweep) -> None:
    sent = send(sweep)
    moment = ended(1, "saved", wall=60.0, timesteps=1)
    job(sent, 0, started(), ended(0), moment, left(1000, "SIGTERM", 1))
    assert measured(sweep, sent).seconds == [1000]


def test_a_program_that_tells_nothing_is_measured_by_runs_that_end(sweep: Sweep) -> None:
    sent = send(sweep)
    silent = [ended(0, timesteps=0), ended(1, "saved", wall=10.0, timesteps=0)]
    job(sent, 0, started(), *silent, left(1000, PILOT_OVER, 1))
    assert measured(sweep, sent).seconds == [1000]


def test_the_last_and_smaller_batch_of_a_task_is_left_out(sweep: Sweep) -> None:
    sent = send(sweep, batch=3)
    job(sent, 0, started(), ended([0, 1, 2], wall=900), ended([3], wall=300), left(1200))
    assert measured(sweep, sent).seconds == [900]


def test_a_run_that_did_not_end_would_have_stored_more(sweep: Sweep) -> None:
    sent = send(sweep)
    growth = {"resident": 300 * MIB, "growth": 1.0 * MIB}
    stopped = ended(0, "saved", timesteps=100, start=100, **growth)
    job(sent, 0, started(), stopped, left(1000, PILOT_OVER, 1))
    found = measured(sweep, sent)
    # it stores 500 timesteps, of which 200 are there
    assert (found.seen, found.memory) == ([300 * MIB], [600 * MIB])


def test_runs_that_shared_a_gpu_say_how_many_they_were(sweep: Sweep) -> None:
    sent = send(sweep, cores=8, gpus=2, runsPerGpu=3)
    job(sent, 0, started(), ended(0, gpu_memory=2 * MIB, gpu_size=9 * MIB), left(1000))
    found = measured(sweep, sent)
    assert (found.beside, found.gpu_memory, found.gpu_size) == (3, 2 * MIB, 9 * MIB)


def test_growth_is_that_of_the_later_half() -> None:
    growth = Growth()
    # 1000 at once, then 2 each
    seen = [growth.seen(at, 5000 + (1000 if at > 1 else 0) + 2 * at) for at in range(1, 101)]
    assert seen[0] == 0
    assert seen[-1] == 2
