"""What Slurm did to jobs, edits while jobs are queued, and what is asked for the next time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from slurm_answers import sent, sentence
from small_sweep import SLURM, SmallSweep
from stub_slurm import StubSlurm
from sweep_runs import LINEAR_AC

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
