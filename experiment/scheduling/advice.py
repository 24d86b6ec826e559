"""The next request for a sweep, in words and as lines of the cluster file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from experiment.scheduling.backends import Limits
from experiment.scheduling.cluster import Cluster, check_cluster
from experiment.scheduling.measured import Measured
from experiment.scheduling.sizing import (
    GPU_CONTEXT,
    GPU_GROWTH,
    MEMORY_SAFETY,
    MIB,
    START_SECONDS,
    TIME_SAFETY,
    Bounds,
    Proposal,
    Used,
    gpu_room,
    needed_memory,
    needed_seconds,
    propose,
)
from experiment.scheduling.table import clock
from experiment.scheduling.units import format_time

#: Of a core; a run that keeps less of it busy has waited for something.
_WAITING = 0.7


def bounds_of(cluster: Cluster, groups: int, job_seconds: float) -> Bounds:
    """What jobs may ask for: what the cluster file does, and no more cores or GPUs.

    The time limit may grow to `retry.timeCap`; without one, to what a job of the wanted length
    needs.
    """
    here = cluster.scheduler == "local"
    longest = cluster.retry.time_cap_seconds
    if longest is None:
        longest = max(cluster.time_limit or 0, math.ceil(TIME_SAFETY * job_seconds))
    return Bounds(
        groups=groups,
        cores=cluster.core_count,
        threads=cluster.threads_per_run,
        gpus=cluster.gpus,
        runs_per_gpu=cluster.runs_per_gpu,
        job_seconds=None if here else job_seconds,
        longest=None if here else longest,
        save_before=cluster.save_before,
        core_memory=cluster.retry.memory_cap_bytes,
        memory=_memory_of_machine() if here else None,
    )


def _memory_of_machine() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def fields_of(cluster: Cluster, proposal: Proposal) -> dict[str, Any]:
    """What the cluster file should say: fields and values."""
    fields: dict[str, Any] = {"cores": proposal.cores}
    if proposal.threads != cluster.threads_per_run:
        fields["threadsPerRun"] = proposal.threads
    if proposal.gpus:
        fields |= {"gpus": proposal.gpus, "runsPerGpu": proposal.runs_per_gpu}
    if proposal.seconds is not None:
        fields |= {"sequential": proposal.sequential, "time": format_time(proposal.seconds)}
        if (cluster.run_time_limit or 0) > proposal.seconds:
            fields["runTimeout"] = fields["time"]
        if "mem" not in cluster.directives:  # else the job's memory is asked for there
            fields["memPerCpu"] = f"{proposal.core_memory // MIB}M"
    check_cluster({**msgspec.to_builtins(cluster), **fields}, "the proposal")
    return fields


def lines_of(fields: Mapping[str, Any]) -> Iterator[str]:
    """As they stand in the file."""
    for name, value in fields.items():
        yield f'  "{name}": {msgspec.json.encode(value).decode()},'


class Advice:
    """What to ask for next, and why.

    Args:
        runs: still to be done.
        batch: of them, how many train as one process.
    """

    def __init__(
        self,
        measured: Measured,
        used: Used,
        cluster: Cluster,
        runs: int,
        batch: int,
        job_seconds: float,
        limits: Limits,
    ) -> None:
        self.measured, self.used, self.cluster = measured, used, cluster
        self.runs, self.batch, self.limits = runs, batch, limits
        self.job_seconds = job_seconds
        self.bounds = bounds_of(cluster, max(1, math.ceil(runs / batch)), job_seconds)
        self.proposal = propose(used, self.bounds)
        self.what = "a run" if batch == 1 else f"a batch of {batch} runs"

    def words(self) -> Iterator[str]:
        """The arithmetic."""
        yield self._speed()
        yield self._cores()
        yield from self._memory()
        if self.bounds.gpus:
            yield from self._gpu()
        if self.proposal.seconds is not None:
            yield from self._time()
        yield from self._shape()

    def text(self) -> Iterator[str]:
        """The arithmetic, then the lines to paste."""
        for line in self.words():
            yield f"  {line}"
        yield "  for the cluster file, in place of what it says:"
        yield from lines_of(fields_of(self.cluster, self.proposal))

    # -- a sentence each

    def _speed(self) -> str:
        found = self.measured
        how = f"{len(found.cores):,} measured"
        if found.whole < len(found.cores):
            how += f", {found.whole:,} of them to the end"
        rate = ""
        if found.rates:
            rate = f" at {min(found.rates):,.0f} steps/s"
            if max(found.rates) > 1.05 * min(found.rates):
                rate = f" at {min(found.rates):,.0f} to {max(found.rates):,.0f} steps/s"
        return f"time: {clock(self.used.seconds)} for {self.what}{rate} ({how})"

    def _cores(self) -> str:
        threads, before = self.proposal.threads, self.bounds.threads
        text = f"cores: {self.what} keeps {self.used.cores:.2f} of {before} busy"
        if threads < before:
            return f"{text}, so threadsPerRun {threads}"
        if threads > before:
            return f"{text}; threadsPerRun {threads} for the memory that comes with the cores"
        if self.used.cores < _WAITING and not self.bounds.gpus:
            return f"{text}; the rest it waited, for other programs on its cores or for files"
        return text

    def _memory(self) -> Iterator[str]:
        used, proposal = self.used, self.proposal
        text = f"memory: {_mib(max(self.measured.seen))} at most"
        if used.memory > max(self.measured.seen):
            text += f", {_mib(used.memory)} when all is stored that a whole run stores"
        if proposal.seconds is None:
            yield f"{text}; {proposal.slots} side by side and {MEMORY_SAFETY} times that: " + _mib(
                proposal.slots * needed_memory(used) + used.job_memory * MEMORY_SAFETY
            )
            return
        yield (
            f"{text}; ({proposal.slots} x that + {_mib(used.job_memory)} of the job itself) "
            f"x {MEMORY_SAFETY} / {proposal.cores} cores = {_mib(proposal.core_memory)} a core"
        )
        needed = proposal.slots * needed_memory(used) + used.job_memory * MEMORY_SAFETY
        if needed > proposal.cores * proposal.core_memory:
            yield f"  more is not to be had: retry.memoryCap is {self.cluster.retry.memory_cap}"

    def _gpu(self) -> Iterator[str]:
        used, room = self.used, gpu_room(self.used)
        each = self.bounds.cores // self.proposal.threads // self.bounds.gpus
        if room is None:
            yield "GPU: the program does not tell what it takes; runsPerGpu is left as it is"
            return
        yield (
            f"GPU: {_mib(used.gpu_memory)} x {MEMORY_SAFETY} + {_mib(GPU_CONTEXT)} for each of "
            f"{_mib(used.gpu_size)}: room for {room:,}, cores for {max(1, each):,}; and at most "
            f"{GPU_GROWTH} x the {used.beside:,} measured side by side, since they slow one another"
        )

    def _time(self) -> Iterator[str]:
        used, proposal, save = self.used, self.proposal, self.bounds.save_before
        assert proposal.seconds is not None
        work = proposal.sequential * used.seconds
        why = f"x {TIME_SAFETY}"
        if TIME_SAFETY * work < work + save + START_SECONDS:
            why = f"+ {clock(save + START_SECONDS)} to start and to save"
        needed = needed_seconds(used, proposal.sequential, save)
        yield (
            f"time limit: {proposal.sequential} after one another, {clock(work)} {why}: "
            f"{clock(needed)}, rounded up (--job-hours {self.job_seconds / 3600:g})"
        )
        if needed > proposal.seconds:
            jobs = math.ceil(work / max(1, proposal.seconds - save))
            often = f"about {jobs} jobs each" if jobs > 1 else "a second job if need be"
            yield (
                f"  at most {clock(proposal.seconds)} are asked for: runs are saved and go on in "
                f"the next job, {often}"
            )

    def _shape(self) -> Iterator[str]:
        proposal, used = self.proposal, self.used
        rounds = math.ceil(self.bounds.groups / proposal.slots)
        cost = self.bounds.groups * used.seconds * proposal.threads / 3600
        about = f"about {hours(cost)} core-hours"
        if proposal.seconds is None:
            yield (
                f"{self.runs:,} runs, {proposal.slots * self.batch} side by side: "
                f"{clock(rounds * used.seconds)}, {about}"
            )
            return
        size = self.cluster.max_array_size or self.limits.array or proposal.jobs
        # one element an array: the scheduler has none
        arrays = f", in {_count(math.ceil(proposal.jobs / size), 'array')}" if size > 1 else ""
        yield (
            f"{self.runs:,} runs = {_count(proposal.jobs, 'job')} of {proposal.slots} x "
            f"{proposal.sequential}{f' x {self.batch}' if self.batch > 1 else ''}{arrays}: {about}"
        )
        most = self.cluster.max_submit_jobs or self.limits.jobs
        if most is not None and proposal.jobs > most:
            yield f"  {most:,} jobs may be queued at a time; --wait sends the rest as they end"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def hours(number: float) -> str:
    """With two digits, or whole."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _mib(size: float) -> str:
    return f"{math.ceil(size / MIB):,} MiB"
