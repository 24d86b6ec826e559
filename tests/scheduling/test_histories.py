"""What became of a run: by what its jobs told, and by what the scheduler says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from batch_submission import prepare

from experiment.scheduling import events
from experiment.scheduling.backends import SIGNALLED, Accounted, TaskKey
from experiment.scheduling.events import Ended, Ending, Event, Left, Started
from experiment.scheduling.histories import History, histories
from experiment.scheduling.submission import Submission


def ended(ending: Ending, *indices: int, error: str | None = None, again: bool = False) -> Ended:
    return Ended(list(indices), ending, 0.0, 1.0, 1.0, 1, error=error, again=again)


BEGUN = Started(0.0, "node1", "12", 0)
LEFT = Left(0.0, "finished", 0)


@pytest.fixture
def sent(tmp_path: Path) -> Submission:
    return prepare(tmp_path, "slurm", ["0-3"])


def of(
    sent: Submission, *told: Event, state: str | None = None, index: int = 0, tasks: int = 1
) -> History:
    """The history of an index whose job told this and ended in a state."""
    writer = events.Writer(sent.events_path(0))
    for event in told:
        writer.write(event)
    writer.close()
    accounted: dict[TaskKey, Accounted] = {}
    if state is not None:
        accounted[sent.name, 0] = Accounted("12", state)
    return histories({0, 1, 2, 3}, [sent], accounted)[index]


def test_of_a_run_that_no_job_took_nothing_is_known(sent: Submission) -> None:
    assert histories({7}, [sent], {}) == {}


def test_a_job_of_which_nothing_is_known_is_no_failure(sent: Submission) -> None:
    assert of(sent) == History()
    assert not of(sent, BEGUN).failed


@pytest.mark.parametrize("ending", ["failed", "killed", "timeout", "refused"])
def test_what_did_not_work_is_a_failure(sent: Submission, ending: Ending) -> None:
    history = of(sent, BEGUN, ended(ending, 0, error="why"), LEFT, state="FAILED")
    assert (history.failures, history.failed) == (1, True)
    assert (history.last, history.error, history.what) == (ending, "why", ending)
    assert history.time == (ending == "timeout")


@pytest.mark.parametrize("ending", ["saved", "locked", "done"])
def test_what_only_has_to_go_on_is_none(sent: Submission, ending: Ending) -> None:
    history = of(sent, BEGUN, ended(ending, 0), LEFT, state="FAILED")
    assert (history.failures, history.failed, history.last) == (0, False, ending)


def test_starts_within_one_job_count_once(sent: Submission) -> None:
    killed = ended("killed", 0, again=True)
    assert of(sent, BEGUN, killed, killed, ended("killed", 0)).failures == 1
    assert of(sent, ended("killed", 0, again=True), ended("done", 0)).failures == 1


def test_a_group_that_was_taken_apart_is_nobodys_fault(sent: Submission) -> None:
    told = [ended("failed", 0, 1, again=True), ended("done", 0), ended("failed", 1)]
    assert of(sent, *told, index=0).failures == 0
    assert of(sent, index=1).failures == 1


def test_failures_of_all_jobs_add_up(tmp_path: Path, sent: Submission) -> None:
    other = prepare(tmp_path / "other", "slurm", ["0"])
    for one in (sent, other):
        of(one, ended("timeout", 0))
    history = histories({0}, [sent, other], {})[0]
    assert (history.failures, history.time) == (2, 2)


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        ("MemoryError: Unable to allocate 8.00 TiB", True),
        ("numpy._core._exceptions._ArrayMemoryError: Unable to allocate 8.00 TiB", True),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", True),
        ("RuntimeError: CUDA error: out of memory", True),
        ("ValueError: no", False),
        (None, False),
    ],
)
def test_errors_tell_that_memory_ran_out(
    sent: Submission, error: str | None, is_memory: bool
) -> None:
    assert of(sent, ended("failed", 0, error=error)).memory == is_memory


# -- what the scheduler says


def test_out_of_memory_before_the_job_could_tell_is_everybodys(sent: Submission) -> None:
    history = of(sent, BEGUN, state="OUT_OF_MEMORY")
    assert (history.failures, history.memory, history.what) == (1, 1, "out of memory")


def test_out_of_memory_is_the_fault_of_the_run_that_was_killed(sent: Submission) -> None:
    told: list[Event] = [
        BEGUN,
        ended("killed", 1, again=True),
        ended("killed", 1),
        ended("saved", 2),
        LEFT,
    ]
    innocent = of(sent, *told, state="OUT_OF_MEMORY")
    assert innocent == History()
    accounted = {(sent.name, 0): Accounted("12", "OUT_OF_MEMORY")}
    found = histories({0, 1, 2, 3}, [sent], accounted)
    assert (found[1].failures, found[1].memory, found[1].last) == (1, 1, "out_of_memory")
    assert replace(found[2], last="") == History()


def test_a_killed_run_whose_job_went_with_it_failed_once(sent: Submission) -> None:
    history = of(sent, BEGUN, ended("killed", 0, again=True), state="OUT_OF_MEMORY")
    assert (history.failures, history.memory) == (1, 1)


def test_out_of_time_asks_for_more_but_is_no_failure(sent: Submission) -> None:
    history = of(sent, BEGUN, state="TIMEOUT")
    assert (history.failures, history.time, history.failed) == (0, 1, True)


def test_a_run_that_was_saved_in_time_needs_no_more(sent: Submission) -> None:
    history = of(sent, BEGUN, ended("saved", 0), state="TIMEOUT")
    assert (history.time, history.last) == (0, "saved")


@pytest.mark.parametrize(
    "state", ["CANCELLED", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE", SIGNALLED]
)
@pytest.mark.parametrize("told", [[], [ended("saved", 0)], [ended("killed", 0, again=True)]])
def test_what_was_taken_away_is_said_and_nobodys_fault(
    sent: Submission, state: str, told: list[Event]
) -> None:
    history = of(sent, BEGUN, *told, state=state)
    assert history == History(last=state.lower(), error=history.error)
    assert history.what == state.lower().replace("_", " ")
    assert not history.failed


def test_a_failure_stays_one_whatever_became_of_the_job(sent: Submission) -> None:
    history = of(sent, ended("failed", 0, error="no"), state="CANCELLED")
    assert (history.last, history.failures) == ("failed", 1)


def test_a_job_that_failed_before_it_could_tell_is_a_failure(sent: Submission) -> None:
    assert of(sent, state="FAILED").failures == 1


def test_runs_that_a_job_left_for_another_have_not_failed(sent: Submission) -> None:
    history = of(sent, BEGUN, Left(0.0, "time limit", 4), state="FAILED")
    assert history == History()


def test_put_back_and_killed_a_job_has_not_told_its_end(sent: Submission) -> None:
    assert of(sent, BEGUN, LEFT, BEGUN, state="FAILED").failures == 1
