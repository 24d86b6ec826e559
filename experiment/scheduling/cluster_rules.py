"""What the fields of a cluster file must not say together, each in one sentence."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from experiment.canonical import canonical
from experiment.errors import ConfigError, nearest
from experiment.scheduling.units import parse_memory, parse_time

if TYPE_CHECKING:
    from experiment.scheduling.cluster import Cluster

_Found = Iterator[tuple[str, str]]
"""Path of a field, and what is expected of it instead."""

_BATCH = ("slurm", "pbs", "lsf")
_KNOWN_TO = {
    "account": _BATCH,
    "partition": _BATCH,
    "qos": ("slurm",),
    "memPerCpu": _BATCH,
    "gpuType": ("slurm", "lsf"),
    "constraint": _BATCH,
    "arrayParallelism": _BATCH,
    "mail": _BATCH,
    "directives": _BATCH,
    "useSrun": ("slurm",),
    "maxRequeues": ("slurm",),
    "maxArraySize": _BATCH,
    "maxSubmitJobs": _BATCH,
}
"""Fields that not every scheduler has."""

_INSTEAD = {
    ("gpuType", "pbs"): "; write it in constraint as the site names it, as gpu_cap=sm_80",
    ("qos", "pbs"): "; partition chooses the queue",
    ("qos", "lsf"): "; partition chooses the queue",
}

_TIMES = ("time", "runTimeout", "retry.timeCap")
_MEMORIES = ("memPerCpu", "retry.memoryCap")
_NAMES = ("account", "partition", "qos", "gpuType", "mail.user", "mail.type")
_LINES = ("constraint", "output", "container", "python")

_EVENTS = ("NONE", "BEGIN", "END", "FAIL", "ALL")
_SLURM_EVENTS = (
    *("REQUEUE", "INVALID_DEPEND", "STAGE_OUT", "ARRAY_TASKS"),
    *("TIME_LIMIT", "TIME_LIMIT_90", "TIME_LIMIT_80", "TIME_LIMIT_50"),
)

_BY_ITSELF = ""
_OPTIONS = {
    "slurm": {
        **dict.fromkeys(("account", "A"), "account"),
        **dict.fromkeys(("partition", "p"), "partition"),
        **dict.fromkeys(("qos", "q"), "qos"),
        **dict.fromkeys(("time", "t"), "time"),
        **dict.fromkeys(("nodes", "N"), "nodes"),
        **dict.fromkeys(("ntasks", "n", "cpus-per-task", "c"), "cores"),
        "mem-per-cpu": "memPerCpu",
        **dict.fromkeys(("gpus", "G", "gpus-per-node", "gpus-per-task"), "gpus"),
        **dict.fromkeys(("constraint", "C"), "constraint"),
        **dict.fromkeys(("mail-user", "mail-type"), "mail"),
        **dict.fromkeys(("output", "o", "error", "e"), "output"),
        **dict.fromkeys(("array", "a", "job-name", "J", "wrap", "parsable"), _BY_ITSELF),
        **dict.fromkeys(("requeue", "no-requeue", "open-mode"), _BY_ITSELF),
        "signal": "saveBefore",
    },
    "pbs": {
        "A": "account",
        "q": "partition",
        **dict.fromkeys(("M", "m"), "mail"),
        **dict.fromkeys(("o", "e", "j"), "output"),
        **dict.fromkeys(("J", "N"), _BY_ITSELF),
    },
    "lsf": {
        "P": "account",
        "q": "partition",
        "W": "time",
        "n": "cores",
        "gpu": "gpus",
        **dict.fromkeys(("u", "B", "N"), "mail"),
        **dict.fromkeys(("o", "oo", "e", "eo"), "output"),
        **dict.fromkeys(("wa", "wt"), "saveBefore"),
        "J": _BY_ITSELF,
    },
}
"""Options of the schedulers that fields write."""


def refuse_contradictions(cluster: Cluster, file: str) -> None:
    """Raises ConfigError about the first rule that `cluster` breaks."""
    rules = (_forms, _scheduler, _job, _gpus, _times, _memory, _directives, _mail, _programs)
    for rule in rules:
        for path, expected in rule(cluster):
            shown = canonical(value_at(cluster, path)).decode()
            shown = shown if len(shown) <= 60 else shown[:57] + "..."
            raise ConfigError(f"{file}: {path} is {shown}: {expected}")


def value_at(cluster: Cluster, path: str) -> Any:
    """The value of a field by its name in the file, as ``"retry.timeCap"``."""
    value: Any = msgspec.to_builtins(cluster)
    while path:
        if not isinstance(value, dict):
            return None
        # names of directives may have dots
        name = path if path in value else path.partition(".")[0]
        value, path = value.get(name), path[len(name) + 1 :]
    return value


def _forms(cluster: Cluster) -> _Found:
    for path in _TIMES:
        value = value_at(cluster, path)
        if value is not None and parse_time(value) is None:
            yield path, 'expected minutes, or a time above zero as "02:59:00" or "1-12:00:00"'
    for path in _MEMORIES:
        value = value_at(cluster, path)
        if value is not None and parse_memory(value) is None:
            yield path, 'expected a memory above zero as "2G" or "2048M"'
    for path in _NAMES:
        if re.search(r"\s|\0", value_at(cluster, path) or ""):
            yield path, "expected no space in it"
    for path in _LINES:
        if re.search(r"[\n\r\0]", value_at(cluster, path) or ""):
            yield path, "expected one line"
    for name in cluster.environment:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
            yield f"environment.{name}", f"{name!r} is no name of an environment variable"


def _scheduler(cluster: Cluster) -> _Found:
    scheduler = cluster.scheduler
    defaults = msgspec.to_builtins(type(cluster)(scheduler=scheduler))
    for path, known_to in _KNOWN_TO.items():
        if scheduler not in known_to and value_at(cluster, path) != defaults[path]:
            instead = _INSTEAD.get((path, scheduler), "; leave it out")
            yield path, f"scheduler {scheduler} has no such thing{instead}"
    if scheduler != "local":
        for path in ("time", "cores"):
            if value_at(cluster, path) is None:
                yield path, f"expected a value, which only local can do without, not {scheduler}"


def _job(cluster: Cluster) -> _Found:
    if cluster.nodes != 1:
        yield (
            "nodes",
            "expected 1: runs are independent, so more of them at once are more tasks of an "
            "array, each of which starts as soon as its own node is free",
        )
    threads = cluster.threads_per_run
    if cluster.gpus == 0 and cluster.cores is not None and cluster.cores % threads:
        yield "cores", f"expected a multiple of threadsPerRun, which is {threads}"


def _gpus(cluster: Cluster) -> _Found:
    if cluster.gpus == 0:
        if cluster.gpu_type is not None:
            yield "gpuType", "expected gpus above 0 with it"
        if cluster.runs_per_gpu != 1:
            yield "runsPerGpu", "expected gpus above 0 with it; on cores, cores says how many"
    elif cluster.cores is not None and cluster.cores < cluster.slots * cluster.threads_per_run:
        yield (
            "cores",
            f"expected at least {cluster.slots * cluster.threads_per_run}: gpus x runsPerGpu is "
            f"{cluster.slots} runs side by side, and threadsPerRun is {cluster.threads_per_run}",
        )


def _times(cluster: Cluster) -> _Found:
    limit = cluster.time_limit
    if limit is None:
        if cluster.retry.time_cap is not None:
            yield "retry.timeCap", "expected time with it"
        return
    if cluster.scheduler == "lsf" and re.fullmatch(r"[0-9]+:[0-9]+", str(cluster.time)):
        yield "time", 'expected "HH:MM:SS": here "MM:SS" is minutes, to lsf itself it is hours'
    if cluster.save_before >= limit:
        yield "saveBefore", f"expected fewer seconds than time, which is {limit}"
    if cluster.run_time_limit is not None and cluster.run_time_limit > limit:
        yield "runTimeout", f"expected at most time, which is {limit} seconds"
    if cluster.retry.time_cap_seconds is not None and cluster.retry.time_cap_seconds < limit:
        yield "retry.timeCap", f"expected at least time, which is {limit} seconds"


def _memory(cluster: Cluster) -> _Found:
    retry, memory = cluster.retry, cluster.mem_per_cpu_bytes
    if memory is None:
        for path, given in (
            ("retry.memoryCap", retry.memory_cap is not None),
            ("retry.memoryFactor", retry.memory_factor != type(retry)().memory_factor),
        ):
            if given:
                yield path, "expected memPerCpu with it, for it to grow from"
    elif retry.memory_cap_bytes is not None and retry.memory_cap_bytes < memory:
        yield "retry.memoryCap", f'expected at least memPerCpu, which is "{cluster.mem_per_cpu}"'


def _directives(cluster: Cluster) -> _Found:
    options = _OPTIONS.get(cluster.scheduler, {})
    for name, value in cluster.directives.items():
        path = f"directives.{name}"
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name, re.ASCII):
            yield path, f"{name!r} is no name of a directive, which goes without its dashes"
        if value is False:
            yield path, "expected a value, or true for a directive without one; or leave it out"
        if isinstance(value, str) and re.search(r"[\n\r\0]", value):
            yield path, "expected one line"
        if name in options:
            field = options[name]
            yield path, f"use the field {field}" if field else "the program writes it itself"
        if cluster.scheduler == "slurm" and name == "mem" and cluster.mem_per_cpu is not None:
            yield path, "expected no memPerCpu beside it"
        if cluster.scheduler == "slurm" and name == "gres" and str(value).startswith("gpu"):
            yield path, "use the fields gpus and gpuType"


def _mail(cluster: Cluster) -> _Found:
    if cluster.mail is not None:
        events = _EVENTS + (_SLURM_EVENTS if cluster.scheduler == "slurm" else ())
        for event in cluster.mail.type.split(","):
            if event not in events:
                yield "mail.type", f"{event!r} is no event; {nearest(event, events)}"


def _programs(cluster: Cluster) -> _Found:
    if cluster.container_arguments and cluster.container is None:
        yield "containerArguments", "expected container with them"
    if cluster.python is not None:
        try:
            shlex.split(cluster.python)
        except ValueError as error:
            yield "python", f"expected a command as in a shell ({str(error).lower()})"
