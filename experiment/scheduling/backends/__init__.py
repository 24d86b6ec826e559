"""What takes the jobs: Slurm, PBS, LSF, or this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from experiment.errors import SweepError

if TYPE_CHECKING:
    from experiment.scheduling.cluster import Cluster
    from experiment.scheduling.submission import Submission

#: State of a job that a stop signal ended before it could listen.
SIGNALLED = "SIGNALLED"
#: (name of the submission, task)
TaskKey = tuple[str, int]


class SchedulerError(SweepError):
    """The scheduler did not answer, or refused. Nothing that was sent before is lost."""


@dataclass(frozen=True)
class Limits:
    """What the scheduler lets a user send; None for no limit.

    Attributes:
        array: elements of one job array (1: it has no arrays).
        jobs: jobs that may be queued and running at once, an array's elements one each.
    """

    array: int | None = None
    jobs: int | None = None


@dataclass(frozen=True)
class Queued:
    """A task that waits or runs.

    Attributes:
        job: the scheduler's name of it.
        reason: why it waits, in the scheduler's words.
    """

    job: str
    state: Literal["queued", "running"]
    reason: str = ""


@dataclass(frozen=True)
class Accounted:
    """A task that has left the scheduler, as its accounting tells.

    Attributes:
        state: COMPLETED, FAILED, TIMEOUT, OUT_OF_MEMORY, NODE_FAIL, CANCELLED, PREEMPTED..., or
            SIGNALLED.
        seconds: that it held its cores.
    """

    job: str
    state: str
    seconds: int | None = None


class Scheduler(Protocol):
    """A way to get tasks run."""

    def limits(self, cluster: Cluster) -> Limits:
        """What one may send with this cluster file."""
        ...

    def queued(self, sent: Sequence[Submission]) -> tuple[dict[TaskKey, Queued], int]:
        """(the tasks of these submissions that wait or run, all jobs of this user): one call.

        Raises:
            SchedulerError: it does not answer.
        """
        ...

    def accounted(self, sent: Sequence[Submission]) -> dict[TaskKey, Accounted]:
        """How tasks that are no longer there ended, as far as the scheduler tells: one call."""
        ...

    def send(self, sent: Submission) -> None:
        """Hands every chunk over.

        Raises:
            SchedulerError: refused; what was taken before that stays.
        """
        ...

    def cancel(self, jobs: Sequence[Queued]) -> None:
        """Takes jobs back; those that run save first."""
        ...

    def scripts(self, sent: Submission) -> Mapping[str, str]:
        """File name -> content of what one would hand to the scheduler oneself."""
        ...


def _slurm() -> Scheduler:
    from experiment.scheduling.backends.slurm import Slurm

    return Slurm()


def _local() -> Scheduler:
    from experiment.scheduling.backends.local import Local

    return Local()


def _pbs() -> Scheduler:
    from experiment.scheduling.backends.pbs import Pbs

    return Pbs()


def _lsf() -> Scheduler:
    from experiment.scheduling.backends.lsf import Lsf

    return Lsf()


_SCHEDULERS: dict[str, Callable[[], Scheduler]] = {
    "slurm": _slurm,
    "pbs": _pbs,
    "lsf": _lsf,
    "local": _local,
}


def scheduler(name: str) -> Scheduler:
    """The scheduler of a cluster file."""
    return _SCHEDULERS[name]()


def log_folder(sent: Submission) -> Path:
    """Where the scheduler writes what jobs print."""
    output = sent.cluster.output
    return Path(sent.base_path) / output / sent.name if output else sent.folder


def said_path(sent: Submission, task: int) -> Path:
    """What the job of one task prints, where each task has a job of its own."""
    return log_folder(sent) / f"job-{task}.out"
