"""schedule.py and Slurm: what is sent, and how much at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from slurm_answers import finish, sent, sentence
from small_sweep import LOCAL, SLURM, SmallSweep
from stub_slurm import StubSlurm
from sweep_runs import LINEAR_AC, RANDOM

from experiment.scheduling.backends.slurm import most_jobs
from experiment.scheduling.cluster import check_cluster
from experiment.scheduling.patience import Patience

# -- what is sent


def test_it_sends_what_is_missing_and_the_second_time_nothing(
    sweep: SmallSweep, slurm: StubSlurm
) -> None:
    first = sweep.schedule("--runs", 2)
    assert first.code == 0, first
    assert "sends 72 runs in 18 jobs: at most 36 core-hours" in first.said
    assert "sent as 1001" in first.said
    assert sent(slurm) == [18]
    assert sweep.indices() == [list(range(72))]
    second = sweep.schedule("--runs", 2)
    assert second.code == 0
    assert "72 queued" in second.said
    assert "72 wait: Resources" in second.said
    assert sent(slurm) == [18]


def test_what_is_done_or_running_is_left_alone(sweep: SmallSweep, slurm: StubSlurm) -> None:
    sweep.schedule("--indices", "0-7")
    slurm.becomes("RUNNING", 0)
    slurm.becomes("COMPLETED", 1)
    finish(sweep, 0, 4, 5, 6, 7, 9)
    answer = sweep.schedule()
    assert "36 runs, 6 done, 3 running, 0 queued, 0 failed, 27 missing" in answer.said
    assert sweep.indices() == [list(range(8)), [8, *range(10, 36)]]


def test_an_array_says_what_the_cluster_file_says(tmp_path: Path, slurm: StubSlurm) -> None:
    site = {
        "account": "def-prof",
        "partition": "long",
        "qos": "normal",
        "arrayParallelism": 5,
        "constraint": "skylake",
        "mail": {"user": "a@example.org"},
        "modules": ["python/3.11"],
        "environment": {"KIND": "a b"},
        "setup": ["source env/bin/activate"],
        "directives": {"exclude": "node7"},
        "saveBefore": 300,
        "threadsPerRun": 2,
        "cores": 4,
    }
    sweep = SmallSweep(tmp_path / "sweep", SLURM | site, LINEAR_AC)
    assert sweep.schedule().code == 0
    (job,) = slurm.jobs
    (submitted,) = sweep.submissions
    options = job["options"]
    assert options == {
        "account": "def-prof",
        "array": "0-8%5",
        "chdir": str(sweep.folder),
        "constraint": "skylake",
        "cpus-per-task": "4",
        "exclude": "node7",
        "job-name": f"{submitted.name}-0",
        "mail-type": "END,FAIL",
        "mail-user": "a@example.org",
        "mem-per-cpu": "1024M",
        "nodes": "1",
        "ntasks-per-node": "1",
        "open-mode": "append",
        "output": f"{submitted.folder}/%A_%a_0_log.out",
        "partition": "long",
        "qos": "normal",
        "requeue": True,
        "signal": "USR2@300",
        "time": "60",
        "wckey": "submitit",
    }
    lines = job["script"].splitlines()
    start = lines.index("# setup") + 1
    assert lines[start : start + 7] == [
        "export OMP_NUM_THREADS=2",
        "export MKL_NUM_THREADS=2",
        "export OPENBLAS_NUM_THREADS=2",
        "module load python/3.11",
        "export KIND='a b'",
        next(line for line in lines if line.startswith("export PYTHONPATH=")),
        "source env/bin/activate",
    ]


def test_gpus_go_by_job(tmp_path: Path, slurm: StubSlurm) -> None:
    gpus = {"gpus": 2, "gpuType": "a100", "runsPerGpu": 2, "cores": 4, "sequential": 1}
    sweep = SmallSweep(tmp_path / "sweep", SLURM | gpus, LINEAR_AC)
    assert sweep.schedule("--indices", "0-4").code == 0
    assert [job["options"]["gpus-per-node"] for job in slurm.jobs] == ["a100:2", "a100:1"]
    assert [job["options"]["cpus-per-task"] for job in slurm.jobs] == ["4", "1"]
    assert {one.device for one in sweep.submissions} == {"cuda"}


def test_gpu_on_the_command_line_goes_before_the_cluster_file(
    tmp_path: Path, slurm: StubSlurm
) -> None:
    sweep = SmallSweep(tmp_path / "sweep", SLURM | {"cores": 4}, LINEAR_AC)
    assert sweep.schedule("--gpu", 2, "--indices", "0-3").code == 0
    assert slurm.jobs[-1]["options"]["gpus-per-node"] == "2"
    gpus = {"gpus": 2, "gpuType": "a100", "runsPerGpu": 2, "cores": 4}
    sweep.write("cluster.json", SLURM | gpus)
    assert sweep.schedule("--gpu", 0, "--indices", "10-13").code == 0
    assert "gpus-per-node" not in slurm.jobs[-1]["options"]
    assert [one.device for one in sweep.submissions] == ["cuda", "cpu"]
    answer = sweep.schedule("--gpu", 3)
    assert "cluster.json with --gpu 3: cores is 4: expected at least 6" in sentence(answer, 2)


def test_requeues_on_the_command_line_go_before_the_cluster_file(
    sweep: SmallSweep, slurm: StubSlurm
) -> None:
    assert sweep.schedule("--max-requeues", 3, "--indices", "0").code == 0
    (one,) = sweep.submissions
    assert one.cluster.max_requeues == 3
    sweep.write("cluster.json", LOCAL)
    said = sentence(sweep.schedule("--max-requeues", 3), 2)
    assert "cluster.json with --max-requeues 3: maxRequeues is 3: scheduler local has no" in said


def test_batches_are_groups_of_a_job(sweep: SmallSweep, slurm: StubSlurm) -> None:
    answer = sweep.schedule("--batch", 3)
    assert "sends 36 runs in 3 jobs" in answer.said
    (one,) = sweep.submissions
    assert one.batch == 3
    assert [len(one.indices(task)) for task in range(3)] == [12, 12, 12]


def test_a_batch_of_auto_is_what_suits_the_agent(tmp_path: Path, slurm: StubSlurm) -> None:
    sweep = SmallSweep(tmp_path / "sweep", SLURM, RANDOM)
    assert sweep.schedule("--batch", "auto", "--runs", 36).code == 0
    (one,) = sweep.submissions
    assert one.batch == 8
    assert [len(one.indices(task)) for task in range(len(one.tasks))] == [32, 4]
    # the last job has one group, which cannot use two cores
    assert [job["options"]["cpus-per-task"] for job in slurm.jobs] == ["2", "1"]


def test_runs_of_an_offset_have_other_seeds(sweep: SmallSweep, slurm: StubSlurm) -> None:
    assert sweep.schedule("--seed-offset", 100).code == 0
    (one,) = sweep.submissions
    assert one.seed_offset == 100
    answer = sweep.schedule()
    assert "holds results of --seed-offset 100, not 0; use another --save-dir" in sentence(
        answer, 2
    )


def test_several_agent_files_are_several_sweeps(sweep: SmallSweep, slurm: StubSlurm) -> None:
    sweep.write("random.json", {"agent_name": "random", "parameters": {}})
    sweep.agents = ["agent.json", "random.json"]
    answer = sweep.schedule("--runs", 3)
    assert answer.code == 0
    assert "linearAC: sends 108 runs in 27 jobs" in answer.said
    assert "random: sends 3 runs in 1 job:" in answer.said
    assert sent(slurm) == [27, 1]
    status = sweep.schedule("--runs", 3, "--status")
    assert len([line for line in status.said.splitlines() if "queued" in line]) == 2


def test_two_agent_files_of_one_folder_are_refused(sweep: SmallSweep, slurm: StubSlurm) -> None:
    sweep.write("other.json", {"agent_name": "linearAC", "parameters": {"decay": [0.1]}})
    sweep.agents = ["agent.json", "other.json"]
    assert re.search(
        r"other\.json: its results go to \S+_linearAC, as those of another file do; "
        "use another SAVE_DIR",
        sentence(sweep.schedule(), 2),
    )
    assert slurm.jobs == []


# -- limits of the site


def test_arrays_are_as_long_as_the_site_lets_them_be(tmp_path: Path, slurm: StubSlurm) -> None:
    # MaxArraySize is above the largest id, which begin at 0; the stub refuses one more
    slurm.settings(max_array_size=10)
    sweep = SmallSweep(
        tmp_path / "sweep", SLURM | {"sequential": 1, "cores": 1, "arrayParallelism": 6}, LINEAR_AC
    )
    assert sweep.schedule().code == 0
    assert sent(slurm) == [10, 10, 10, 6]
    throttles = [int(job["options"]["array"].partition("%")[2]) for job in slurm.jobs]
    assert sum(throttles) == 6
    assert min(throttles) >= 1
    assert sweep.schedule().code == 0
    assert sent(slurm) == [10, 10, 10, 6]


def test_without_arrays_each_task_is_a_job(tmp_path: Path, slurm: StubSlurm) -> None:
    slurm.settings(max_array_size=0)
    sweep = SmallSweep(tmp_path / "sweep", SLURM | {"sequential": 9}, LINEAR_AC)
    assert sweep.schedule().code == 0
    assert sent(slurm) == [1, 1]
    assert all("array" not in job["options"] for job in slurm.jobs)
    slurm.becomes("COMPLETED", job=0)
    assert "18 queued" in sweep.schedule("--status").said


def test_what_the_queue_has_no_room_for_is_left_for_later(
    sweep: SmallSweep, slurm: StubSlurm
) -> None:
    slurm.settings(max_submit=5, others=2)
    first = sweep.schedule()
    assert first.code == 75, first
    assert "sends 12 runs in 3 jobs" in first.said
    assert "24 more runs have no room in the queue: run it again, or --wait" in first.said
    assert sent(slurm) == [3]
    full = sweep.schedule()
    assert full.code == 75
    assert "24 more runs have no room" in full.said
    assert sent(slurm) == [3]
    slurm.becomes("COMPLETED", 0, 1, 2)
    finish(sweep, *range(12))
    assert sweep.schedule().code == 75
    assert sent(slurm) == [3, 3]
    assert sweep.indices() == [list(range(12)), list(range(12, 24))]


def test_waiting_sends_the_rest_as_soon_as_there_is_room(
    sweep: SmallSweep, slurm: StubSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.settings(max_submit=4)
    rounds: list[float] = []

    def time_passes(seconds: float) -> None:
        """An element ends; in the end all have."""
        rounds.append(seconds)
        waits = [
            (number, element)
            for number, job in enumerate(slurm.jobs)
            for element, state in enumerate(job["states"])
            if state == "PENDING"
        ]
        number, element = waits[0]
        slurm.becomes("COMPLETED", element, job=number)
        one = next(s for s in sweep.submissions if slurm.jobs[number]["name"] == f"{s.name}-0")
        finish(sweep, *one.indices(element))

    def pause(self: Patience, jobs: object) -> None:
        time_passes(self._next)
        self._next *= 2

    monkeypatch.setattr(Patience, "pause", pause)
    answer = sweep.schedule("--wait")
    assert answer.code == 0, answer
    assert "36 runs, 36 done" in answer.said.splitlines()[-1]
    # one place was free after each round, and was taken at once
    assert sent(slurm) == [4, 1, 1, 1, 1, 1]
    assert len(rounds) == 9
    assert max(rounds[:5]) == 2.0
    assert sorted(index for part in sweep.indices() for index in part) == list(range(36))


def test_waiting_ends_although_runs_failed(
    sweep: SmallSweep, slurm: StubSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def time_passes(seconds: float) -> None:
        finish(sweep, *range(4, 36))
        slurm.becomes("COMPLETED", *range(1, 9))
        slurm.becomes("FAILED", 0)

    monkeypatch.setattr(Patience, "pause", lambda self, jobs: time_passes(1.0))
    answer = sweep.schedule("--wait")
    assert answer.code == 1
    assert "4 x failed" in answer.said
    assert sent(slurm) == [9]


@pytest.mark.parametrize("code", ["140:0", "0:12", "143:0"])
def test_a_job_that_was_asked_to_save_before_it_could_listen_has_not_failed(
    sweep: SmallSweep, slurm: StubSlurm, code: str
) -> None:
    assert sweep.schedule().code == 0
    slurm.becomes("FAILED", code=code)
    assert "0 failed, 36 missing" in sweep.schedule("--status").said
    slurm.becomes("FAILED", code="1:0")
    assert "36 failed, 0 missing" in sweep.schedule("--status").said


def test_the_account_and_qos_in_use_set_the_limit() -> None:
    def most(associations: str, all_qos: str, **fields: Any) -> int | None:
        return most_jobs(check_cluster(SLURM | fields, "cluster.json"), associations, all_qos)

    nothing = "def-a||||normal|normal,debug\n"
    assert most(nothing, "normal|\ndebug|2\n") is None
    assert most(nothing, "normal|500\ndebug|2\n") == 500
    assert most(nothing, "normal|500\ndebug|2\n", qos="debug") == 2
    two = "def-a||100|||normal\ndef-b||30|70||normal\n"
    assert most(two, "normal|\n") == 30
    assert most(two, "normal|\n", account="def-a") == 100
    assert most(two, "normal|20\n", account="def-a") == 20
    assert most("def-a|gpu|5|||\ndef-a||50|||\n", "", partition="cpu") == 50
    assert most("", "") is None
    assert most("strange\n|", "stranger") is None


def test_the_cluster_file_may_set_limits_of_its_own(tmp_path: Path, slurm: StubSlurm) -> None:
    cluster = SLURM | {"maxArraySize": 3, "maxSubmitJobs": 5}
    sweep = SmallSweep(tmp_path / "sweep", cluster, LINEAR_AC)
    assert sweep.schedule().code == 75
    assert sent(slurm) == [3, 2]


def test_a_site_without_accounting_has_no_limit_of_jobs(
    sweep: SmallSweep, slurm: StubSlurm
) -> None:
    slurm.settings(no_accounting=True)
    assert sweep.schedule().code == 0
    assert sent(slurm) == [9]
    slurm.becomes("FAILED")
    assert "36 missing" in sweep.schedule("--status").said
