"""Slurm: job arrays through submitit, one call for the state of everything."""

from __future__ import annotations

import contextlib
import getpass
import io
import math
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from experiment.files import storage
from experiment.scheduling.backends import (
    SIGNALLED,
    Accounted,
    Limits,
    Queued,
    SchedulerError,
    TaskKey,
    log_folder,
)
from experiment.scheduling.backends.commands import (
    ask,
    no_such_command,
    python_command,
    setup_lines,
)
from experiment.scheduling.cluster import Cluster
from experiment.scheduling.submission import Chunk, Jobs, Submission, read_jobs, write_jobs
from experiment.signals import EXIT_SAVED, STOP_SIGNALS

#: MaxArraySize of a cluster that nobody configured.
STOCK_ARRAY_SIZE = 1001
_RUNNING = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT")
_NAME = re.compile(r"(\d{8}-\d{6}-[0-9a-f]{4})-(\d+)")
_ELEMENT = re.compile(r"(\d+)(?:_(\d+))?")


class Slurm:
    """The Slurm commands of this host."""

    def limits(self, cluster: Cluster) -> Limits:
        """MaxArraySize of the configuration, MaxSubmitJobs of associations and of QOS."""
        match = re.search(r"^MaxArraySize\s*=\s*(\d+)", ask("scontrol", "show", "config"), re.M)
        # ids go from 0 to one less than it; 0 is a cluster without arrays
        size = max(1, int(match[1])) if match else STOCK_ARRAY_SIZE
        user = getpass.getuser()
        try:
            associations = ask(
                *("sacctmgr", "-n", "-P", "show", "assoc", f"user={user}"),
                "format=Account,Partition,MaxSubmit,GrpSubmit,DefaultQOS,QOS",
            )
            qos = ask("sacctmgr", "-n", "-P", "show", "qos", "format=Name,MaxSubmitPU")
        except SchedulerError:  # a cluster without accounting has no such limits
            return Limits(size)
        return Limits(size, most_jobs(cluster, associations, qos))

    def queued(self, sent: Sequence[Submission]) -> tuple[dict[TaskKey, Queued], int]:
        """`squeue`, by the names of the jobs, so that an answer of sbatch cannot be lost."""
        chunks = {one.name: one.chunks for one in sent}
        found: dict[TaskKey, Queued] = {}
        answer = ask("squeue", "-h", "-r", "-u", getpass.getuser(), "-o", "%i|%T|%j|%r")
        lines = answer.splitlines()
        for line in lines:
            job, state, name, reason = (*line.split("|", 3), "", "", "")[:4]
            match, element = _NAME.fullmatch(name), _ELEMENT.fullmatch(job)
            if match is None or element is None or match[1] not in chunks:
                continue
            task = chunks[match[1]][int(match[2])].first + int(element[2] or 0)
            running = state in _RUNNING
            found[match[1], task] = Queued(
                job, "running" if running else "queued", "" if running else reason
            )
        return found, len(lines)

    def accounted(self, sent: Sequence[Submission]) -> dict[TaskKey, Accounted]:
        """`sacct`, by the jobs that sbatch named."""
        owners = {
            job: (one, one.chunks[number])
            for one in sent
            for number, job in read_jobs(one).chunks.items()
        }
        if not owners:
            return {}
        try:
            answer = ask(
                *("sacct", "-X", "-n", "-P", "-o", "JobID,State,ElapsedRaw,ExitCode"),
                *("-j", ",".join(owners)),
            )
        except SchedulerError:
            return {}
        found: dict[TaskKey, Accounted] = {}
        for line in answer.splitlines():
            job, state, seconds, code = (*line.split("|"), "", "", "")[:4]
            element = _ELEMENT.fullmatch(job)
            if element is None or element[1] not in owners or not state:
                continue  # elements that still wait, "12_[3-9]": squeue tells of them
            submission, chunk = owners[element[1]]
            key = submission.name, chunk.first + int(element[2] or 0)
            # "CANCELLED by 1000" is CANCELLED
            state = SIGNALLED if _by_stop_signal(state, code) else state.split()[0]
            found[key] = Accounted(job, state, int(seconds or 0))
        return found

    def send(self, sent: Submission) -> None:
        """An array of each chunk."""
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        from experiment.scheduling.backends.slurm_task import SlurmTask

        for name in ("sbatch", "srun"):
            if shutil.which(name) is None:
                raise no_such_command(name)
        jobs = Jobs()
        with storage(f"{log_folder(sent)}: cannot be written"):
            log_folder(sent).mkdir(parents=True, exist_ok=True)
            for number, chunk in enumerate(sent.chunks):
                executor = self._executor(sent, number, chunk)
                task = SlurmTask(str(sent.folder), chunk.first)
                try:
                    # submitit prints the complaint, which is to be said once
                    with contextlib.redirect_stderr(io.StringIO()):
                        first = executor.map_array(task, range(chunk.count))[0]
                except (FailedJobError, FailedSubmissionError) as error:
                    taken = f"; {number} of {len(sent.chunks)} arrays were taken" if number else ""
                    raise SchedulerError(f"sbatch refused: {_reason(error)}{taken}") from None
                jobs.chunks[number] = first.job_id.partition("_")[0]
                write_jobs(sent, jobs)

    def cancel(self, jobs: Sequence[Queued]) -> None:
        """`scancel`; jobs that run get SIGTERM, and the time to save that the cluster allows."""
        for at in range(0, len(jobs), 1000):
            ask("scancel", *(job.job for job in jobs[at : at + 1000]))

    def scripts(self, sent: Submission) -> Mapping[str, str]:
        """sbatch scripts, which run a task without submitit."""
        return {
            f"{sent.job_name(number)}.sh": self._script(sent, number, chunk)
            for number, chunk in enumerate(sent.chunks)
        }

    def _script(self, sent: Submission, number: int, chunk: Chunk) -> str:
        from submitit.slurm.slurm import _make_sbatch_string

        python = python_command(sent.cluster)
        task = f"$(({chunk.first} + ${{SLURM_ARRAY_TASK_ID:-0}}))"
        job = f"{python} -m experiment.scheduling.job {shlex.quote(str(sent.folder))} {task}"
        text: str = _make_sbatch_string(
            command=job,
            folder=log_folder(sent),
            map_count=chunk.count if chunk.count > 1 else None,
            **_parameters(sent, number, chunk),
        )
        return text

    def _executor(self, sent: Submission, number: int, chunk: Chunk) -> Any:
        import submitit

        executor = submitit.SlurmExecutor(
            folder=log_folder(sent),
            max_num_timeout=sent.cluster.max_requeues,
            python=python_command(sent.cluster),
        )
        executor.update_parameters(**_parameters(sent, number, chunk))
        return executor


def _parameters(sent: Submission, number: int, chunk: Chunk) -> dict[str, Any]:
    """submitit's parameters of a chunk."""
    cluster = sent.cluster
    mail = cluster.mail
    optional = {
        "account": cluster.account,
        "partition": cluster.partition,
        "qos": cluster.qos,
        "constraint": cluster.constraint,
        "mem_per_cpu": None if chunk.memory is None else f"{chunk.memory // 2**20}M",
        "mail_user": mail.user if mail else None,
        "mail_type": mail.type if mail else None,
        "gpus_per_node": _gpus(cluster, chunk),
    }
    return {
        "job_name": sent.job_name(number),
        "time": max(1, math.ceil((chunk.seconds or 0) / 60)),
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": chunk.cores,
        "array_parallelism": chunk.parallel or chunk.count,
        "signal_delay_s": cluster.save_before,
        "stderr_to_stdout": True,
        "use_srun": cluster.use_srun,
        "setup": setup_lines(cluster),
        "teardown": _lines_that_put_back(cluster),
        "additional_parameters": {
            "requeue": True,
            "chdir": sent.base_path,
            **cluster.directives,
        },
        **{name: value for name, value in optional.items() if value is not None},
    }


def _lines_that_put_back(cluster: Cluster) -> list[str]:
    """For jobs that cannot requeue themselves: in a container, or without submitit."""
    element = "${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}"
    again = f'[ $code -eq {EXIT_SAVED} ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt '
    return [
        "code=$?",
        f"element={element}",
        f'{again}{cluster.max_requeues} ] && scontrol requeue "${{element:-$SLURM_JOB_ID}}"',
        "exit $code",
    ]


def _gpus(cluster: Cluster, chunk: Chunk) -> str | None:
    if not chunk.gpus:
        return None
    return f"{cluster.gpu_type}:{chunk.gpus}" if cluster.gpu_type else str(chunk.gpus)


def most_jobs(cluster: Cluster, associations: str, qos: str) -> int | None:
    """The smallest of the limits that bind this user with a cluster file.

    Args:
        associations: lines of account|partition|MaxSubmit|GrpSubmit|default QOS|all QOS.
        qos: lines of name|MaxSubmitPU.
    """
    by_qos = dict(line.split("|", 1) for line in qos.splitlines() if "|" in line)
    known: list[int] = []
    for line in associations.splitlines():
        account, partition, own, group, default, names = (*line.split("|"), *[""] * 6)[:6]
        if cluster.account not in (None, account) or partition not in ("", cluster.partition):
            continue
        # one QOS binds a job: another that the user may have does not matter
        bound = cluster.qos or default or (names if "," not in names else "")
        limits = [int(limit) for limit in (own, group, by_qos.get(bound, "")) if limit.isdecimal()]
        known += limits
    return min(known, default=None)


def _by_stop_signal(state: str, code: str) -> bool:
    """Whether a job, or the shell's word for what it waited for, ended by a signal to save.

    Args:
        code: as `sacct` has it, "exit code:signal".
    """
    ends = {end for stop in STOP_SIGNALS for end in (f"{128 + stop}:0", f"0:{int(stop)}")}
    return state == "FAILED" and code in ends


def _reason(error: Exception) -> str:
    lines = str(error).splitlines() or [repr(error)]
    return next((line for line in reversed(lines) if "error" in line.lower()), lines[0]).strip()
