"""What was sent to a scheduler: one folder a submission, beside the results that it is to make.

    <results folder>/jobs/<submission>/
        submission.json      the tasks: which indices each job takes, and what it may use
        environment.json     both files as they were when it was sent; editing the
        agent.json           originals does not reach jobs that wait in a queue
        jobs.json            the scheduler's names of the jobs
        task-<n>.jsonl       what became of every run of task n, written by the job
        task-<n>.log         what the runs of task n said
        sender.lock          while schedule.py hands it over, or runs it on this machine

A task is one job, or one element of a job array. It holds no code, only indices.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from experiment.errors import StorageError
from experiment.files import storage, write_atomically
from experiment.scheduling.cluster import Cluster
from experiment.scheduling.ranges import read_ranges

FORMAT = 1
_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


class Chunk(msgspec.Struct, frozen=True):
    """Consecutive tasks that ask for the same: a job array, or a job when there is one.

    Attributes:
        first, count: its tasks are `first` to `first + count - 1`.
        slots: groups of runs side by side in a task.
        cores, gpus: of a task.
        memory: bytes a core; None for the scheduler's default.
        seconds: time limit; None for none.
        run_seconds: time of one run; None for no limit.
        parallel: how many of the tasks may run at once; None for all.
    """

    first: int
    count: int
    slots: int
    cores: int
    gpus: int
    memory: int | None
    seconds: int | None
    run_seconds: int | None = None
    parallel: int | None = None


class Submission(msgspec.Struct, frozen=True):
    """One call of schedule.py for one agent file.

    Attributes:
        name: of its folder, and the beginning of the names of its jobs.
        results: folder of the records.
        tasks: the indices of each task, as ranges.
        batch: runs trained together in one process; None for what suits the agent.
        leave_after: of a pilot, seconds of training after which jobs save, leave, and stay away.
        log: as main.py's.
    """

    name: str
    scheduler: str
    created: float
    host: str
    executable: str
    base_path: str
    results: str
    save_dir: str | None
    seed_offset: int
    batch: int | None
    device: str
    cluster: Cluster
    tasks: list[str]
    chunks: list[Chunk]
    leave_after: float | None = None
    log: tuple[str, ...] = ()
    format: int = FORMAT

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return jobs_folder(Path(self.results)) / self.name

    def indices(self, task: int) -> list[int]:
        """The indices of a task."""
        return list(read_ranges(self.tasks[task]))

    def chunk_of(self, task: int) -> Chunk:
        """The chunk of a task."""
        return next(c for c in self.chunks if c.first <= task < c.first + c.count)

    def job_name(self, chunk: int) -> str:
        """What the scheduler calls a chunk; by it a lost answer of the scheduler is found again."""
        return f"{self.name}-{chunk}"

    def events_path(self, task: int) -> Path:
        """What became of the runs of a task."""
        return self.folder / f"task-{task}.jsonl"

    @property
    def sender_path(self) -> Path:
        """Lock of the process that hands it over."""
        return self.folder / "sender.lock"

    def log_path(self, task: int) -> Path:
        """What the runs of a task said."""
        return self.folder / f"task-{task}.log"


class Jobs(msgspec.Struct):
    """The scheduler's names.

    Attributes:
        chunks: job of each chunk (an array's elements are told apart by their numbers).
        tasks: job of each task, where the scheduler has no arrays.
    """

    chunks: dict[int, str] = {}
    tasks: dict[int, str] = {}

    def names(self) -> list[str]:
        """All of them."""
        return [*self.chunks.values(), *self.tasks.values()]


def new_name() -> str:
    """A name that no other has, and that says when."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def jobs_folder(results: Path) -> Path:
    """Of all submissions of a results folder."""
    return results / "jobs"


def write(submission: Submission, files: Mapping[str, Any]) -> None:
    """Fills the folder of a submission that is about to be sent.

    Args:
        files: {"environment": content, "agent": content}.

    Raises:
        StorageError: the disk is full...
    """
    folder = submission.folder
    with storage(f"{folder}: cannot be created"):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("environment", "agent"):
        encoded = msgspec.json.format(msgspec.json.encode(files[name]), indent=2)
        write_atomically(folder / f"{name}.json", encoded)
    write_atomically(folder / "submission.json", msgspec.json.encode(submission) + b"\n")


def read(folder: Path) -> Submission:
    """The submission whose folder this is.

    Raises:
        StorageError: not there, or damaged.
    """
    path = folder / "submission.json"
    try:
        submission = msgspec.json.decode(path.read_bytes(), type=Submission)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise StorageError(f"{path}: damaged or of another version ({error})") from None
    if submission.format != FORMAT:
        raise StorageError(f"{path}: format {submission.format}, this version reads {FORMAT}")
    # a folder of results may have been moved since
    return msgspec.structs.replace(submission, results=str(folder.absolute().parent.parent))


def files_of(submission: Submission) -> tuple[bytes, bytes]:
    """Both files, environment and agent, as they were when it was sent.

    Raises:
        StorageError: they are gone.
    """
    folder = submission.folder
    with storage(f"{folder}: its files cannot be read"):
        return (folder / "environment.json").read_bytes(), (folder / "agent.json").read_bytes()


def write_jobs(submission: Submission, jobs: Jobs) -> None:
    """Writes the scheduler's names."""
    write_atomically(submission.folder / "jobs.json", msgspec.json.encode(jobs) + b"\n")


def read_jobs(submission: Submission) -> Jobs:
    """The scheduler's names, as far as they are known."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((submission.folder / "jobs.json").read_bytes(), type=Jobs)
    return Jobs()


def all_of(results: Path) -> list[Submission]:
    """The submissions of a results folder, oldest first.

    Raises:
        StorageError: one is damaged.
    """
    try:
        folders = list(jobs_folder(results).iterdir())
    except OSError:
        return []
    whole = (one for one in folders if (one / "submission.json").exists())
    sent = [read(folder) for folder in whole if _NAME.fullmatch(folder.name)]
    # within a second the names are in no order
    return sorted(sent, key=lambda one: one.created)


def this_host() -> str:
    """As submissions name it."""
    return socket.gethostname()
