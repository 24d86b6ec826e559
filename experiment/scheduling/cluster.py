"""The cluster file: which scheduler, what a job asks for, and how runs fill it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from experiment.fields import convert_fields
from experiment.files import read_json_object
from experiment.scheduling.cluster_rules import refuse_contradictions
from experiment.scheduling.units import MEMORY, TIME, parse_memory, parse_time

Count = Annotated[int, Meta(ge=1)]
Name = Annotated[str, Meta(min_length=1)]
Time = Count | Annotated[str, Meta(extra_json_schema={"pattern": f"^{TIME}$"})]
Memory = Annotated[str, Meta(extra_json_schema={"pattern": f"^{MEMORY}$"})]


class Mail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Whom the scheduler writes to, and when."""

    user: Annotated[str, Meta(min_length=1, description="Address.")]
    type: Annotated[
        str,
        Meta(
            min_length=1,
            description="Events as Slurm names them, comma-separated: BEGIN, END, FAIL, ALL, NONE; "
            "with slurm also REQUEUE, TIME_LIMIT, TIME_LIMIT_90, ARRAY_TASKS and the like.",
        ),
    ] = "END,FAIL"


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What the next submission of a run asks for after it ran out of memory or time."""

    memory_factor: Annotated[
        float, Meta(ge=1, le=10, description="Times memPerCpu, after each run out of memory.")
    ] = 1.5
    memory_cap: Annotated[
        Memory | None, Meta(description="Most that memPerCpu grows to; null: no cap.")
    ] = None
    time_factor: Annotated[
        float, Meta(ge=1, le=10, description="Times time and runTimeout, after each time-out.")
    ] = 2.0
    time_cap: Annotated[
        Time | None, Meta(description="Most that time grows to, written as time is; null: no cap.")
    ] = None
    attempts: Annotated[
        int, Meta(ge=1, le=100, description="Failures after which a run is not submitted again.")
    ] = 3

    @property
    def memory_cap_bytes(self) -> int | None:
        """The cap of memory."""
        return None if self.memory_cap is None else parse_memory(self.memory_cap)

    @property
    def time_cap_seconds(self) -> int | None:
        """The cap of time."""
        return None if self.time_cap is None else parse_time(self.time_cap)


class Cluster(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """One cluster file, e.g. ``{"scheduler": "slurm", "time": "02:59:00", "cores": 8}``."""

    scheduler: Annotated[
        Literal["slurm", "local", "pbs", "lsf"],
        Meta(description="What takes the jobs; local: this machine, without a scheduler."),
    ]
    account: Annotated[
        Name | None, Meta(description="Account or project that pays; null: your default.")
    ] = None
    partition: Annotated[
        Name | None,
        Meta(description="Partition, which pbs and lsf call a queue; null: the site's default."),
    ] = None
    qos: Annotated[Name | None, Meta(description="Quality of service.")] = None
    time: Annotated[
        Time | None,
        Meta(
            description="Time limit of one job as Slurm reads it: a number of minutes, "
            '"MM:SS", "HH:MM:SS" or "D-HH:MM:SS"; required except with local.'
        ),
    ] = None
    nodes: Annotated[
        int,
        Meta(
            ge=1,
            description="Nodes of one job: 1, since runs are independent and an array takes "
            "as many nodes as are free.",
        ),
    ] = 1
    cores: Annotated[
        Count | None,
        Meta(
            description="Cores of one job: the runs side by side times threadsPerRun; "
            "required except with local, where null is all that this process may use."
        ),
    ] = None
    sequential: Annotated[
        int, Meta(ge=1, description="Runs (or batches) after one another in each slot of a job.")
    ] = 1
    mem_per_cpu: Annotated[
        Memory | None,
        Meta(description='Memory per core: "2G", "2048M"; null: the site\'s default.'),
    ] = None
    gpus: Annotated[int, Meta(ge=0, description="GPUs of one job.")] = 0
    gpu_type: Annotated[Name | None, Meta(description="Model of GPU; null: any.")] = None
    runs_per_gpu: Annotated[
        int, Meta(ge=1, description="Runs (or batches) side by side on each GPU.")
    ] = 1
    constraint: Annotated[
        Name | None,
        Meta(
            description="What the node must have: features for slurm, the text within select[...] "
            'for lsf, further resources of the chunk for pbs ("scratch_local=10gb:cluster=x").'
        ),
    ] = None
    modules: Annotated[
        list[Name], Meta(description="Modules to load, in order, before setup.")
    ] = []
    setup: Annotated[
        list[str],
        Meta(
            description="Lines of shell that each job runs before its runs, in the folder "
            "that it was sent from."
        ),
    ] = []
    environment: Annotated[
        dict[str, str], Meta(description="Environment variables of the job: name and value.")
    ] = {}
    output: Annotated[
        Name | None, Meta(description="Folder for the jobs' logs; null: beside the results.")
    ] = None
    array_parallelism: Annotated[
        Count | None,
        Meta(description="Most tasks of an array that run at once; null: no throttle."),
    ] = None
    threads_per_run: Annotated[
        int, Meta(ge=1, description="Cores, and threads of numerical libraries, of one run.")
    ] = 1
    mail: Annotated[
        Mail | None, Meta(description="Whom the scheduler writes to; null: nobody.")
    ] = None
    directives: Annotated[
        dict[str, bool | int | float | str],
        Meta(
            description="Any further directive of the scheduler, its name without dashes: a value, "
            "or true for one without value."
        ),
    ] = {}
    container: Annotated[
        Name | None, Meta(description="Apptainer image in which runs run; null: none.")
    ] = None
    container_arguments: Annotated[
        list[str], Meta(description="Arguments of apptainer exec: --nv, --bind ...")
    ] = []
    python: Annotated[
        Name | None,
        Meta(description="Command that starts Python; null: the Python that submits."),
    ] = None
    use_srun: Annotated[
        bool, Meta(description="Whether runs start as job steps, each on cores of its own.")
    ] = True
    max_requeues: Annotated[
        int, Meta(ge=0, description="Times that a job whose time ran out puts itself back.")
    ] = 20
    save_before: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,  # Slurm's bound
            description="Seconds before the time limit at which runs are asked to save.",
        ),
    ] = 120
    run_timeout: Annotated[
        Time | None,
        Meta(
            description="Time after which one run counts as hung, written as time is; null: none."
        ),
    ] = None
    checkpoint_minutes: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="Minutes between two checkpoints of a run; null: main.py's default."),
    ] = None
    shard: Annotated[
        bool,
        Meta(description="Whether a job appends its records to one file in shards/."),
    ] = False
    retry: Annotated[
        Retry, Meta(description="What is asked for after a run out of memory or time.")
    ] = Retry()
    max_array_size: Annotated[
        Count | None,
        Meta(description="Most tasks of one array; null: as the scheduler says."),
    ] = None
    max_submit_jobs: Annotated[
        Count | None,
        Meta(description="Most jobs that you may have queued; null: as the scheduler says."),
    ] = None

    @property
    def time_limit(self) -> int | None:
        """Seconds of one job; None without a limit, which only local may be."""
        return None if self.time is None else parse_time(self.time)

    @property
    def run_time_limit(self) -> int | None:
        """Seconds after which one run counts as hung."""
        return None if self.run_timeout is None else parse_time(self.run_timeout)

    @property
    def mem_per_cpu_bytes(self) -> int | None:
        """Memory of one core in bytes."""
        return None if self.mem_per_cpu is None else parse_memory(self.mem_per_cpu)

    @property
    def core_count(self) -> int:
        """Cores of one job, counted where the file leaves them to this machine."""
        return _usable_cores() if self.cores is None else self.cores

    @property
    def slots(self) -> int:
        """How many runs (or batches) of one job go side by side."""
        if self.gpus:
            return self.gpus * self.runs_per_gpu
        return max(1, self.core_count // self.threads_per_run)

    def per_task(self, batch: int) -> int:
        """How many indices one job takes when `batch` of them train as one process."""
        return self.slots * self.sequential * batch


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def read_cluster(path: Path) -> Cluster:
    """Reads and checks a cluster file.

    Raises:
        ConfigError: one sentence with file, path inside it, value, and nearest valid choice.
    """
    return check_cluster(read_json_object(path), str(path))


def check_cluster(content: Mapping[str, Any], file: str) -> Cluster:
    """The same from the content of the file, whose name is for messages."""
    cluster = convert_fields(content, Cluster, file, "a cluster")
    refuse_contradictions(cluster, file)
    return cluster
