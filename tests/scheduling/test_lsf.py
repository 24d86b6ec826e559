"""What is peculiar to LSF: jobs that come back by themselves, and its short memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_site import Site
from batch_submission import (
    FAILS,
    IN_TWO_GOES,
    ends,
    happened,
    wait_for_the_end,
    wait_until,
    write_program,
)

from experiment.scheduling.backends import Limits, SchedulerError
from experiment.scheduling.backends.lsf import _histories
from experiment.scheduling.events import Ended, Started
from experiment.scheduling.submission import Jobs, write_jobs


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    here = Site("lsf", tmp_path, monkeypatch)
    yield here
    here.end()


def test_a_job_whose_time_runs_out_saves_and_comes_back(site: Site) -> None:
    program = write_program(site.base, IN_TWO_GOES)
    sent = site.send(["0"], program=program, chunk={"seconds": 60}, saveBefore=55)
    wait_for_the_end(site.scheduler, sent)
    assert ends(site.scheduler, sent) == ["COMPLETED"]
    events = happened(sent, 0)
    starts = [event for event in events if isinstance(event, Started)]
    assert [(start.job, start.attempt) for start in starts] == [("1001", 0), ("1001", 1)]
    assert [event.ended for event in events if isinstance(event, Ended)] == ["saved", "done"]


def test_bsub_does_not_wait_for_room_in_the_queue(site: Site) -> None:
    site.close()
    site.settings(max_pending=0)
    with pytest.raises(SchedulerError, match="Pending job threshold reached"):
        site.send(["0"])


def test_the_threshold_of_pending_jobs_is_a_limit(site: Site) -> None:
    assert site.limits() == Limits()
    site.settings(max_pending=500)
    assert site.limits() == Limits(jobs=500)


@pytest.mark.parametrize("code", [0, 255])
def test_no_job_is_no_mistake(code: int, site: Site) -> None:
    site.settings(none=code)
    sent = site.prepare(["0"])
    assert site.scheduler.queued([sent]) == ({}, 0)
    assert site.scheduler.accounted([sent]) == {}


def test_an_answer_may_begin_with_an_excuse(site: Site) -> None:
    site.close()
    site.settings(busy=True)
    sent = site.send(["0"])
    assert site.queued(sent) == [(0, "queued")]


def test_a_queue_that_does_not_answer_is_an_error(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "bin/bjobs"
    path.write_text("#!/bin/sh\necho 'batch daemon not responding' >&2\nexit 255\n")
    with pytest.raises(SchedulerError, match=r"^bjobs: batch daemon not responding$"):
        site.scheduler.queued([])


def test_what_bjobs_has_forgotten_bhist_knows(site: Site) -> None:
    site.settings(cleaned=True)
    done = site.send(["0"])
    failed = site.send(["1"], program=write_program(site.base, FAILS))
    wait_for_the_end(site.scheduler, done)
    wait_for_the_end(site.scheduler, failed)
    site.close()
    cancelled, waiting = site.send(["2"]), site.send(["3"])
    site.scheduler.cancel(list(site.scheduler.queued([cancelled])[0].values()))
    sent = [done, failed, cancelled, waiting]
    told = site.scheduler.accounted(sent)
    assert [told[one.name, 0].state for one in sent[:3]] == ["COMPLETED", "FAILED", "CANCELLED"]
    assert (waiting.name, 0) not in told


def test_a_number_that_was_given_away_again_is_not_ours(site: Site) -> None:
    site.settings(cleaned=True)
    other = site.send(["0"])
    wait_for_the_end(site.scheduler, other)
    sent = site.prepare(["1"])
    write_jobs(sent, Jobs(tasks={0: "1001"}))
    assert ends(site.scheduler, sent) == [None]


HISTORY = """
Job <22>, Job Name <20261008-120000-ab12-7>, User <someone>, Project <default>,
                     Status <EXIT>, Queue <hpc>, Command <#!/bin/bash;#BSUB -n
                     12>
Tue Dec 23 14:46:42: Submitted from host <login1>, to Queue <hpc>, CWD <$HOME>;
Tue Dec 23 14:46:43: Dispatched 12 Task(s) on Host(s) <12*node19>, Allocate
                     d 12 Slot(s) on Host(s) <12*node19>, Effective RES_REQ
                      <select[type == local] order[r15s:pg] rusage[mem=49152.00
                     ] span[hosts=1] affinity[core(1)*1] >;
Tue Dec 23 16:34:13: Exited with exit code 1. The CPU time used is 31911.0 seco
                     nds;
Tue Dec 23 16:34:13: Completed <exit>; TERM_MEMLIMIT: job killed after reaching
                      LSF memory usage limit;
------------------------------------------------------------------------------

Job <23>, Job Name <20261008-120000-ab12-8>, User <someone>, Project <default>;
Tue Dec 23 14:46:43: Starting (Pid 258999);
Tue Dec 23 16:34:13: Completed <exit>; TERM_RUNLIMIT: job killed after reaching
                      LSF run time limit.
------------------------------------------------------------------------------

Job <24>, Job Name <20261008-120000-ab12-9>, User <someone>, Project <default>;
Tue Dec 23 14:46:43: Starting (Pid 258999);
Tue Dec 23 14:46:45: Pending: Requeued job is waiting for rescheduling;(exit co
                     de 75)
"""


def test_histories_are_read_as_bhist_folds_them() -> None:
    name = "20261008-120000-ab12"
    assert list(_histories(HISTORY)) == [
        ("22", f"{name}-7", "OUT_OF_MEMORY"),
        ("23", f"{name}-8", "TIMEOUT"),
    ]


def test_a_job_that_is_taken_back_twice_is_taken_back_once(site: Site) -> None:
    site.settings(kill_delay=60)
    sent = site.send(["0"], program=write_program(site.base, IN_TWO_GOES))
    wait_until((site.base / "ready").exists, "it runs")
    jobs = list(site.scheduler.queued([sent])[0].values())
    site.scheduler.cancel(jobs)
    wait_for_the_end(site.scheduler, sent)
    site.scheduler.cancel(jobs)
    job = site.jobs.get(1001)
    assert job is not None
    assert (job["runs"], job["code"]) == (1, 143), "with 75 it would have come back"
