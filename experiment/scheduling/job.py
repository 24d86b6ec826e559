"""A job: what a node of the cluster does with one task of a submission.

python -m experiment.scheduling.job SUBMISSION_FOLDER TASK [DESCRIPTOR]

With a file descriptor it tells there what happens, and ends when its parent does. It runs what has
no record yet, so a job that is started again goes on. Exit codes: 0 all runs have their record,
1 some failed, 2 the input cannot be used, 75 some have to go on in another job.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from experiment import processor
from experiment.bootstrap import ROOT
from experiment.errors import ConfigError, SweepError
from experiment.lock import JOB_VARIABLE
from experiment.scheduling import events, submission
from experiment.scheduling.events import (
    FAILURES,
    PILOT_OVER,
    Ended,
    Event,
    Left,
    Progressed,
    Started,
)
from experiment.scheduling.launchers import Command, Devices, Fork, die_with, exit_code_of
from experiment.scheduling.pool import Child, Launcher, Pool, label_of
from experiment.scheduling.submission import Chunk, Submission
from experiment.signals import EXIT_SAVED

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


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


def run_task(
    sent: Submission, task: int, watcher: Callable[[Event | Progressed], None] | None = None
) -> Result:
    """Runs what is left of a task.

    Args:
        watcher: is told of everything that happens.

    Raises:
        ConfigError: the task cannot be run at all.
    """
    began = time.monotonic()
    os.chdir(sent.base_path)
    _set_threads(sent.cluster.threads_per_run)
    attempt = _attempt(sent, task)
    os.environ[JOB_VARIABLE] = f"{_job_name()} attempt {attempt}"
    chunk = sent.chunk_of(task)
    failed = _failed_before(sent, task) if attempt else set()
    writer = events.Writer(sent.events_path(task))
    log = _Log(sent.log_path(task))

    def happened(event: Event) -> None:
        writer.write(event)
        if watcher is not None:
            watcher(event)

    def ended(event: Ended) -> None:
        happened(event)
        log.ended(event)

    happened(Started(time.time(), socket.gethostname(), _job_name(), attempt))
    try:
        launcher, groups = _prepare(sent, task, failed, chunk.slots)
        stop_at, stop_why = _end_of_time(sent, chunk, began)
        pool = Pool(
            launcher,
            groups,
            chunk.slots,
            ended=ended,
            said=log.say,
            changed=lambda child: _show(watcher, child),
            run_seconds=chunk.run_seconds,
            stop_at=stop_at,
            stop_why=stop_why,
            attempts=sent.cluster.retry.attempts,
        )
        pool.run()
        lost = sum(count for ending, count in pool.endings.items() if ending in FAILURES)
        why, memory = pool.stopped_by or "finished", _own_memory()
        happened(Left(time.time(), why, pool.unfinished, memory))
    finally:
        writer.close()
        log.close()
    # a pilot that has told what it was sent for is done
    unfinished = 0 if pool.stopped_by == PILOT_OVER else pool.unfinished
    return Result(len(failed) + lost, unfinished, pool.stopped_by)


def _end_of_time(sent: Submission, chunk: Chunk, began: float) -> tuple[float | None, str]:
    """When a job asks its runs to save, and what it then says why it left."""
    end = math.inf if chunk.seconds is None else began + chunk.seconds - sent.cluster.save_before
    if sent.leave_after is not None:  # counted from now, when all is imported
        return min(time.monotonic() + sent.leave_after, end), PILOT_OVER
    return (None if end == math.inf else end), "time limit"


def _own_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _show(watcher: Callable[[Event | Progressed], None] | None, child: Child) -> None:
    if watcher is not None:
        last = child.last
        watcher(Progressed(child.slot, child.group, last.timestep, last.total, last.start))


def _set_threads(count: int) -> None:
    """Before numpy and torch are imported. One a run, unless the cluster file gives it more."""
    if count > 1:
        for variable in _THREAD_VARIABLES:
            os.environ[variable] = str(count)
    processor.settle()


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
    endings: dict[int, str] = {}
    killed: Counter[int] = Counter()
    for event in events.read(sent.events_path(task)):
        if isinstance(event, Ended):
            for index in event.indices:
                endings[index] = event.ended
                killed[index] += event.ended == "killed"
    most = sent.cluster.retry.attempts
    return {
        index
        for index, ending in endings.items()
        if ending in FAILURES and (ending != "killed" or killed[index] >= most)
    }


# -- what runs


def _prepare(
    sent: Submission, task: int, leave_out: set[int], slots: int
) -> tuple[Launcher, list[list[int]]]:
    """The launcher, and the groups that it is to start."""
    devices = Devices(sent.chunk_of(task).gpus, sent.cluster.runs_per_gpu)
    indices = [index for index in sent.indices(task) if index not in leave_out]
    program = Path(sent.executable)
    if program.is_file() and program.resolve() == (ROOT / "main.py").resolve():
        return _warm(sent, indices, devices)
    size = sent.batch or 1
    return Command(sent, devices), [indices[i : i + size] for i in range(0, len(indices), size)]


def _warm(
    sent: Submission, indices: Sequence[int], devices: Devices
) -> tuple[Launcher, list[list[int]]]:
    """Imports everything once; the processes are copies of this one."""
    import agents
    from experiment.adoption import open_folder
    from experiment.configuration import read_experiment
    from experiment.folder import folder_of
    from experiment.manifest import Manifest
    from experiment.provenance import provenance
    from experiment.run import Options, build_training, run_group
    from experiment.sequence import groups_of
    from experiment.values import default_values

    experiment = read_experiment(sent.folder / "environment.json", sent.folder / "agent.json")
    settings_type = agents.settings_type(experiment.agent_name)
    manifest = Manifest.of(experiment, sent.seed_offset)
    path = folder_of(experiment, Path(sent.save_dir) if sent.save_dir is not None else None)
    folder, _ = open_folder(path, manifest, default_values(settings_type), adopt=False)
    size = sent.batch or settings_type.group_size(sent.device)
    options = Options(
        device=sent.device,
        batch=size,
        checkpoint_minutes=sent.cluster.checkpoint_minutes or Options.checkpoint_minutes,
    )
    provenance(sent.device)  # asks git once, not in every process
    left = [index for index in indices if not folder.has(folder.run(index))]
    groups = list(groups_of(experiment, folder, left, options))
    if groups and sent.device == "cpu":
        # loads every module and compiled function that a run needs; a GPU must not be touched
        # before the fork
        training = build_training(experiment, [folder.run(groups[0][0])], options)
        training.advance(time.monotonic(), patience=0.0)
        training.close()

    def work(group: Sequence[int]) -> int:
        return exit_code_of(list(run_group(experiment, folder, group, options).values()))

    return Fork(work, devices), groups


# -- the log


class _Log:
    """The lines of all runs of a task in one file, each with its time and its run."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def say(self, label: str, text: str) -> None:
        text = text.removeprefix(f"{label}: ")
        self._file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {label}: {text}\n")

    def ended(self, ended: Ended) -> None:
        how = f" by signal {ended.signal}" if ended.signal else ""
        how += f" with exit code {ended.exit}" if ended.exit else ""
        self.say(label_of(ended.indices), f"{ended.ended}{how} after {ended.wall:.1f} s")

    def close(self) -> None:
        self._file.close()


def main(arguments: Sequence[str]) -> int:
    """The command line of the module."""
    if not 2 <= len(arguments) <= 3 or not all(number.isdecimal() for number in arguments[1:]):
        print(__doc__, file=sys.stderr)
        return 2
    folder, task, *descriptor = arguments
    watcher = None
    if descriptor:
        die_with(os.getppid())
        watcher = _telling(int(descriptor[0]))
    try:
        sent = submission.read(Path(folder))
        if int(task) >= len(sent.tasks):
            raise ConfigError(f"{sent.folder}: has {len(sent.tasks)} tasks, no number {task}")
        result = run_task(sent, int(task), watcher)
    except SweepError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if watcher is None:
        print(f"{result.failed} runs failed, {result.unfinished} are unfinished")
    return result.exit_code


def _telling(descriptor: int) -> Callable[[Event | Progressed], None]:
    encoder = msgspec.json.Encoder()
    os.set_inheritable(descriptor, False)

    def tell(event: Event | Progressed) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(descriptor, encoder.encode(event) + b"\n")

    return tell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
