"""What is peculiar to PBS: its names, its history, and jobs that it runs again by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from batch_site import Site
from batch_submission import IN_TWO_GOES, ends, happened, wait_for_the_end, write_program

from experiment.scheduling.backends import Limits
from experiment.scheduling.backends.pbs import Pbs
from experiment.scheduling.events import Started
from experiment.scheduling.submission import Jobs, Submission, write_jobs

Answers = Callable[..., None]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    here = Site("pbs", tmp_path, monkeypatch)
    yield here
    here.end()


@pytest.fixture
def qstat(site: Site, tmp_path: Path) -> Answers:
    """Makes qstat print a text whatever it is asked."""

    def answer(text: str, code: int = 0) -> None:
        (tmp_path / "answer").write_text(text)
        path = tmp_path / "bin/qstat"
        path.write_text(f"#!/bin/sh\ncat {tmp_path / 'answer'}\nexit {code}\n")

    return answer


def name_of(sent: Submission) -> str:
    (script,) = Pbs().scripts(sent).values()
    match = re.search(r"^#PBS -N (\S+)$", script, re.M)
    assert match is not None
    return match[1]


def test_names_have_at_most_15_characters_and_a_letter_first(site: Site) -> None:
    sent = site.prepare(["0"])
    assert re.fullmatch(rf"s{sent.name[-4:]}[0-9a-f]{{3}}-0", name_of(sent))
    assert len(name_of(sent)) + len("99999") <= 15


def test_the_server_says_how_many_jobs_one_may_have(site: Site, qstat: Answers) -> None:
    assert site.limits() == Limits()
    site.settings(max_queued=200)
    assert site.limits() == Limits(jobs=200)
    qstat(
        "Server: pbs\n    max_queued = [u:PBS_GENERIC=200],[o:PBS_ALL=1000],[g:group=3],"
        "[\n\tu:someone=5]\n    max_run = [u:PBS_GENERIC=7]\n"
    )
    assert site.limits() == Limits(jobs=200)


def test_the_queue_is_read_as_qstat_cuts_it(site: Site, qstat: Answers) -> None:
    sent = site.prepare(["0"])
    name = name_of(sent)
    qstat(
        f"""
pbs-m1.metacentrum.cz: 
                                                                                                   Req'd  Req'd   Elap
Job ID                         Username        Queue           Jobname         SessID   NDS  TSK   Memory Time  S Time
------------------------------ --------------- --------------- --------------- -------- ---- ----- ------ ----- - -----
1234567.a-long-name.of-a-serv* someone         gpu_long_queue* {name:<15}       --    1     8   16gb 24:00 Q   -- 
   Not Running: Insufficient amount of resource: ngpus
1234568.pbs-m1.metacentrum.cz  someone         gpu             STDIN                12    1     8     -- 24:00 R 00:01
   Job run at Thu Oct 08 at 12:00 on (node1:ncpus=8)
1234569[].pbs-m1.metacentrum.* someone         gpu             s0000000-0       --      1     8     -- 24:00 B   --
"""  # noqa: E501 - as printed
    )
    found, count = site.scheduler.queued([sent])
    (job,) = found.values()
    assert count == 3
    assert (job.job, job.state) == ("1234567", "queued"), "the number suffices where it is cut"
    assert job.reason == "Not Running: Insufficient amount of resource: ngpus"


@pytest.mark.parametrize(
    ("described", "state"),
    [
        ("Exit_status = 0", "COMPLETED"),
        ("Exit_status = 1", "FAILED"),
        ("Exit_status = 75", "COMPLETED"),  # its runs have saved: nothing went wrong
        ("Exit_status = 271\n    substate = 91", "CANCELLED"),
        ("substate = 91", "CANCELLED"),  # before it ran
        ("Exit_status = -29", "TIMEOUT"),
        ("Exit_status = 271\n    resources_used.walltime = 24:00:07", "TIMEOUT"),  # version 14
        ("Exit_status = 271\n    resources_used.walltime = 23:00:07", "FAILED"),
        ("Exit_status = -27", "OUT_OF_MEMORY"),
        ("Exit_status = -26", "OUT_OF_MEMORY"),  # vmem
        ("Exit_status = -4", "NODE_FAIL"),
    ],
)
def test_how_a_job_ended(described: str, state: str, site: Site, qstat: Answers) -> None:
    sent = site.prepare(["0"])
    write_jobs(sent, Jobs(tasks={0: "12.pbs"}))
    long = "PBS_O_PATH=/some/where\n\t/else\n\t = 3"
    qstat(
        f"Job Id: 12.pbs\n    Job_Name = {name_of(sent)}\n    job_state = F\n    {described}\n"
        f"    Resource_List.walltime = 24:00:00\n    Variable_List = {long}\n\n"
    )
    assert ends(site.scheduler, sent) == [state]


def test_a_number_that_was_given_away_again_is_not_ours(site: Site, qstat: Answers) -> None:
    sent = site.prepare(["0"])
    write_jobs(sent, Jobs(tasks={0: "12.pbs"}))
    qstat("Job Id: 12.pbs\n    Job_Name = other\n    job_state = F\n    Exit_status = 1\n\n")
    assert ends(site.scheduler, sent) == [None]


def test_a_job_that_its_history_has_lost_hides_no_other(site: Site) -> None:
    sent = site.send(["0", "1"])
    wait_for_the_end(site.scheduler, sent)
    site.settings(forgotten=[1001])
    assert ends(site.scheduler, sent) == [None, "COMPLETED"]


def test_without_history_nothing_is_known(site: Site) -> None:
    sent = site.send(["0"])
    wait_for_the_end(site.scheduler, sent)
    site.settings(history=False)
    assert ends(site.scheduler, sent) == [None]


def test_a_job_whose_time_runs_out_saves_and_does_not_come_back(site: Site) -> None:
    program = write_program(site.base, IN_TWO_GOES)
    sent = site.send(["0"], program=program, chunk={"seconds": 60}, saveBefore=55)
    wait_for_the_end(site.scheduler, sent)
    assert ends(site.scheduler, sent) == ["COMPLETED"]
    assert [type(event).__name__ for event in happened(sent, 0)] == ["Started", "Ended", "Left"]


#: Takes its whole job with it, once.
NODE_FAILS = """
import os, pathlib, signal
place = pathlib.Path("been-here")
if not place.exists():
    place.touch()
    os.killpg(0, signal.SIGKILL)
"""


def test_a_job_whose_node_fails_runs_again_and_knows_it(site: Site) -> None:
    site.settings(node_fails=True)
    sent = site.send(["0"], program=write_program(site.base, NODE_FAILS))
    wait_for_the_end(site.scheduler, sent)
    assert ends(site.scheduler, sent) == ["COMPLETED"]
    starts = [event for event in happened(sent, 0) if isinstance(event, Started)]
    assert [start.attempt for start in starts] == [0, 1]
    assert len({start.job for start in starts}) == 1
