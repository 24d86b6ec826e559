"""A job: what a node of the cluster does with one task of a submission.

python -m experiment.scheduling.job SUBMISSION_FOLDER TASK [DESCRIPTOR PARENT]

With a file descriptor it tells there what happens, and ends when its parent does, which should be
process PARENT (0: any). It runs what has no record yet, so a job that is started again goes on.
Exit codes: 0 all runs have their record, 1 some failed, 2 the input cannot be used, 75 some have
to go on in another job.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from experiment import processor
from experiment.errors import ConfigError, SweepError
from experiment.lock import JOB_VARIABLE
from experiment.scheduling import events, submission
from experiment.scheduling.cluster import Cluster
from experiment.scheduling.events import (
    FAILURES,
    PILOT_OVER,
    Ended,
    Event,
    Left,
    Progressed,
    Started,
)
from experiment.scheduling.launchers import die_with
from experiment.scheduling.pool import Child, Pool
from experiment.scheduling.stopping import StopSignals
from experiment.scheduling.submission import Submission
from experiment.scheduling.task_log import TaskLog
from experiment.signals import EXIT_SAVED

#: How long a pilot waits for training to begin: compiling on a busy node takes its time.
_COLD_START_SECONDS = 300.0
Watcher = Callable[[Event | Progressed], None]


@dataclass(frozen=True)
class Result:
    """How a job ended.

    Attributes:
        failed: runs that failed in this submission.
        unfinished: runs that another job has to go on with.
        stopped_by: why it left before they were done; None when it did not.
    """

    failed: int
    unfinished: int
    stopped_by: str | None

    @property
    def exit_code(self) -> int:
        """Of the process."""
        if self.unfinished:
            return EXIT_SAVED
        return 1 if self.failed else 0


def run_task(sent: Submission, task: int, watcher: Watcher = lambda event: None) -> Result:
    """Runs what is left of a task.

    Args:
        watcher: is told of everything that happens.

    Raises:
        SweepError: the task cannot be run at all.
    """
    began = time.monotonic()
    # from here on, since imports alone may take longer than a scheduler waits
    with StopSignals() as signals, contextlib.ExitStack() as files:
        try:
            os.chdir(sent.base_path)
        except OSError as error:
            raise ConfigError(f"{sent.base_path}: cannot be used: {error.strerror}") from None
        _set_threads(sent.cluster)
        attempt = _attempt(sent, task)
        os.environ[JOB_VARIABLE] = f"{_job_name()} attempt {attempt}"
        failed = _failed_before(sent, task) if attempt else set()
        writer = events.Writer(sent.events_path(task))
        files.callback(writer.close)
        log = TaskLog(sent.log_path(task))
        files.callback(log.close)

        def happened(event: Event) -> None:
            writer.write(event)
            watcher(event)

        def ended(event: Ended) -> None:
            happened(event)
            log.ended(event)

        def changed(child: Child) -> None:
            last = child.last
            watcher(Progressed(child.slot, child.group, last.timestep, last.total, last.start))

        happened(Started(time.time(), socket.gethostname(), _job_name(), attempt))
        # numpy and all that is built on it, which read the number of threads when imported
        from experiment.scheduling.preparing import prepare

        launcher, groups = prepare(sent, task, failed)
        chunk = sent.chunk_of(task)
        stop_at, stop_why = _end_of_time(sent, began, chunk.seconds, launcher.tells)
        pool = Pool(
            launcher,
            groups,
            chunk.slots,
            signals,
            ended=ended,
            said=log.say,
            changed=changed,
            run_seconds=chunk.run_seconds,
            stop_at=stop_at,
            stop_why=stop_why,
            training_seconds=sent.leave_after,
            attempts=sent.cluster.retry.attempts,
        )
        pool.run()
        why = pool.stopped_by or events.FINISHED
        happened(Left(time.time(), why, pool.unfinished, _own_memory()))
    lost = sum(count for ending, count in pool.endings.items() if ending in FAILURES)
    # a pilot that has told what it was sent for is done
    unfinished = 0 if pool.stopped_by == PILOT_OVER else pool.unfinished
    return Result(len(failed) + lost, unfinished, pool.stopped_by)


def _set_threads(cluster: Cluster) -> None:
    """As many as the cluster file gives a run, whatever the shell that submitted has."""
    for variable in processor.THREADS:
        if variable not in cluster.environment:
            os.environ[variable] = str(cluster.threads_per_run)
    processor.settle()


def _end_of_time(
    sent: Submission, began: float, seconds: int | None, tells: bool
) -> tuple[float | None, str]:
    """When a job asks its runs to save, by the monotonic clock, and why it then says that it left.

    Args:
        seconds: that it may take.
        tells: whether it will hear when its runs train.
    """
    limits = [] if seconds is None else [began + seconds]
    # the scheduler's own word counts from before the job's setup
    end = os.environ.get("SLURM_JOB_END_TIME", "")
    if end.isdecimal():
        limits.append(time.monotonic() + int(end) - time.time())
    limits = [limit - sent.cluster.save_before for limit in limits]
    if sent.leave_after is not None:
        first = _COLD_START_SECONDS if tells else 0.0
        return min([time.monotonic() + first + sent.leave_after, *limits]), PILOT_OVER
    return min(limits, default=None), "time limit"


def _own_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _job_name() -> str:
    """What the scheduler calls this job."""
    variables = os.environ
    if "SLURM_ARRAY_JOB_ID" in variables:
        return f"{variables['SLURM_ARRAY_JOB_ID']}_{variables['SLURM_ARRAY_TASK_ID']}"
    for name in ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID"):
        if name in variables:
            return variables[name]
    return f"process {os.getpid()}"


def _attempt(sent: Submission, task: int) -> int:
    """How often the scheduler has put this job back."""
    if not any(name in os.environ for name in ("PBS_JOBID", "LSB_JOBID")):
        return int(os.environ.get("SLURM_RESTART_COUNT") or 0)
    # these tell nobody, but the job keeps its name
    before = events.read(sent.events_path(task))
    return sum(isinstance(event, Started) and event.job == _job_name() for event in before)


def _failed_before(sent: Submission, task: int) -> set[int]:
    """Runs that failed in this task before it was requeued: they would again."""
    last = {
        index: event
        for event in events.read(sent.events_path(task))
        if isinstance(event, Ended)
        for index in event.indices
    }
    return {index for index, event in last.items() if event.ended in FAILURES and not event.again}


def main(arguments: Sequence[str]) -> int:
    """The command line of the module."""
    if len(arguments) not in (2, 4) or not all(word.isdecimal() for word in arguments[1:]):
        print(__doc__, file=sys.stderr)
        return 2
    folder, task, *teller = arguments
    watcher: Watcher | None = None
    if teller:
        die_with(int(teller[1]) or os.getppid())
        watcher = _telling(int(teller[0]))
    try:
        sent = submission.read(Path(folder))
        if int(task) >= len(sent.tasks):
            raise ConfigError(f"{sent.folder}: has {len(sent.tasks)} tasks, no number {task}")
        if watcher is not None:
            return run_task(sent, int(task), watcher).exit_code
        result = run_task(sent, int(task))
    except SweepError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{result.failed} runs failed, {result.unfinished} are unfinished")
    return result.exit_code


def _telling(descriptor: int) -> Watcher:
    encoder = msgspec.json.Encoder()
    os.set_inheritable(descriptor, False)

    def tell(event: Event | Progressed) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(descriptor, encoder.encode(event) + b"\n")

    return tell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
