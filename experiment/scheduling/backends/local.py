"""This machine: the job is a process of its own, and the person watches."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from experiment.bootstrap import ROOT
from experiment.lock import Lock, holder_of
from experiment.scheduling.backends import Accounted, Limits, Queued, SchedulerError, TaskKey
from experiment.scheduling.events import Ended, Left, Progressed, Started
from experiment.scheduling.submission import Submission, this_host
from experiment.scheduling.table import Table
from experiment.signals import EXIT_SAVED, STOP_SIGNALS

_Seen = Started | Ended | Left | Progressed


class Local:
    """Tasks one after another, each with all cores of the cluster file."""

    def limits(self) -> Limits:
        """One task, with every index in it."""
        return Limits()

    def queued(self, sent: Sequence[Submission]) -> tuple[dict[TaskKey, Queued], int]:
        """The tasks of submissions that a living schedule.py works at."""
        found: dict[TaskKey, Queued] = {}
        for one in sent:
            holder = holder_of(_lock_path(one))
            if holder is not None:
                job = Queued(f"{holder['pid']} on {holder['host']}", "running")
                found |= {(one.name, task): job for task in range(len(one.tasks))}
        return found, 0

    def accounted(self, sent: Sequence[Submission]) -> dict[TaskKey, Accounted]:
        """Nobody keeps accounts here; the jobs' own events tell."""
        return {}

    def send(self, sent: Submission) -> None:
        """Runs it to the end, or until it is asked to stop and everything is saved."""
        with Lock(_lock_path(sent), f"the submission {sent.folder}"), Table(sent) as table:
            for task in range(len(sent.tasks)):
                if _run(sent, task, table) == EXIT_SAVED:
                    break

    def cancel(self, jobs: Sequence[Queued]) -> None:
        """Asks the processes to save and leave."""
        for name in {job.job for job in jobs}:
            pid, _, host = name.partition(" on ")
            if host != this_host():
                raise SchedulerError(f"process {pid} runs on {host}; stop it from there")
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGTERM)

    def scripts(self, sent: Submission) -> Mapping[str, str]:
        """A shell script."""
        job = f"{sys.executable} -m experiment.scheduling.job {sent.folder}"
        lines = ["#!/bin/bash", f"cd {sent.base_path}", f"export PYTHONPATH={ROOT}"]
        lines += [f"{job} {task}" for task in range(len(sent.tasks))]
        return {f"{sent.name}.sh": "\n".join([*lines, ""])}


def _lock_path(sent: Submission) -> Path:
    return sent.folder / "local.lock"


def _run(sent: Submission, task: int, table: Table) -> int:
    """One task in a process of its own; what happens there goes to the table."""
    listening, telling = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "experiment.scheduling.job", sent.folder, str(task), str(telling)],
        cwd=sent.base_path,
        env=_environment(sent),
        stdin=subprocess.DEVNULL,
        pass_fds=[telling],
    )
    os.close(telling)
    with _forwarding_to(process), os.fdopen(listening, "rb") as lines:
        decoder: msgspec.json.Decoder[_Seen] = msgspec.json.Decoder(_Seen)
        for line in lines:
            table.saw(decoder.decode(line))
        return process.wait()


def _environment(sent: Submission) -> dict[str, str]:
    before = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(ROOT), *([before] if before else [])])
    return {**os.environ, **sent.cluster.environment, "PYTHONPATH": path}


@contextlib.contextmanager
def _forwarding_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop signals are for the job: it saves and ends, and with it this process goes on."""

    def forward(number: int, frame: Any) -> None:
        process.send_signal(signal.SIGTERM)

    before = {number: signal.signal(number, forward) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
