"""What a job should ask for, from what runs were measured to use. Arithmetic only.

A process trains a group of runs: one run, or a batch. Slots are processes side by side in a job.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MIB = 2**20

#: A job of 1 to 3 hours starts early and wastes little on starting; with TIME_SAFETY this is 3.
JOB_SECONDS = 2 * 3600.0
#: A time limit is this many times what the runs take, and at least START_SECONDS more.
TIME_SAFETY = 1.5
START_SECONDS = 300
TIME_STEP = 600
#: Memory is this many times the largest that was seen.
MEMORY_SAFETY = 1.25
MEMORY_STEP = 256 * MIB
#: What a process takes of a GPU before it allocates anything.
GPU_CONTEXT = 512 * MIB
#: Runs on one GPU slow one another, nobody knows by how much: so many times what was measured.
GPU_GROWTH = 2
#: Below this part of a core, another thread is not worth a core.
_IDLE_THREAD = 0.1
#: A run that is being saved holds what it stores up to so many times more.
_MOST_COPIES = 4.0


@dataclass(frozen=True)
class Used:
    """What one process needs.

    Attributes:
        seconds: from its first to its last timestep.
        cores: that it kept busy.
        memory: bytes at most.
        job_memory: bytes of the process that starts the others.
        gpu_memory: bytes at most that it allocated on a GPU; 0 without, or where it cannot tell.
        gpu_size: bytes of that GPU.
        beside: processes that shared a GPU while this was measured.
    """

    seconds: float
    cores: float
    memory: int
    job_memory: int = 0
    gpu_memory: int = 0
    gpu_size: int = 0
    beside: int = 1


@dataclass(frozen=True)
class Bounds:
    """What there is to do, and what a job may ask for.

    Attributes:
        groups: processes to run.
        cores: most of a job.
        threads: cores of a process now.
        gpus: most of a job.
        runs_per_gpu: now; kept where GPU memory is not known.
        job_seconds: how long a job should run; None where there are no jobs, but one machine.
        longest: most seconds of a time limit.
        save_before: seconds of it that are for saving.
        core_memory: most bytes a core.
        memory: bytes of the machine.
    """

    groups: int
    cores: int
    threads: int = 1
    gpus: int = 0
    runs_per_gpu: int = 1
    job_seconds: float | None = JOB_SECONDS
    longest: int | None = None
    save_before: int = 0
    core_memory: int | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Proposal:
    """What a job should ask for.

    Attributes:
        cores, gpus: of a job.
        threads: cores of a process.
        slots: processes side by side.
        runs_per_gpu: of them, on each GPU; 1 without.
        sequential: processes after one another in each slot.
        seconds: time limit; None where `Bounds.job_seconds` is.
        core_memory: bytes a core.
        jobs: how many.
    """

    cores: int
    gpus: int
    threads: int
    slots: int
    runs_per_gpu: int
    sequential: int
    seconds: int | None
    core_memory: int
    jobs: int


def propose(used: Used, bounds: Bounds) -> Proposal:
    """The next request. It never exceeds a bound; where one binds, runs still go on in other jobs.

    Few runs make a small job rather than a short one: it starts earlier.
    """
    threads = _threads(used, bounds)
    most = _most_slots(used, bounds, threads)
    sequential = _most_sequential(used, bounds, most)
    slots = min(most, math.ceil(bounds.groups / sequential))
    jobs = math.ceil(bounds.groups / (slots * sequential))
    # the same number of jobs, evenly full
    sequential = math.ceil(bounds.groups / (jobs * slots))
    slots = math.ceil(bounds.groups / (jobs * sequential))
    gpus, runs_per_gpu = 0, 1
    if bounds.gpus:
        gpus = math.ceil(slots * min(bounds.gpus, most) / most)
        runs_per_gpu = math.ceil(slots / gpus)
        slots = gpus * runs_per_gpu
    cores = slots * threads
    return Proposal(
        cores=cores,
        gpus=gpus,
        threads=threads,
        slots=slots,
        runs_per_gpu=runs_per_gpu,
        sequential=sequential,
        seconds=_limit(used, bounds, sequential),
        core_memory=_core_memory(used, bounds, slots, cores),
        jobs=math.ceil(bounds.groups / (slots * sequential)),
    )


def _threads(used: Used, bounds: Bounds) -> int:
    """No more cores than a process keeps busy, but as many as its memory comes with."""
    threads = min(bounds.threads, max(1, math.ceil(used.cores - _IDLE_THREAD)))
    if bounds.core_memory is not None:
        threads = max(threads, math.ceil(needed_memory(used) / bounds.core_memory))
    return min(threads, bounds.cores)


def _most_slots(used: Used, bounds: Bounds, threads: int) -> int:
    slots = bounds.cores // threads
    if bounds.memory is not None:
        left = bounds.memory - used.job_memory * MEMORY_SAFETY
        slots = min(slots, int(left / needed_memory(used)))
    slots = max(1, slots)
    if not bounds.gpus:
        return slots
    gpus = min(bounds.gpus, slots)
    return gpus * max(1, min(slots // gpus, _fit_on_gpu(used, bounds)))


def _fit_on_gpu(used: Used, bounds: Bounds) -> int:
    fit = gpu_room(used)
    return bounds.runs_per_gpu if fit is None else min(fit, GPU_GROWTH * used.beside)


def gpu_room(used: Used) -> int | None:
    """How many processes the memory of a GPU has room for; None when that is not known."""
    if not used.gpu_memory or not used.gpu_size:
        return None
    return int(used.gpu_size / (used.gpu_memory * MEMORY_SAFETY + GPU_CONTEXT))


def _most_sequential(used: Used, bounds: Bounds, most_slots: int) -> int:
    if bounds.job_seconds is None:
        return math.ceil(bounds.groups / most_slots)
    wanted = bounds.job_seconds
    if bounds.longest is not None:  # a shorter limit leaves less for the runs
        shorter = (bounds.longest / TIME_SAFETY, bounds.longest - bounds.save_before)
        wanted = min(wanted, shorter[0], shorter[1] - START_SECONDS)
    if wanted >= bounds.groups * used.seconds:
        return bounds.groups
    return max(1, int(wanted / used.seconds)) if used.seconds else 1


def _limit(used: Used, bounds: Bounds, sequential: int) -> int | None:
    if bounds.job_seconds is None:
        return None
    seconds = needed_seconds(used, sequential, bounds.save_before)
    return seconds if bounds.longest is None else min(seconds, bounds.longest)


def needed_seconds(used: Used, sequential: int, save_before: int) -> int:
    """The time limit of so many processes after one another."""
    work = sequential * used.seconds
    needed = max(TIME_SAFETY * work, work + save_before + START_SECONDS)
    return TIME_STEP * math.ceil(needed / TIME_STEP)


def needed_memory(used: Used) -> float:
    """Bytes of a process, with what is kept in reserve."""
    return max(1.0, used.memory * MEMORY_SAFETY)


def _core_memory(used: Used, bounds: Bounds, slots: int, cores: int) -> int:
    needed = (slots * needed_memory(used) + used.job_memory * MEMORY_SAFETY) / cores
    rounded = MEMORY_STEP * max(1, math.ceil(needed / MEMORY_STEP))
    return rounded if bounds.core_memory is None else min(rounded, bounds.core_memory)


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest of the values that at least `part` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def memory_of_whole_run(peak: int, last: int, growth: float, done: int, until: int) -> int:
    """The largest memory of a run that was left early.

    Args:
        peak: so far, which includes what saving took.
        last: before it was saved.
        growth: bytes a timestep.
        done: timesteps.
        until: timesteps after which it stores no more.
    """
    if growth <= 0 or done <= 0 or done >= until:
        return peak
    copies = min(_MOST_COPIES, max(0, peak - last) / (growth * done))
    return peak + math.ceil((1 + copies) * growth * (until - done))
