"""What submitit runs in a job: a task of a submission, which puts its own job back if need be."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiment.scheduling import submission
from experiment.scheduling.job import Result, run_task
from experiment.signals import EXIT_SAVED


class TaskIncomplete(Exception):  # noqa: N818 - a state of the job, whose exit code it sets
    """Some runs have no record; `sacct` is to say FAILED."""


class SlurmTask:
    """Task number `first` + n of a submission."""

    def __init__(self, folder: str, first: int) -> None:
        self.folder, self.first = folder, first

    def __call__(self, number: int) -> None:
        """Runs it.

        Raises:
            TaskIncomplete: runs failed, or are unfinished and the job may not go on.
        """
        handler: Any = signal.getsignal(signal.SIGUSR2)
        sent = submission.read(Path(self.folder))
        result = run_task(sent, self.first + number)
        if result.unfinished and may_go_on(result):
            _put_back(handler)
        if result.failed or result.unfinished:
            raise TaskIncomplete(
                f"{result.failed} runs failed, {result.unfinished} are unfinished "
                f"(stopped by {result.stopped_by})"
            )

    def checkpoint(self, number: int) -> Any:
        """What submitit is to run when the job comes back: the same, as runs save themselves."""
        from submitit.core.utils import DelayedSubmission

        for leftover in Path(os.environ["SUBMITIT_FOLDER"]).glob(f"{_job()}_*.save_tmp"):
            leftover.unlink()  # of an attempt that was killed while it wrote
        return DelayedSubmission(self, number)


def _put_back(handler: Callable[[int, Any], None]) -> None:
    """submitit's own way: counts time-outs, and requeues this element of the array only.

    In a container there is no scontrol; the job's script has it, and goes by the exit code.
    """
    if shutil.which("scontrol") is None:
        sys.exit(EXIT_SAVED)
    handler(signal.SIGUSR2, None)


def may_go_on(result: Result) -> bool:
    """Whether this job should run again.

    After SIGTERM only if it was preempted: a job that somebody cancels or requeues gets the same
    signal, and is to stay away, or comes back by itself.
    """
    if result.stopped_by != "SIGTERM":
        return result.stopped_by is not None and result.stopped_by != "SIGINT"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(
            ["scontrol", "show", "job", _job()],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
        state = re.search(r"JobState=(\w+)", answer)
        return state is not None and state[1] == "RUNNING"
    return False


def _job() -> str:
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        return f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ["SLURM_JOB_ID"]
