"""A job and its pool of processes: whatever becomes of a run, its neighbours are as without it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from batch_submission import ENVIRONMENT, happened
from brittle_jobs import brittle, ends, left, of_brittle, run, same, the_end
from small_sweep import records_below

from experiment.configuration import build_experiment
from experiment.folder import ResultFolder
from experiment.lock import held
from experiment.manifest import Manifest
from experiment.scheduling.events import Ended, Left, Started
from experiment.scheduling.job import Result
from experiment.scheduling.task_log import lines_of

# xdist has a thread of its own, which the processes of a pool do without
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("this_process_is_a_node", "short_grace"),
]


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
