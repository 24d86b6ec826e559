"""From missing indices to tasks, and from tasks to chunks that a scheduler takes.

A task runs `slots` groups of runs side by side and `sequential` after one another on each slot; a
group is `batch` runs trained together in one process. A chunk is a job array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from experiment.scheduling.cluster import Cluster
from experiment.scheduling.ranges import write_ranges
from experiment.scheduling.submission import Chunk


@dataclass(frozen=True)
class Need:
    """What a run needs beyond what the cluster file says: factors after a failure."""

    memory: float = 1.0
    time: float = 1.0


@dataclass(frozen=True)
class Packed:
    """The tasks of a submission and their chunks."""

    tasks: list[list[int]]
    chunks: list[Chunk]

    def ranges(self) -> list[str]:
        """The tasks as a submission stores them."""
        return [write_ranges(sorted(task)) for task in self.tasks]


def pack(
    indices: Iterable[int],
    cluster: Cluster,
    batch: int,
    *,
    largest_array: int,
    shape_of: Callable[[int], Hashable] | None = None,
    needs: Mapping[int, Need] | None = None,
) -> Packed:
    """Puts indices into tasks, and tasks into arrays.

    Args:
        batch: runs trained together.
        largest_array: elements that one job array may have.
        shape_of: what runs must agree in to be trained together; only with `batch` > 1.
        needs: of the runs that need more than others; they get tasks of their own.
    """
    by_need: dict[Need, dict[Hashable, list[int]]] = {}
    for index in indices:
        need = needs.get(index, Need()) if needs else Need()
        shape = shape_of(index) if shape_of and batch > 1 else None
        by_need.setdefault(need, {}).setdefault(shape, []).append(index)
    tasks: list[list[int]] = []
    chunks: list[Chunk] = []
    for need, by_shape in by_need.items():
        groups = [
            same[at : at + batch] for same in by_shape.values() for at in range(0, len(same), batch)
        ]
        for part in _evenly(groups, cluster):
            new = [[index for group in task for index in group] for task in part]
            slots = min(cluster.slots, max(len(task) for task in part))
            for at in range(0, len(new), largest_array):
                count = len(new[at : at + largest_array])
                chunks.append(_chunk(len(tasks) + at, count, slots, cluster, need))
            tasks += new
    return Packed(tasks, share_throttle(chunks, cluster.array_parallelism))


def _evenly(groups: Sequence[list[int]], cluster: Cluster) -> list[list[list[list[int]]]]:
    """Tasks of groups, in parts that ask for the same.

    All tasks are full but the last; that one asks for fewer cores where it cannot use them.
    """
    size = cluster.slots * cluster.sequential
    tasks = [list(groups[at : at + size]) for at in range(0, len(groups), size)]
    if len(tasks) > 1 and len(tasks[-1]) < cluster.slots:
        return [tasks[:-1], tasks[-1:]]
    return [tasks] if tasks else []


def _chunk(first: int, count: int, slots: int, cluster: Cluster, need: Need) -> Chunk:
    memory, seconds = cluster.mem_per_cpu_bytes, cluster.time_limit
    if memory is not None:
        memory = capped(memory, need.memory, cluster.retry.memory_cap_bytes)
    if seconds is not None:
        seconds = capped(seconds, need.time, cluster.retry.time_cap_seconds)
    run_seconds = cluster.run_time_limit
    if run_seconds is not None:
        run_seconds = capped(run_seconds, need.time, seconds)
    cores = math.ceil(cluster.core_count * slots / cluster.slots)
    gpus = math.ceil(slots / cluster.runs_per_gpu) if cluster.gpus else 0
    return Chunk(first, count, slots, cores, gpus, memory, seconds, run_seconds)


def capped(value: int, factor: float, cap: int | None) -> int:
    """`value` times `factor`, at most `cap`, never less than `value`."""
    more = math.ceil(value * factor)
    return max(value, min(more, cap)) if cap is not None else more


def share_throttle(chunks: Sequence[Chunk], together: int | None) -> list[Chunk]:
    """Divides the number of tasks that may run at once among the chunks, at least one each."""
    if together is None:
        return list(chunks)
    # beyond its first task, each chunk gets its part of what is left, rounded so that the sum fits
    others = sum(chunk.count - 1 for chunk in chunks)
    left = max(0, min(together - len(chunks), others))
    shared, before = [], 0
    for chunk in chunks:
        after = before + chunk.count - 1
        more = left * after // others - left * before // others if others else 0
        shared.append(msgspec.structs.replace(chunk, parallel=1 + more))
        before = after
    return shared


def core_hours(chunks: Iterable[Chunk]) -> float | None:
    """The most that the chunks can use; None where there is no time limit."""
    total = 0.0
    for chunk in chunks:
        if chunk.seconds is None:
            return None
        total += chunk.count * chunk.cores * chunk.seconds / 3600
    return total
