"""A few runs first, to learn what the others need."""

from __future__ import annotations

import math
from typing import Any

from msgspec.structs import replace

import agents
from experiment.scheduling.cluster import Cluster
from experiment.scheduling.submission import Submission
from experiment.scheduling.sweep import Sweep

_LOOKED_AT = 10_000


def choose(sweep: Sweep, count: int, batch: int) -> list[int]:
    """Missing indices for `count` groups of `batch`, in turn of each shape, the largest first.

    What the shapes of networks and batches are made of are whole numbers; the shape with the
    largest product of them is taken for the largest.
    """
    by_shape: dict[bytes, list[int]] = {}
    weights: dict[bytes, float] = {}
    for index in sweep.to_send[:_LOOKED_AT]:
        shape = sweep.shape_of(index)
        by_shape.setdefault(shape, []).append(index)
        if shape not in weights:
            weights[shape] = _weight(sweep, index)
    largest_first = sorted(by_shape, key=lambda shape: -weights[shape])
    groups = {
        shape: [found[at : at + batch] for at in range(0, len(found), batch)]
        for shape, found in by_shape.items()
    }
    chosen: list[list[int]] = []
    for turn in range(count):
        chosen += [groups[shape][turn] for shape in largest_first if turn < len(groups[shape])]
    return [index for group in chosen[:count] for index in group]


def _weight(sweep: Sweep, index: int) -> float:
    experiment = sweep.experiment
    setting = experiment.grid.setting(experiment.grid.split(index)[0])
    static = agents.settings_type(experiment.agent_name).STATIC
    return math.prod(_size(setting.get(name)) for name in static)


def _size(value: Any) -> float:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and value > 0 else 1.0


def small(cluster: Cluster, count: int) -> Cluster:
    """The same cluster with jobs of at most `count` processes side by side and one after another.

    A GPU comes with its part of the cores, and so of the memory.
    """
    threads = cluster.threads_per_run
    slots = max(1, min(count, cluster.core_count // threads))
    if not cluster.gpus:
        return replace(cluster, cores=slots * threads, sequential=1)
    cores = max(slots * threads, cluster.core_count // cluster.gpus)
    return replace(cluster, cores=cores, gpus=1, runs_per_gpu=slots, sequential=1)


def is_pilot(sent: Submission) -> bool:
    """Whether it was sent to measure."""
    return sent.leave_after is not None
