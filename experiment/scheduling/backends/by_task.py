"""One job a task, which is how PBS and LSF get theirs.

No arrays: how many elements one may have, and whether at all, differs from site to site. Where
only some tasks may run at once (`arrayParallelism`), each waits for the end of the one that is so
many places before it.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiment.files import storage
from experiment.scheduling.backends import (
    Accounted,
    Limits,
    Queued,
    SchedulerError,
    TaskKey,
    log_folder,
)
from experiment.scheduling.backends.commands import call, complaint, python_command, setup_lines
from experiment.scheduling.submission import Chunk, Jobs, Submission, read_jobs, write_jobs

if TYPE_CHECKING:
    from psij.executors.batch.batch_scheduler_executor import BatchSchedulerExecutor

    from experiment.scheduling.cluster import Cluster

Directive = tuple[str, bool | int | float | str]
"""Name and value; True for one without value."""

_PLAIN = re.compile(r"[\w@%+=:,./-]+")
_AT_ONCE = 500  # jobs that one command is asked about


class ByTask(ABC):
    """A scheduler of which PSI/J knows how to send a job.

    Attributes:
        submits: the command that takes scripts.
        prefix: of its directives.
        repeatable: directives that may be there more than once.
    """

    submits: str
    prefix: str
    repeatable: frozenset[str]

    # -- what differs

    @abstractmethod
    def limits(self, cluster: Cluster) -> Limits:
        """As `Scheduler.limits`."""

    @abstractmethod
    def queued(self, sent: Sequence[Submission]) -> tuple[dict[TaskKey, Queued], int]:
        """As `Scheduler.queued`."""

    @abstractmethod
    def accounted(self, sent: Sequence[Submission]) -> dict[TaskKey, Accounted]:
        """As `Scheduler.accounted`."""

    @abstractmethod
    def cancel(self, jobs: Sequence[Queued]) -> None:
        """As `Scheduler.cancel`."""

    @abstractmethod
    def executor(self, folder: Path) -> BatchSchedulerExecutor:
        """PSI/J's, which may write files into `folder`."""

    @abstractmethod
    def directives(self, sent: Submission, chunk: Chunk, task: int) -> Iterator[Directive]:
        """What a task asks for."""

    @abstractmethod
    def after(self, job: str) -> Directive:
        """Not before that job has ended, however it does."""

    @abstractmethod
    def start(self, command: str) -> list[str]:
        """The lines of a script that run its command."""

    # -- what does not

    def send(self, sent: Submission) -> None:
        """A job of each task."""
        from experiment.scheduling.backends.psij_executors import hand_over

        logs = log_folder(sent)
        with storage(f"{logs}: cannot be created"):
            logs.mkdir(parents=True, exist_ok=True)
        jobs = Jobs()
        with tempfile.TemporaryDirectory() as folder:
            executor = self.executor(Path(folder))
            for chunk, task in _tasks(sent):
                behind = task - chunk.parallel if chunk.parallel else -1
                after = jobs.tasks[behind] if behind >= chunk.first else None
                try:
                    jobs.tasks[task] = hand_over(self._script(sent, chunk, task, after), executor)
                except SchedulerError as error:
                    taken = f"; {task} of {len(sent.tasks)} jobs were taken" if task else ""
                    raise SchedulerError(f"{self.submits} refused: {error}{taken}") from None
                write_jobs(sent, jobs)

    def scripts(self, sent: Submission) -> Mapping[str, str]:
        """A script of each task; what one waits for, only the scheduler's answers can tell."""
        return {
            f"{sent.name}-{task}.sh": self._script(sent, chunk, task, None)
            for chunk, task in _tasks(sent)
        }

    def _script(self, sent: Submission, chunk: Chunk, task: int, after: str | None) -> str:
        cluster = sent.cluster
        given = cluster.directives
        mine = (
            (name, value)
            for name, value in self.directives(sent, chunk, task)
            if name not in given or name in self.repeatable
        )
        waits = [] if after is None else [self.after(after)]
        job = f"-m experiment.scheduling.job {shlex.quote(str(sent.folder))} {task} </dev/null"
        lines = [
            "#!/bin/bash",
            *(self._line(*directive) for directive in (*mine, *given.items(), *waits)),
            f"cd {shlex.quote(sent.base_path)} || exit",
            *setup_lines(cluster),
            *self.start(f"{python_command(cluster)} {job}"),
        ]
        return "\n".join([*lines, ""])

    def _line(self, name: str, value: bool | int | float | str) -> str:
        if value is True:
            return f"{self.prefix} -{name}"
        text = str(value)
        if not _PLAIN.fullmatch(text):
            quote = "'" if '"' in text else '"'
            text = f"{quote}{text}{quote}"
        return f"{self.prefix} -{name} {text}"


def _tasks(sent: Submission) -> Iterator[tuple[Chunk, int]]:
    for chunk in sent.chunks:
        for task in range(chunk.first, chunk.first + chunk.count):
            yield chunk, task


def known_jobs(sent: Sequence[Submission]) -> dict[str, TaskKey]:
    """The tasks by the names that the scheduler gave their jobs."""
    return {job: (one.name, task) for one in sent for task, job in read_jobs(one).tasks.items()}


def portions(jobs: Sequence[str]) -> Iterator[Sequence[str]]:
    """Some at a time: a command line has an end."""
    for at in range(0, len(jobs), _AT_ONCE):
        yield jobs[at : at + _AT_ONCE]


def take_back(command: str, jobs: Sequence[Queued], gone: Sequence[str]) -> None:
    """Directly: PSI/J would take one job at a time, and only its own.

    Args:
        gone: what the command says of jobs that have ended meanwhile.

    Raises:
        SchedulerError: it says anything else.
    """
    for some in portions([job.job for job in jobs]):
        done = call(command, *some)
        said = done.stderr.splitlines()
        if done.returncode and not (
            said and all(any(phrase in line for phrase in gone) for line in said)
        ):
            raise SchedulerError(f"{command}: {complaint(done)}")
