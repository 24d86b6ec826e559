"""What stubs of schedulers have in common: jobs as files of a folder, and a keeper of each job.

The keeper is a process that starts the script when it may, watches the time limit, and writes how
the job ended, so that the commands, which come and go, find it there. Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Job = dict[str, Any]


class Jobs:
    """Those of one scheduler.

    Args:
        folder: also has `settings.json`, which a test writes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def setting(self, name: str, default: Any = None) -> Any:
        """How a test wants the scheduler to be."""
        try:
            return json.loads((self.folder / "settings.json").read_text()).get(name, default)
        except FileNotFoundError:
            return default

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.job"

    def _write(self, job: Job) -> None:
        path = self._path(job["number"])
        path.with_suffix(".new").write_text(json.dumps(job))
        path.with_suffix(".new").replace(path)

    def add(self, job: Job) -> int:
        """One more that waits; returns its number."""
        with self._alone():
            number = self.setting("first", 1001) + len(list(self.folder.glob("*.job")))
            self._write({"state": "waits", "number": number, "runs": 0} | job)
        return int(number)

    def get(self, number: int) -> Job | None:
        """A job; None for one that never was."""
        try:
            job: Job = json.loads(self._path(number).read_text())
        except FileNotFoundError:
            return None
        return job

    def all(self) -> list[Job]:
        """By number."""
        numbers = sorted(int(path.stem) for path in self.folder.glob("*.job"))
        return [job for number in numbers if (job := self.get(number)) is not None]

    def change(self, number: int, change: Callable[[Job], object]) -> Job:
        """Changes a job while nobody else does."""
        with self._alone():
            job = self.get(number)
            assert job is not None
            change(job)
            self._write(job)
            return job

    def kill(self, number: int, signals: list[int]) -> None:
        """Takes a job back: at once while it waits, else by signals to all of its processes."""

        def mark(job: Job) -> None:
            job["killed"] = True
            if job["state"] == "waits":
                job["state"] = "ended"

        job = self.change(number, mark)
        if job["state"] == "runs":
            for one in signals:
                send(job["pid"], one)


@dataclass(frozen=True)
class Keeper:
    """Of one job.

    Attributes:
        command, environment, cwd: of its script.
        limit: seconds that it may run.
        warning: signal that it gets when they are over; SIGKILL follows.
        code_of: exit code as the scheduler writes it, from a return code as Python has it.
        again: exit code with which the job is put back.
    """

    jobs: Jobs
    number: int
    command: list[str]
    environment: dict[str, str]
    cwd: Path
    output: Path
    limit: float | None
    warning: int
    code_of: Callable[[int], int]
    again: int | None = None

    def keep(self) -> None:
        """Until the job has ended for good."""
        while self._may_start():
            end = functools.partial(self._end, self._run())
            if self.jobs.change(self.number, end)["state"] == "ended":
                return

    def _end(self, code: int, job: Job) -> None:
        job["code"] = self.code_of(code)
        job["seconds"] = time.time() - job["began"]
        job["state"] = "waits" if job["code"] == self.again else "ended"

    def _may_start(self) -> bool:
        while not self._is_free():
            time.sleep(0.05)
        return self._claim()

    def _is_free(self) -> bool:
        """Whether it may start, or somebody has taken it back meanwhile."""
        job = self.jobs.get(self.number)
        if job is None or job["state"] == "ended":
            return True
        before = job["after"] and self.jobs.get(job["after"])
        closed = (self.jobs.folder / "closed").exists()
        return not closed and (not before or before["state"] == "ended")

    def _claim(self) -> bool:
        def claim(job: Job) -> None:
            if job["state"] == "waits":
                job.update(state="starts", began=time.time(), runs=job["runs"] + 1)

        return bool(self.jobs.change(self.number, claim)["state"] == "starts")

    def _run(self) -> int:
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.jobs.change(self.number, lambda job: job.update(state="runs", pid=process.pid))
        never = float("inf")
        deadline = never if self.limit is None else time.monotonic() + self.limit
        kill_at = never
        while process.poll() is None:
            time.sleep(0.02)
            now = time.monotonic()
            if now >= deadline:
                deadline = never
                self.jobs.change(self.number, lambda job: job.update(late=True))
                send(process.pid, self.warning)
            job = self.jobs.get(self.number) or {}
            if kill_at == never and (job.get("late") or job.get("killed")):
                kill_at = now + self.jobs.setting("kill_delay", 10.0)
            if now >= kill_at:
                send(process.pid, signal.SIGKILL)
        send(process.pid, signal.SIGKILL)  # what it left behind
        return process.returncode


def send(group: int, number: int) -> None:
    """A signal to all processes of a job, if there are any."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def start_keeper(jobs: Jobs, stub: str, number: int) -> None:
    """In the background."""
    with (jobs.folder / "keepers.log").open("a") as log:
        subprocess.Popen(
            [sys.executable, "-S", stub, str(jobs.folder), "keep", str(number)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )


def install(stub: Path, commands: tuple[str, ...], bin_folder: Path, folder: Path) -> None:
    """Puts the commands of a stub into a folder for PATH."""
    bin_folder.mkdir(parents=True)
    folder.mkdir(parents=True)
    for name in commands:
        path = bin_folder / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{stub}" "{folder}" {name} "$@"\n')
        path.chmod(0o755)


def refuse(text: str, code: int) -> None:
    """What a command does with input that it cannot use."""
    print(text, file=sys.stderr)
    sys.exit(code)
