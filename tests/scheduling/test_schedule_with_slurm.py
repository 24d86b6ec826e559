"""schedule.py and Slurm: what is sent, what is left alone, and what is said when Slurm is ill."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from small_sweep import LOCAL, SLURM, Answer, SmallSweep
from stub_slurm import StubSlurm
from sweep_runs import LINEAR_AC, RANDOM

from experiment.lock import Lock
from experiment.scheduling import submission
from experiment.scheduling.backends.slurm import most_jobs
from experiment.scheduling.cluster import check_cluster
from experiment.scheduling.command import Command
from experiment.scheduling.patience import Patience


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StubSlurm:
    stub = StubSlurm(tmp_path / "slurm")
    stub.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return stub


@pytest.fixture
def sweep(tmp_path: Path, slurm: StubSlurm) -> SmallSweep:
    """36 settings, four runs a job."""
    return SmallSweep(tmp_path / "sweep", SLURM, LINEAR_AC)


def sentence(answer: Answer, code: int) -> str:
    """The one that a call ends with that cannot do what it should."""
    assert answer.code == code, answer
    (line,) = answer.complained.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def sent(slurm: StubSlurm) -> list[int]:
    """Elements of the jobs that sbatch took."""
    return [len(job["states"]) for job in slurm.jobs]


def finish(sweep: SmallSweep, *indices: int) -> None:
    """Records of these, as if the jobs had run: it is asked only whether they are whole."""
    folder = sweep.results
    for index in indices:
        seal = b',"seal":{"setting":0,"run":[9,20],"xxh3":"0123456789abcdef"}}\n'
        path = folder / f"{folder.name}_data_{index}.json"
        path.write_bytes(b"{" * 9 + b"x" * 11 + b"]}}" + seal)


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
        r"other\.json: its results go to \S+_linearAC, as those of another agent file do; "
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


# -- Slurm is not well


@pytest.mark.parametrize("option", ["--status", "--dry-run", "--cancel", "--wait"])
def test_where_squeue_does_not_answer_nothing_is_sent(
    sweep: SmallSweep, slurm: StubSlurm, option: str
) -> None:
    slurm.settings(silent=["squeue"])
    assert sentence(sweep.schedule(option), 1) == (
        "squeue: slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
    )
    assert slurm.jobs == []


def test_where_scontrol_does_not_answer_nothing_is_sent(
    sweep: SmallSweep, slurm: StubSlurm
) -> None:
    slurm.settings(silent=["scontrol"])
    assert "Unable to contact slurm controller" in sentence(sweep.schedule(), 1)
    assert slurm.jobs == []


@pytest.mark.parametrize("gone", ["squeue", "scontrol", "sbatch", "srun"])
def test_where_slurm_is_not_that_is_said(
    sweep: SmallSweep,
    slurm: StubSlurm,
    tmp_path: Path,
    gone: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "bin" / gone).unlink()
    # the commands of a real Slurm may be installed as well
    system = tmp_path / "system"
    system.mkdir()
    for name in ("sh", "bash", "git", "python3"):
        path = shutil.which(name)
        if path is not None:
            (system / name).symlink_to(path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{system}")
    assert sentence(sweep.schedule(), 1) == (
        f"{gone}: no such command; is this host a login node of the cluster?"
    )


def test_what_sbatch_refuses_is_said_in_a_sentence(sweep: SmallSweep, slurm: StubSlurm) -> None:
    slurm.settings(
        refuse="sbatch: error: invalid partition specified: nowhere\n"
        "sbatch: error: Batch job submission failed: Invalid partition name specified"
    )
    answer = sweep.schedule()
    assert sentence(answer, 1) == (
        "sbatch refused: sbatch: error: Batch job submission failed: Invalid partition name "
        "specified"
    )
    slurm.settings()
    assert sweep.schedule().code == 0
    assert sweep.indices()[-1] == list(range(36))


def test_what_was_taken_before_sbatch_refused_stays_known(
    sweep: SmallSweep, slurm: StubSlurm
) -> None:
    slurm.settings(max_array_size=4, refuse="sbatch: error: Slurm is tired", accept=2)
    assert sentence(sweep.schedule(), 1) == (
        "sbatch refused: sbatch: error: Slurm is tired; 2 of 3 arrays were taken"
    )
    assert sent(slurm) == [4, 4]
    slurm.settings()
    again = sweep.schedule()
    assert again.code == 0
    assert "32 queued, 0 failed, 4 missing" in again.said
    assert sent(slurm) == [4, 4, 1]
    slurm.becomes("NODE_FAIL", job=0)
    assert "16 x node fail" in sweep.schedule("--status").said


def test_an_answer_of_sbatch_that_makes_no_sense_loses_no_job(
    sweep: SmallSweep, slurm: StubSlurm
) -> None:
    slurm.settings(answer="welcome to the cluster")
    assert "welcome to the cluster" in sentence(sweep.schedule(), 1)
    slurm.settings()
    assert "36 queued" in sweep.schedule().said
    assert sent(slurm) == [9]


def test_killed_right_after_sbatch_it_does_not_send_twice(
    sweep: SmallSweep, slurm: StubSlurm
) -> None:
    slurm.settings(kill_caller=True)
    assert sweep.call().code == -9
    (one,) = sweep.submissions
    assert submission.read_jobs(one).names() == []
    slurm.settings()
    again = sweep.schedule()
    assert "36 queued" in again.said
    assert sent(slurm) == [9]
    slurm.becomes("COMPLETED")
    assert "sends 36 runs" in sweep.schedule().said


def test_killed_before_sbatch_it_sends_all_when_called_again(
    sweep: SmallSweep, slurm: StubSlurm
) -> None:
    sweep.schedule("--indices", "0-3")
    (one,) = sweep.submissions
    # as if it had been killed in the middle of writing the folder, and just after
    (one.folder.parent / "20260101-000000-0000").mkdir()
    (one.folder.parent / "20260101-000000-0001").mkdir()
    for name in ("environment.json", "agent.json"):
        shutil.copy(one.folder / name, one.folder.parent / "20260101-000000-0001" / name)
    assert sweep.schedule().code == 0
    assert sweep.indices() == [[0, 1, 2, 3], list(range(4, 36))]


def test_what_another_call_is_sending_is_left_alone(sweep: SmallSweep, slurm: StubSlurm) -> None:
    sweep.schedule("--indices", "0-3")
    slurm.becomes("COMPLETED")
    (one,) = sweep.submissions
    with Lock(one.sender_path, "the submission"):
        answer = sweep.schedule()
    assert "4 wait: schedule.py is sending it" in answer.said
    assert sweep.indices() == [[0, 1, 2, 3], list(range(4, 36))]


def test_two_calls_at_once_do_not_send_the_same(
    sweep: SmallSweep, slurm: StubSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def while_the_person_thinks(asking: Command, question: str) -> bool:
        monkeypatch.undo()
        monkeypatch.setenv("PATH", f"{slurm.folder.parent / 'bin'}:{os.environ['PATH']}")
        assert sweep.schedule().code == 0
        return True

    monkeypatch.setattr(Command, "_agreed", while_the_person_thinks)
    answer = sweep.schedule()
    assert "another schedule.py has sent something since this one looked" in sentence(answer, 3)
    assert sent(slurm) == [9]


def test_a_scheduler_of_former_days_is_named(
    sweep: SmallSweep, slurm: StubSlurm, tmp_path: Path
) -> None:
    sweep.schedule()
    slurm.settings(silent=["squeue"])
    sweep.write("cluster.json", LOCAL)
    (one,) = sweep.submissions
    assert sentence(sweep.schedule(), 1).endswith(
        f"(asked for what became of {one.folder}, which was sent to slurm)"
    )


# -- what changes nothing


def test_a_dry_run_says_what_would_be_sent_and_changes_nothing(
    sweep: SmallSweep, slurm: StubSlurm
) -> None:
    before = sweep.snapshot()
    answer = sweep.schedule("--dry-run", agree=False)
    assert answer.code == 0
    assert "sends 36 runs in 9 jobs" in answer.said
    assert "9 x 2 cores, 1,024 MiB a core, 1:00:00; the first takes 0-3" in answer.said
    assert "#SBATCH --array=0-8%9" in answer.said
    assert sweep.snapshot() == before
    assert slurm.jobs == []


def test_nothing_is_sent_without_a_yes(sweep: SmallSweep, slurm: StubSlurm) -> None:
    assert sentence(sweep.schedule(agree=False), 2) == "nobody is there to ask; say --yes"
    assert slurm.jobs == []


def test_scripts_can_be_written_to_be_sent_by_hand(
    sweep: SmallSweep, slurm: StubSlurm, tmp_path: Path
) -> None:
    sweep.write("cluster.json", SLURM | {"output": "job logs"})
    answer = sweep.schedule("--emit", tmp_path / "scripts")
    assert answer.code == 0
    assert "to be sent by hand: " in answer.said
    (script,) = (tmp_path / "scripts").iterdir()
    assert str(script) in answer.said
    assert slurm.jobs == []
    (one,) = sweep.submissions
    assert (sweep.folder / "job logs" / one.name).is_dir()
    assert f"{one.folder}" in script.read_text()
    # sent by hand, it is known by its name
    subprocess.run(["sbatch", str(script)], check=True, capture_output=True)
    assert "36 queued" in sweep.schedule().said
    assert sent(slurm) == [9]


# -- taking back


def test_jobs_are_taken_back(sweep: SmallSweep, slurm: StubSlurm) -> None:
    assert "nothing is queued or running" in sweep.schedule("--cancel").said
    sweep.schedule()
    slurm.becomes("COMPLETED", 0)
    slurm.becomes("RUNNING", 1)
    answer = sweep.schedule("--cancel")
    assert answer.code == 0
    assert "took back 8 jobs" in answer.said
    assert slurm.jobs[0]["states"] == ["COMPLETED", *["CANCELLED"] * 8]
    assert "32 x cancelled" in sweep.schedule("--status").said
    # that is no failure: the next call sends them again
    assert "sends 36 runs" in sweep.schedule().said


def test_only_jobs_of_some_indices_are_taken_back(sweep: SmallSweep, slurm: StubSlurm) -> None:
    sweep.schedule()
    assert "took back 2 jobs" in sweep.schedule("--cancel", "--indices", "5-8").said
    assert slurm.jobs[0]["states"][:4] == ["PENDING", "CANCELLED", "CANCELLED", "PENDING"]


# -- edits


PARAMETERS: dict[str, Any] = dict(LINEAR_AC["parameters"])
EDITED = LINEAR_AC | {"parameters": PARAMETERS | {"decay": [0.5, 0.7]}}


def test_an_edit_is_refused_while_jobs_of_the_former_file_are_queued(
    sweep: SmallSweep, slurm: StubSlurm
) -> None:
    sweep.schedule()
    manifest = (sweep.results / "experiment.json").read_bytes()
    sweep.write("agent.json", EDITED)
    for options in ([], ["--adopt"], ["--status"], ["--dry-run"]):
        assert re.search(
            r"9 jobs of the files before the edit are queued or running; wait for them, or take "
            "them back with --cancel",
            sentence(sweep.schedule(*options), 2),
        )
    assert (sweep.results / "experiment.json").read_bytes() == manifest
    assert sent(slurm) == [9]


def test_jobs_of_a_former_file_can_be_taken_back(sweep: SmallSweep, slurm: StubSlurm) -> None:
    sweep.schedule()
    sweep.write("agent.json", EDITED)
    assert "took back 9 jobs" in sweep.schedule("--cancel").said
    assert "sends 72 runs" in sweep.schedule().said
    # what became of the former indices says nothing of those that have their numbers now
    slurm.becomes("COMPLETED")
    assert "cancelled" not in sweep.schedule("--status").said


def test_the_order_of_hyperparameters_is_an_edit(sweep: SmallSweep, slurm: StubSlurm) -> None:
    sweep.schedule()
    parameters = dict(reversed(PARAMETERS.items()))
    sweep.write("agent.json", LINEAR_AC | {"parameters": parameters})
    assert "9 jobs of the files before the edit" in sentence(sweep.schedule(), 2)


def test_an_edit_that_changes_no_meaning_is_none(sweep: SmallSweep, slurm: StubSlurm) -> None:
    sweep.schedule()
    sweep.write("agent.json", LINEAR_AC | {"$comment": "of the documentation"})
    assert "36 queued" in sweep.schedule().said
    assert sent(slurm) == [9]


# -- what became of runs


def test_what_schedulers_do_to_jobs_is_said(sweep: SmallSweep, slurm: StubSlurm) -> None:
    sweep.schedule()
    for element, state in enumerate(["CANCELLED", "NODE_FAIL", "PREEMPTED", "REQUEUE_HOLD"]):
        slurm.becomes(state, element)
    slurm.settings(reason="job requeued in held state")
    status = sweep.schedule("--status")
    assert "0 running, 24 queued, 0 failed, 12 missing" in status.said
    for kind in ("cancelled", "node fail", "preempted"):
        assert f"4 x {kind}" in status.said
    assert "24 wait: job requeued in held state" in status.said
    assert status.code == 0


def test_jobs_that_ran_out_ask_for_more_the_next_time(sweep: SmallSweep, slurm: StubSlurm) -> None:
    sweep.schedule("--indices", "0-11")
    slurm.becomes("OUT_OF_MEMORY", 0)
    slurm.becomes("TIMEOUT", 1)
    slurm.becomes("FAILED", 2)
    answer = sweep.schedule("--indices", "0-11")
    assert "0 queued, 12 failed, 0 missing" in answer.said
    for kind in ("out of memory", "timeout", "failed"):
        assert f"4 x {kind}" in answer.said
    asked = [(job["options"]["mem-per-cpu"], job["options"]["time"]) for job in slurm.jobs[1:]]
    assert asked == [("1536M", "60"), ("1024M", "120"), ("1024M", "60")]
    (one,) = sweep.submissions[1:]
    assert [one.indices(task) for task in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_caps_hold_what_is_asked_for(tmp_path: Path, slurm: StubSlurm) -> None:
    retry = {"memoryFactor": 10, "memoryCap": "3G", "timeFactor": 10, "timeCap": "4:00:00"}
    sweep = SmallSweep(tmp_path / "sweep", SLURM | {"retry": retry}, LINEAR_AC)
    sweep.schedule("--indices", "0-7")
    for state in ("OUT_OF_MEMORY", "TIMEOUT"):
        slurm.becomes("OUT_OF_MEMORY", 0)
        slurm.becomes("TIMEOUT", 1)
        slurm.becomes(state, job=-1)
        sweep.schedule("--indices", "0-7")
    asked = {(job["options"]["mem-per-cpu"], job["options"]["time"]) for job in slurm.jobs}
    assert max(int(memory[:-1]) for memory, _ in asked) == 3072
    assert max(int(time) for _, time in asked) == 240


def test_what_failed_too_often_is_held_back(tmp_path: Path, slurm: StubSlurm) -> None:
    sweep = SmallSweep(tmp_path / "sweep", SLURM | {"retry": {"attempts": 2}}, LINEAR_AC)
    for _ in range(2):
        assert sweep.schedule("--indices", "0-3").code == 0
        slurm.becomes("OUT_OF_MEMORY")
    answer = sweep.schedule("--indices", "0-7")
    assert answer.code == 1
    assert "4 failed too often and are not sent again; --retry-failed sends them" in answer.said
    assert sweep.indices()[2:] == [[4, 5, 6, 7]]
    assert sweep.schedule("--indices", "0-7").code == 1
    assert sweep.schedule("--indices", "0-7", "--status").code == 0
    answer = sweep.schedule("--indices", "0-7", "--retry-failed")
    assert answer.code == 0
    assert sweep.indices()[3:] == [[0, 1, 2, 3]]
    assert slurm.jobs[-1]["options"]["mem-per-cpu"] == "2304M"


def test_what_a_job_printed_stands_for_the_log_of_runs_that_said_nothing(
    sweep: SmallSweep, slurm: StubSlurm
) -> None:
    sweep.schedule()
    (one,) = sweep.submissions
    (one.folder / "1001_2_0_log.out").write_text("python: not found\n")
    slurm.becomes("FAILED", 2)
    assert sweep.schedule("--logs", 9).said.splitlines()[1:] == ["python: not found"]
    assert "      python: not found" in sweep.schedule("--status").said.splitlines()
    nothing = sweep.schedule("--logs", 3)
    assert nothing.code == 1
    assert nothing.complained == "no job has said anything of index 3\n"


def test_files_of_a_submission_are_as_they_were(sweep: SmallSweep, slurm: StubSlurm) -> None:
    sweep.schedule()
    (one,) = sweep.submissions
    assert json.loads((one.folder / "agent.json").read_text()) == LINEAR_AC
    assert one.executable == str(sweep.program)
    assert one.base_path == str(sweep.folder)


def test_a_damaged_submission_is_said(sweep: SmallSweep, slurm: StubSlurm) -> None:
    sweep.schedule()
    (one,) = sweep.submissions
    path = one.folder / "submission.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"format": 99}))
    assert "submission.json: format 99, this version reads 1" in sentence(sweep.schedule(), 1)
    path.write_text('{"name": ')
    assert "submission.json: damaged or of another version" in sentence(sweep.schedule(), 1)
