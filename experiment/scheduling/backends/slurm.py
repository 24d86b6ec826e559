"""Slurm: job arrays through submitit, one call for the state of everything."""

from __future__ import annotations

import getpass
import math
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from experiment.scheduling.backends import (
    Accounted,
    Limits,
    Queued,
    SchedulerError,
    TaskKey,
    log_folder,
)
from experiment.scheduling.backends.commands import ask, python_command, setup_lines
from experiment.scheduling.cluster import Cluster
from experiment.scheduling.submission import Chunk, Jobs, Submission, read_jobs, write_jobs

#: MaxArraySize of a cluster that nobody configured.
STOCK_ARRAY_SIZE = 1001
_RUNNING = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT")
_NAME = re.compile(r"(\d{8}-\d{6}-[0-9a-f]{4})-(\d+)")
_ELEMENT = re.compile(r"(\d+)(?:_(\d+))?")


class Slurm:
    """The Slurm commands of this host."""

    def limits(self) -> Limits:
        """MaxArraySize of the configuration, MaxSubmitJobs of associations and of QOS."""
        match = re.search(r"^MaxArraySize\s*=\s*(\d+)", ask("scontrol", "show", "config"), re.M)
        size = int(match[1]) if match else STOCK_ARRAY_SIZE
        user = getpass.getuser()
        try:
            associations = ask(
                *("sacctmgr", "-n", "-P", "show", "assoc", f"user={user}"),
                "format=MaxSubmit,GrpSubmit,QOS",
            )
            qos = ask("sacctmgr", "-n", "-P", "show", "qos", "format=Name,MaxSubmitPU")
        except SchedulerError:  # a cluster without accounting has no such limits
            return Limits(size)
        return Limits(size, _most_jobs(associations, qos))

    def queued(self, sent: Sequence[Submission]) -> tuple[dict[TaskKey, Queued], int]:
        """`squeue`, by the names of the jobs, so that an answer of sbatch cannot be lost."""
        chunks = {one.name: one.chunks for one in sent}
        found: dict[TaskKey, Queued] = {}
        answer = ask("squeue", "-h", "-r", "-u", getpass.getuser(), "-o", "%i|%T|%j|%r")
        lines = answer.splitlines()
        for line in lines:
            job, state, name, reason = line.split("|", 3)
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
                *("sacct", "-X", "-n", "-P", "-o", "JobID,State,ElapsedRaw"),
                *("-j", ",".join(owners)),
            )
        except SchedulerError:
            return {}
        found: dict[TaskKey, Accounted] = {}
        for line in answer.splitlines():
            job, state, seconds = line.split("|")
            element = _ELEMENT.fullmatch(job)
            if element is None or element[1] not in owners:
                continue  # elements that still wait, "12_[3-9]": squeue tells of them
            submission, chunk = owners[element[1]]
            key = submission.name, chunk.first + int(element[2] or 0)
            # "CANCELLED by 1000" is CANCELLED
            found[key] = Accounted(job, state.split()[0], int(seconds or 0))
        return found

    def send(self, sent: Submission) -> None:
        """An array of each chunk."""
        import submitit

        from experiment.scheduling.backends.slurm_task import SlurmTask

        jobs = Jobs()
        logs = log_folder(sent)
        logs.mkdir(parents=True, exist_ok=True)
        for number, chunk in enumerate(sent.chunks):
            executor = self._executor(sent, number, chunk)
            task = SlurmTask(str(sent.folder), chunk.first)
            try:
                if chunk.count == 1:
                    first = executor.submit(task, 0)
                else:
                    first = executor.map_array(task, range(chunk.count))[0]
            except (subprocess.SubprocessError, submitit.core.utils.FailedSubmissionError) as error:
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
        "additional_parameters": {
            "requeue": True,
            "chdir": sent.base_path,
            **cluster.directives,
        },
        **{name: value for name, value in optional.items() if value is not None},
    }


def _gpus(cluster: Cluster, chunk: Chunk) -> str | None:
    if not chunk.gpus:
        return None
    return f"{cluster.gpu_type}:{chunk.gpus}" if cluster.gpu_type else str(chunk.gpus)


def _most_jobs(associations: str, qos: str) -> int | None:
    """The smallest of the limits that bind this user."""
    by_qos = dict(line.split("|") for line in qos.splitlines())
    limits = []
    for line in associations.splitlines():
        own, group, names = line.split("|")
        limits += [own, group, *(by_qos.get(name, "") for name in names.split(","))]
    known = [int(limit) for limit in limits if limit.isdecimal()]
    return min(known) if known else None


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if "error" in line.lower()]
    return (lines or [str(error)])[-1].strip()
