"""PSI/J hands a script to qsub or bsub, and reads the job's name from the answer.

The scripts are ours: its templates (of 0.9.11) leave out the job's name, give PBS a core for each
process of MPI and no GPU, and end every job with exit code 0, so that nothing would come back and
nothing would count as failed. Nor does it watch the jobs: its thread would ask for all of them
over and over, and jobs of an earlier process are strangers to it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

from psij import Job, JobAttributes, JobSpec, SubmitException
from psij.executors.batch.batch_scheduler_executor import BatchSchedulerExecutor
from psij.executors.batch.lsf import LsfExecutorConfig, LsfJobExecutor
from psij.executors.batch.pbs import PBSJobExecutor
from psij.executors.batch.pbs_base import PBSExecutorConfig

from experiment.scheduling.backends import SchedulerError
from experiment.scheduling.backends.commands import no_such_command

_NEVER = 10**9  # seconds until the first poll


class Qsub(PBSJobExecutor):
    """PBS Professional and OpenPBS.

    Args:
        folder: for its files, which nobody needs once a script is handed over.
    """

    name = "pbs"

    def __init__(self, folder: Path) -> None:
        config = PBSExecutorConfig(work_directory=folder, initial_queue_polling_delay=_NEVER)
        super().__init__(config=config)

    def generate_submit_script(
        self, job: Job, context: dict[str, object], submit_file: IO[str]
    ) -> None:
        """As PSI/J wants it."""
        submit_file.write(_script_of(job))


class Bsub(LsfJobExecutor):
    """LSF.

    Args:
        folder: for its files, which nobody needs once a script is handed over.
    """

    name = "lsf"

    def __init__(self, folder: Path) -> None:
        config = LsfExecutorConfig(work_directory=folder, initial_queue_polling_delay=_NEVER)
        super().__init__(None, config)

    def generate_submit_script(
        self, job: Job, context: dict[str, object], submit_file: IO[str]
    ) -> None:
        """As PSI/J wants it."""
        submit_file.write(_script_of(job))

    def get_submit_command(self, job: Job, submit_file_path: Path) -> list[str]:
        """By its standard input: unless LSB_BSUB_PARSE_SCRIPT is set, bsub looks for directives
        there only. And it tries once, where it would wait for room in the queue."""
        command = 'LSB_NTRIES=${LSB_NTRIES:-1} exec bsub < "$1"'
        return ["/bin/sh", "-c", command, "bsub", str(submit_file_path)]


def _script_of(job: Job) -> str:
    assert job.spec is not None and job.spec.attributes is not None
    return str(job.spec.attributes.get_custom_attribute("script"))


def hand_over(script: str, executor: BatchSchedulerExecutor) -> str:
    """Returns the scheduler's name of the job.

    Raises:
        SchedulerError: refused.
    """
    attributes = JobAttributes(custom_attributes={"script": script})
    job = Job(JobSpec(executable="/bin/bash", attributes=attributes))
    try:
        executor.submit(job)
    except FileNotFoundError as error:
        raise no_such_command(error.filename) from None
    except SubmitException as error:
        raise SchedulerError(_reason(str(error))) from None
    assert job.native_id is not None
    return str(job.native_id)


def _reason(said: str) -> str:
    """What is wrong, without what is printed around it: notes of the site, how to use qsub."""
    lines = said.strip().splitlines() or ["no reason given"]
    named = [line for line in lines if re.match("[qb]sub: ", line)]
    return [*lines, *named][-1].strip()
