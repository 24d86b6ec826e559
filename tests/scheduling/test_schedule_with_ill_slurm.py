"""schedule.py when Slurm is ill or it is killed half way: nothing is lost or sent twice."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from slurm_answers import sent, sentence
from small_sweep import LOCAL, SLURM, SmallSweep
from stub_slurm import StubSlurm

from experiment.lock import Lock
from experiment.scheduling import submission
from experiment.scheduling.command import Command

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
