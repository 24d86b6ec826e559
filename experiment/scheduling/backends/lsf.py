"""LSF.

A job whose time runs out comes back by itself: its runs save, it ends with exit code 75, and LSF
runs again what does that (`-Q 75`), under the same number. It tells the job of that in no way
(LSB_RESTART is for jobs whose host failed), so job.py counts its own beginnings. A job that
somebody takes back ends otherwise, or it would come back.

Memory is reserved per core (`mem=2048MB/task`), GPUs per node (`num=1/host`), whatever the site's
default is; that takes LSF 10.1.0.9. With an older one leave out `memPerCpu` and write
`"directives": {"R": "rusage[mem=2GB]"}`.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiment.scheduling.backends import (
    Accounted,
    Limits,
    Queued,
    SchedulerError,
    TaskKey,
    said_path,
)
from experiment.scheduling.backends.by_task import (
    ByTask,
    Directive,
    known_jobs,
    portions,
    take_back,
)
from experiment.scheduling.backends.commands import ask, call, complaint
from experiment.scheduling.submission import Chunk, Submission
from experiment.signals import EXIT_SAVED

if TYPE_CHECKING:
    from experiment.scheduling.backends.psij_executors import Bsub
    from experiment.scheduling.cluster import Cluster

_NAME = re.compile(r"(\d{8}-\d{6}-[0-9a-f]{4})-(\d+)")
_WAITING = ("PEND", "PSUSP", "WAIT")
_ENDED = ("DONE", "EXIT")
_REASONS = {
    "TERM_RUNLIMIT": "TIMEOUT",
    "TERM_CPULIMIT": "TIMEOUT",
    "TERM_MEMLIMIT": "OUT_OF_MEMORY",
    "TERM_SWAP": "OUT_OF_MEMORY",
    "TERM_OWNER": "CANCELLED",
    "TERM_ADMIN": "CANCELLED",
    "TERM_FORCE_OWNER": "CANCELLED",
    "TERM_FORCE_ADMIN": "CANCELLED",
    "TERM_BUCKET_KILL": "CANCELLED",
    "TERM_PREEMPT": "PREEMPTED",
    "TERM_ZOMBIE": "NODE_FAIL",
    "TERM_REMOVE_HUNG_JOB": "NODE_FAIL",
}
_GONE = ("has already finished", "No matching job found", "is not found")


class Lsf(ByTask):
    """The LSF commands of this host."""

    submits, prefix, repeatable = "bsub", "#BSUB", frozenset("R")

    def limits(self, cluster: Cluster) -> Limits:
        """The threshold of pending jobs, MPJOBS."""
        header, *rows = ask("busers", "-w", getpass.getuser()).splitlines()
        values = dict(zip(header.split(), rows[-1].split() if rows else (), strict=False))
        most = values.get("MPJOBS", "-")
        return Limits(jobs=int(most) if most.isdecimal() else None)

    def queued(self, sent: Sequence[Submission]) -> tuple[dict[TaskKey, Queued], int]:
        """`bjobs`, by the names of the jobs, so that an answer of bsub cannot be lost."""
        names = {one.name for one in sent}
        found: dict[TaskKey, Queued] = {}
        records = _bjobs("jobid stat job_name pend_reason")
        for record in records:
            key = _key(record["JOB_NAME"], names)
            if key is not None:
                waits = record["STAT"] in _WAITING
                reason = " ".join(record["PEND_REASON"].split()).rstrip(";") if waits else ""
                found[key] = Queued(record["JOBID"], "queued" if waits else "running", reason)
        return found, len(records)

    def accounted(self, sent: Sequence[Submission]) -> dict[TaskKey, Accounted]:
        """`bjobs -a`, which forgets a job after an hour or so, and for the others `bhist`."""
        names = {one.name for one in sent}
        found: dict[TaskKey, Accounted] = {}
        waiting = set()
        try:
            for record in _bjobs("jobid stat job_name exit_code exit_reason run_time", "-a"):
                key = _key(record["JOB_NAME"], names)
                if key is None:
                    continue
                if record["STAT"] in _ENDED:
                    code = int(record["EXIT_CODE"] or 0)
                    seconds = int(record["RUN_TIME"].split()[0]) if record["RUN_TIME"] else None
                    ending = _ending(code, record["EXIT_REASON"])
                    found[key] = Accounted(record["JOBID"], ending, seconds)
                else:
                    waiting.add(key)
            tasks = known_jobs(sent)
            older = [job for job, key in tasks.items() if key not in found and key not in waiting]
            for jobs in portions(older):
                for job, name, ending in _histories(call("bhist", "-l", *jobs).stdout):
                    key = _key(name, names)
                    if key is not None and tasks.get(job) == key:
                        found[key] = Accounted(job, ending)
        except SchedulerError:
            pass
        return found

    def cancel(self, jobs: Sequence[Queued]) -> None:
        """`bkill`: jobs that run get SIGINT and SIGTERM, and seconds to save
        (JOB_TERMINATE_INTERVAL)."""
        take_back("bkill", jobs, _GONE)

    def executor(self, folder: Path) -> Bsub:
        """bsub."""
        from experiment.scheduling.backends.psij_executors import Bsub

        return Bsub(folder)

    def directives(self, sent: Submission, chunk: Chunk, task: int) -> Iterator[Directive]:
        """Slots on one host."""
        cluster = sent.cluster
        needs = [] if cluster.constraint is None else [f"select[{cluster.constraint}]"]
        needs.append("span[hosts=1]")
        if chunk.memory is not None:
            needs.append(f"rusage[mem={chunk.memory // 2**20}MB/task]")
        yield "J", f"{sent.name}-{task}"
        yield "n", chunk.cores
        yield "R", " ".join(needs)
        if chunk.gpus:
            model = "" if cluster.gpu_type is None else f":gmodel={cluster.gpu_type}"
            # shared by the processes of this job, not with other jobs
            yield "gpu", f"num={chunk.gpus}/host:mode=shared:j_exclusive=yes{model}"
        if chunk.seconds is not None:
            minutes = -(-chunk.seconds // 60)
            yield "W", f"{minutes // 60}:{minutes % 60:02}"
        if cluster.account is not None:
            yield "P", cluster.account
        if cluster.partition is not None:
            yield "q", cluster.partition
        yield "Q", EXIT_SAVED
        yield "r", True  # again elsewhere when its host fails
        yield "o", str(said_path(sent, task))
        if cluster.mail is not None:
            yield "u", cluster.mail.user
            yield from _mail(set(cluster.mail.type.split(",")))

    def after(self, job: str) -> Directive:
        """A dependency."""
        return "w", f"ended({job})"

    def start(self, command: str) -> list[str]:
        """The shell outlives the signals that its runs save on."""
        return [
            "taken_back=",
            "trap 'taken_back=yes' INT TERM",
            "trap : USR1 USR2",
            command,
            "code=$?",
            f'[ -n "$taken_back" ] && [ $code = {EXIT_SAVED} ] && exit 143',
            "exit $code",
        ]


def _mail(events: set[str]) -> Iterator[Directive]:
    if events & {"BEGIN", "ALL"}:
        yield "B", True
    if events & {"END", "ALL"}:
        yield "N", True
    elif "FAIL" in events:
        yield "Ne", True


def _key(name: str, submissions: set[str]) -> TaskKey | None:
    match = _NAME.fullmatch(name)
    return (match[1], int(match[2])) if match and match[1] in submissions else None


def _bjobs(fields: str, *options: str) -> list[dict[str, Any]]:
    """Jobs of this user."""
    done = call("bjobs", *options, "-u", getpass.getuser(), "-json", "-o", fields)
    with contextlib.suppress(ValueError):
        # what it says while it waits for an answer comes first
        records: list[dict[str, Any]] = json.loads(done.stdout[done.stdout.index("{") :])["RECORDS"]
        return records
    if re.search(r"^No (unfinished )?job found", done.stdout + done.stderr, re.M):
        return []
    raise SchedulerError(f"bjobs: {complaint(done)}")


def _histories(answer: str) -> Iterator[tuple[str, str, str]]:
    """(job, its name, how it ended) of those that have."""
    answer = re.sub(r"\n {21}", "", answer)  # lines are folded anywhere
    for part in re.split(r"^-{20,}$", answer, flags=re.M):
        job = re.search(r"^Job <(\d+)>, Job Name <([^>]*)>", part, re.M)
        if job is None:
            continue
        if re.search(r": Done successfully\.", part):
            yield job[1], job[2], "COMPLETED"
        elif re.search(r": Exited |: Completed <exit>", part):
            codes = re.findall(r": Exited with exit code (\d+)\.", part)
            reasons = re.findall(r"\b(TERM_\w+):", part)
            yield job[1], job[2], _ending(int([1, *codes][-1]), ["", *reasons][-1])


def _ending(code: int, reason: str) -> str:
    known = _REASONS.get(reason.partition(":")[0])
    if known is not None:
        return known
    return "COMPLETED" if code in (0, EXIT_SAVED) else "FAILED"
