"""Laws of packing: every index goes to one task, and no task or array asks for more than it may."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from experiment.scheduling.cluster import Cluster, check_cluster
from experiment.scheduling.packing import Need, Packed, capped, core_hours, pack, share_throttle
from experiment.scheduling.ranges import brief, holds, read_ranges, write_ranges
from experiment.scheduling.submission import Chunk

INDICES = st.sets(st.integers(0, 10**6)).map(sorted)


def cluster(**fields: Any) -> Cluster:
    return check_cluster({"scheduler": "slurm", "time": 60, "cores": 1} | fields, "cluster.json")


def on_cores(threads: int, slots: int, sequential: int) -> Cluster:
    return cluster(cores=threads * slots, threadsPerRun=threads, sequential=sequential)


def on_gpus(gpus: int, runs_per_gpu: int, cores_per_run: int, sequential: int) -> Cluster:
    cores = gpus * runs_per_gpu * cores_per_run
    return cluster(gpus=gpus, runsPerGpu=runs_per_gpu, cores=cores, sequential=sequential)


SMALL = st.integers(1, 4)
CLUSTERS = st.builds(on_cores, SMALL, SMALL, SMALL) | st.builds(on_gpus, SMALL, SMALL, SMALL, SMALL)
NEEDS = st.sampled_from([Need(), Need(1.5, 1.0), Need(1.0, 2.0), Need(2.25, 4.0)])


class Made(NamedTuple):
    """Indices, and what became of them; their shape is index mod 3."""

    indices: list[int]
    where: Cluster
    batch: int
    largest: int
    needs: dict[int, Need]
    packed: Packed


@st.composite
def packings(draw: st.DrawFn) -> Made:
    indices = draw(st.sets(st.integers(0, 300), min_size=1).map(sorted))
    where, batch, largest = draw(CLUSTERS), draw(st.integers(1, 5)), draw(st.integers(1, 7))
    needs = {index: draw(NEEDS) for index in indices[:: draw(st.integers(2, 9))]}
    packed = pack(
        indices, where, batch, largest_array=largest, shape_of=lambda i: i % 3, needs=needs
    )
    return Made(indices, where, batch, largest, needs, packed)


# -- ranges


@given(INDICES)
def test_ranges_are_read_as_they_were_written(indices: list[int]) -> None:
    assert list(read_ranges(write_ranges(indices))) == indices


@given(INDICES, st.integers(0, 10**6))
def test_a_range_holds_what_it_was_written_from(indices: list[int], other: int) -> None:
    text = write_ranges(indices)
    assert all(holds(text, index) for index in indices)
    assert holds(text, other) == (other in indices)


def test_ranges_are_as_a_person_writes_them() -> None:
    assert write_ranges([0, 1, 2, 3, 72]) == "0-3,72"
    assert write_ranges([5]) == "5"
    assert write_ranges([]) == ""
    assert brief(range(10**6)) == "0-999999"
    assert brief(range(0, 200, 2), 30) == "0,2,4,6,8,10,12,14,1... (100 ranges)"


# -- tasks


@given(packings())
def test_every_index_is_in_one_task(made: Made) -> None:
    assert sorted(index for task in made.packed.tasks for index in task) == made.indices
    read = [index for text in made.packed.ranges() for index in read_ranges(text)]
    assert sorted(read) == made.indices


@given(packings())
def test_no_task_is_larger_than_its_job(made: Made) -> None:
    for task in made.packed.tasks:
        assert 1 <= len(task) <= made.where.per_task(made.batch)


@given(packings())
def test_what_trains_together_has_one_shape(made: Made) -> None:
    for task in made.packed.tasks:
        groups = sum(
            math.ceil(sum(i % 3 == shape for i in task) / made.batch) for shape in range(3)
        )
        assert groups <= made.where.slots * made.where.sequential


@given(packings())
def test_each_task_is_in_one_chunk_and_no_array_is_too_long(made: Made) -> None:
    covered = [
        n for chunk in made.packed.chunks for n in range(chunk.first, chunk.first + chunk.count)
    ]
    assert covered == list(range(len(made.packed.tasks)))
    assert all(1 <= chunk.count <= made.largest for chunk in made.packed.chunks)


@given(packings())
def test_a_job_asks_for_no_more_than_its_runs_use(made: Made) -> None:
    for chunk in made.packed.chunks:
        assert chunk.cores <= made.where.core_count
        assert chunk.gpus <= made.where.gpus
        if made.where.gpus:
            assert chunk.gpus == math.ceil(chunk.slots / made.where.runs_per_gpu)
        else:
            assert chunk.cores == chunk.slots * made.where.threads_per_run
        # one slot fewer would leave a group of its fullest task without a place
        fullest = max(len(made.packed.tasks[chunk.first + n]) for n in range(chunk.count))
        assert chunk.slots <= min(made.where.slots, fullest)
        if made.batch == 1:
            assert chunk.slots == min(made.where.slots, fullest)


def test_a_last_smaller_task_asks_for_less() -> None:
    packed = pack(range(19), cluster(cores=8, sequential=1), 1, largest_array=100)
    assert [(c.first, c.count, c.slots, c.cores) for c in packed.chunks] == [
        (0, 2, 8, 8),
        (2, 1, 3, 3),
    ]
    packed = pack(range(9), cluster(cores=8, gpus=2, runsPerGpu=4), 1, largest_array=100)
    assert [(c.count, c.slots, c.cores, c.gpus) for c in packed.chunks] == [
        (1, 8, 8, 2),
        (1, 1, 1, 1),
    ]


def test_of_several_rounds_the_last_task_keeps_what_it_can_use() -> None:
    packed = pack(range(20), cluster(cores=4, sequential=4), 1, largest_array=100)
    assert [(c.count, c.slots) for c in packed.chunks] == [(2, 4)]


def test_groups_that_train_together_count_as_one() -> None:
    packed = pack(range(100), cluster(cores=2), 8, largest_array=100)
    assert [len(task) for task in packed.tasks] == [16] * 6 + [4]
    assert [(c.count, c.slots) for c in packed.chunks] == [(6, 2), (1, 1)]


# -- what the queue has room for


@given(packings(), st.integers(1, 10))
def test_the_first_tasks_packed_again_are_the_same(made: Made, room: int) -> None:
    kept = [index for task in made.packed.tasks[:room] for index in task]
    again = pack(
        kept,
        made.where,
        made.batch,
        largest_array=made.largest,
        shape_of=lambda i: i % 3,
        needs=made.needs,
    )
    assert again.tasks == made.packed.tasks[:room]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.integers(1, 200))
def test_the_throttle_is_shared(counts: list[int], together: int) -> None:
    chunks = [Chunk(0, count, 1, 1, 0, None, None) for count in counts]
    shared = share_throttle(chunks, together)
    parallel = [chunk.parallel or 0 for chunk in shared]
    assert all(1 <= one <= count for one, count in zip(parallel, counts, strict=True))
    if len(counts) <= together:
        assert sum(parallel) == min(together, sum(counts))


def test_without_a_throttle_none_is_set() -> None:
    chunk = Chunk(0, 9, 1, 1, 0, None, None)
    assert share_throttle([chunk], None) == [chunk]


# -- needs


@given(st.integers(1, 10**12), st.floats(1, 100), st.none() | st.integers(1, 10**13))
def test_what_is_asked_for_grows_up_to_its_cap(value: int, factor: float, cap: int | None) -> None:
    more = capped(value, factor, cap)
    assert more >= value
    assert more <= max(value, cap if cap is not None else math.ceil(value * factor))
    assert more >= min(value * factor, math.inf if cap is None else cap)


def test_runs_that_need_more_get_jobs_of_their_own() -> None:
    retry = {"memoryCap": "5G", "timeCap": "3:00:00"}
    where = cluster(cores=2, memPerCpu="2G", runTimeout=30, retry=retry)
    needs = {1: Need(memory=1.5), 3: Need(memory=9.0), 4: Need(time=2.0), 5: Need(time=64.0)}
    packed = pack(range(6), where, 1, largest_array=100, needs=needs)
    asked = {
        tuple(packed.tasks[chunk.first]): (chunk.memory, chunk.seconds, chunk.run_seconds)
        for chunk in packed.chunks
    }
    gibibyte = 2**30
    assert asked == {
        (0, 2): (2 * gibibyte, 3600, 1800),
        (1,): (3 * gibibyte, 3600, 1800),
        (3,): (5 * gibibyte, 3600, 1800),
        (4,): (2 * gibibyte, 7200, 3600),
        (5,): (2 * gibibyte, 3 * 3600, 3 * 3600),
    }


def test_what_it_costs_at_most() -> None:
    packed = pack(range(20), cluster(cores=4, time=30), 1, largest_array=100)
    assert core_hours(packed.chunks) == 5 * 4 * 0.5
    local = check_cluster({"scheduler": "local", "cores": 4}, "local.json")
    assert core_hours(pack(range(20), local, 1, largest_array=9).chunks) is None
