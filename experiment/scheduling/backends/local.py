"""This machine: the job is a process of its own, and the person watches."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType

import msgspec

from experiment.lock import holder_of
from experiment.scheduling.backends import Accounted, Limits, Queued, SchedulerError, TaskKey
from experiment.scheduling.backends.commands import python_command, setup_lines
from experiment.scheduling.cluster import Cluster
from experiment.scheduling.events import Ended, Left, Progressed, Started
from experiment.scheduling.submission import Submission, this_host
from experiment.scheduling.table import Table
from experiment.signals import STOP_SIGNALS

_Seen = Started | Ended | Left | Progressed
_decoder: msgspec.json.Decoder[_Seen] = msgspec.json.Decoder(_Seen)


class Local:
    """Tasks one after another, each with all cores of the cluster file."""

    def limits(self, cluster: Cluster) -> Limits:
        """One task, with every index in it."""
        return Limits()

    def queued(self, sent: Sequence[Submission]) -> tuple[dict[TaskKey, Queued], int]:
        """The tasks of submissions that a living schedule.py works at."""
        found: dict[TaskKey, Queued] = {}
        for one in sent:
            holder = holder_of(one.sender_path)
            if holder is not None:
                job = Queued(f"{holder['pid']} on {holder['host']}", "running")
                found |= {(one.name, task): job for task in range(len(one.tasks))}
        return found, 0

    def accounted(self, sent: Sequence[Submission]) -> dict[TaskKey, Accounted]:
        """Nobody keeps accounts here; the jobs' own events tell."""
        return {}

    def send(self, sent: Submission) -> None:
        """Runs it to the end, or until it is asked to stop and everything is saved.

        Raises:
            SchedulerError: a job ended before its runs did, though nobody asked it to.
        """
        with Table(sent) as table, _StopSignals() as stop:
            for task in range(len(sent.tasks)):
                if not stop.asked:
                    _run(sent, task, table, stop)

    def cancel(self, jobs: Sequence[Queued]) -> None:
        """Asks the processes to save and leave."""
        for name in {job.job for job in jobs}:
            pid, _, host = name.partition(" on ")
            if host != this_host():
                raise SchedulerError(f"process {pid} runs on {host}; stop it from there")
            try:
                os.kill(int(pid), signal.SIGTERM)
            except ProcessLookupError:
                continue
            except PermissionError:
                raise SchedulerError(f"process {pid} is another user's") from None

    def scripts(self, sent: Submission) -> Mapping[str, str]:
        """A shell script."""
        tasks = [_command(sent, task) for task in range(len(sent.tasks))]
        start = ["#!/bin/bash", f"cd {shlex.quote(sent.base_path)} || exit"]
        return {f"{sent.name}.sh": "\n".join([*start, *setup_lines(sent.cluster), *tasks, ""])}


def _command(sent: Submission, task: int) -> str:
    python = python_command(sent.cluster)
    return f"{python} -m experiment.scheduling.job {shlex.quote(str(sent.folder))} {task}"


def _run(sent: Submission, task: int, table: Table, stop: _StopSignals) -> None:
    """One task in a process of its own; what happens there goes to the table."""
    listening, telling = os.pipe()
    # inside a container the parent is another process
    parent = 0 if sent.cluster.container else os.getpid()
    lines = [*setup_lines(sent.cluster), f"exec {_command(sent, task)} {telling} {parent}"]
    left = False
    with stop.forwarded(
        subprocess.Popen(
            ["bash", "-c", "\n".join(lines)],
            cwd=sent.base_path,
            stdin=subprocess.DEVNULL,
            pass_fds=[telling],
            process_group=0,  # Ctrl-C is for this process, which passes it on
        )
    ) as process:
        os.close(telling)
        with os.fdopen(listening, "rb") as told:
            for line in told:
                with contextlib.suppress(msgspec.DecodeError):  # killed while it told
                    event = _decoder.decode(line)
                    left = left or isinstance(event, Left)
                    table.saw(event)
        code = process.wait()
    if not left and not stop.asked:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
        raise SchedulerError(f"the job of {sent.name} {how} before its runs had ended")


class _StopSignals:
    """Stop signals are for the job: it saves and ends, and with it this process goes on."""

    def __init__(self) -> None:
        self.asked = False
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> _StopSignals:
        self._before = {number: signal.signal(number, self._handle) for number in STOP_SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    @contextlib.contextmanager
    def forwarded(self, process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
        """While `process` runs."""
        self._process = process
        if self.asked:
            process.send_signal(signal.SIGTERM)
        try:
            yield process
        finally:
            self._process = None
