"""PBS Professional and OpenPBS.

A job whose time runs out does not come back by itself: nothing that a job does puts it back
(`qrerun` is for operators). Its runs save, and the next call of schedule.py sends the rest. After
a node has failed PBS itself runs the job again (`-r y`), and its runs go on where they were saved.

Jobs are known by their names, of 15 characters and a letter first: all that every version takes,
and that qstat shows in the one format that can be asked for by user. How jobs ended it tells only
where it keeps their history (`job_history_enable`).
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash

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
from experiment.scheduling.backends.commands import ask, call
from experiment.scheduling.submission import Chunk, Submission
from experiment.signals import EXIT_SAVED

if TYPE_CHECKING:
    from experiment.scheduling.backends.psij_executors import Qsub
    from experiment.scheduling.cluster import Cluster

_MAIL = {"BEGIN": "b", "END": "e", "FAIL": "a", "ALL": "abe", "NONE": "n"}
_LIMIT = re.compile(r"\[u:([^=\]]+)=(\d+)\]")
#: id, user, queue, name, session, nodes, cores, memory, time, state, and perhaps a comment below
_JOB = re.compile(r"^(\d+)(\S*) +\S+ +\S+ +(\S+) +(?:\S+ +){5}([A-Z]) .*(?:\n {3}(.*))?", re.M)
_NAME = re.compile(r"(s[0-9a-f]{7})-(\d+)")
_WAITING = "QHWT"
_DELETED = "91"  # substate
_OUT_OF_MEMORY, _OUT_OF_TIME = (-26, -27), (-29,)  # exit codes of PBS itself
_SIGNALLED = 256  # plus the signal
_GONE = ("Unknown Job Id", "Job has finished", "Request invalid for state of job")


class Pbs(ByTask):
    """The PBS commands of this host."""

    submits, prefix, repeatable = "qsub", "#PBS", frozenset("lW")

    def limits(self, cluster: Cluster) -> Limits:
        """`max_queued` of the server; queues may have their own."""
        line = re.search(r"^ +max_queued = .*", _unfolded(ask("qstat", "-Bf")), re.M)
        limits = dict(_LIMIT.findall(line[0])) if line else {}
        most = limits.get(getpass.getuser(), limits.get("PBS_GENERIC"))
        return Limits(jobs=None if most is None else int(most))

    def queued(self, sent: Sequence[Submission]) -> tuple[dict[TaskKey, Queued], int]:
        """`qstat`, by the names of the jobs, so that an answer of qsub cannot be lost."""
        names = {_short_name(one): one.name for one in sent}
        found: dict[TaskKey, Queued] = {}
        count = 0
        answer = ask("qstat", "-s", "-w", "-u", getpass.getuser())
        for number, server, shown, state, comment in _JOB.findall(answer):
            count += 1
            name = _NAME.fullmatch(shown)
            if name is None or name[1] not in names:
                continue
            job = number if server.endswith("*") else number + server  # cut where it is long
            waits = state in _WAITING
            found[names[name[1]], int(name[2])] = Queued(
                job, "queued" if waits else "running", comment.strip() if waits else ""
            )
        return found, count

    def accounted(self, sent: Sequence[Submission]) -> dict[TaskKey, Accounted]:
        """`qstat -x`; jobs that have left its history, too, are not there."""
        tasks = known_jobs(sent)
        names = {one.name: _short_name(one) for one in sent}
        found: dict[TaskKey, Accounted] = {}
        for jobs in portions(list(tasks)):
            try:
                # exit code 153 when one is unknown; the others are there all the same
                answer = call("qstat", "-x", "-f", *jobs).stdout
            except SchedulerError:
                return found
            for job, values in _described(answer):
                key = tasks.get(job)
                if key is None or values.get("Job_Name") != f"{names[key[0]]}-{key[1]}":
                    continue  # numbers begin anew some day
                if values.get("job_state") == "F":
                    seconds = _seconds(values.get("resources_used.walltime"))
                    found[key] = Accounted(job, _ending(values), seconds)
        return found

    def cancel(self, jobs: Sequence[Queued]) -> None:
        """`qdel`: jobs that run get SIGTERM, and seconds to save (`kill_delay` of the queue)."""
        take_back("qdel", jobs, _GONE)

    def executor(self, folder: Path) -> Qsub:
        """qsub."""
        from experiment.scheduling.backends.psij_executors import Qsub

        return Qsub(folder)

    def directives(self, sent: Submission, chunk: Chunk, task: int) -> Iterator[Directive]:
        """One chunk on one node."""
        cluster = sent.cluster
        select = f"select=1:ncpus={chunk.cores}"
        if chunk.memory is not None:
            select += f":mem={chunk.cores * chunk.memory // 2**20}mb"
        if chunk.gpus:
            select += f":ngpus={chunk.gpus}"
        if cluster.constraint is not None:
            select += f":{cluster.constraint}"
        yield "N", _job_name(sent, task)
        yield "S", "/bin/bash"  # else the login shell, whatever the first line says
        yield "l", select
        if chunk.seconds is not None:
            yield "l", f"walltime={_clock(chunk.seconds)}"
        if cluster.account is not None:
            yield "A", cluster.account
        if cluster.partition is not None:
            yield "q", cluster.partition
        yield "r", "y"
        yield "j", "oe"
        yield "o", str(said_path(sent, task))
        if cluster.mail is not None:
            yield "M", cluster.mail.user
            letters = {letter for event in cluster.mail.type.split(",") for letter in _MAIL[event]}
            yield "m", "".join(sorted(letters - {"n"})) or "n"

    def after(self, job: str) -> Directive:
        """A dependency."""
        return "W", f"depend=afterany:{job}"

    def start(self, command: str) -> list[str]:
        """In place of the shell, which SIGTERM would end before the runs have saved."""
        return [f"exec {command}"]


def _short_name(sent: Submission) -> str:
    """The end of the submission's name, which is random, and a digest of all of it."""
    return f"s{sent.name[-4:]}{xxhash.xxh32_hexdigest(sent.name.encode())[:3]}"


def _job_name(sent: Submission, task: int) -> str:
    return f"{_short_name(sent)}-{task}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _seconds(clock: str | None) -> int | None:
    if clock is None:
        return None
    hours, minutes, seconds = map(int, clock.split(":"))
    return (hours * 60 + minutes) * 60 + seconds


def _unfolded(answer: str) -> str:
    return answer.replace("\n\t", "")


def _described(answer: str) -> Iterator[tuple[str, dict[str, str]]]:
    """(job, attribute -> value). Not as JSON, which some versions write with mistakes."""
    for part in re.split(r"^Job Id: ", _unfolded(answer), flags=re.M)[1:]:
        job, *lines = part.splitlines()
        pairs = (line.strip().partition(" = ") for line in lines)
        yield job, {name: value for name, _, value in pairs}


def _ending(values: dict[str, str]) -> str:
    if values.get("substate") == _DELETED:
        return "CANCELLED"
    code = int(values.get("Exit_status", 0))
    if code in _OUT_OF_TIME or (code > _SIGNALLED and _time_was_up(values)):
        return "TIMEOUT"
    if code in _OUT_OF_MEMORY:
        return "OUT_OF_MEMORY"
    if code < 0:  # it could not be started, or was lost
        return "NODE_FAIL"
    return "COMPLETED" if code in (0, EXIT_SAVED) else "FAILED"


def _time_was_up(values: dict[str, str]) -> bool:
    """Versions before 18 tell of a signal only."""
    used, limit = (
        _seconds(values.get(name)) for name in ("resources_used.walltime", "Resource_List.walltime")
    )
    return used is not None and limit is not None and used >= limit
