"""What is proposed keeps within every bound, covers what is needed, and grows with the need."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from experiment.scheduling.sizing import (
    GPU_CONTEXT,
    GPU_GROWTH,
    JOB_SECONDS,
    MEMORY_SAFETY,
    MEMORY_STEP,
    MIB,
    START_SECONDS,
    TIME_SAFETY,
    TIME_STEP,
    Bounds,
    Proposal,
    Used,
    memory_of_whole_run,
    percentile,
    propose,
)

GIB = 1024 * MIB
HOUR = 3600

seconds = st.floats(min_value=0.001, max_value=1e7)
memories = st.integers(min_value=0, max_value=2**42)
useds = st.builds(
    Used,
    seconds=seconds,
    cores=st.floats(min_value=0, max_value=64),
    memory=memories,
    job_memory=st.integers(min_value=0, max_value=2**34),
    gpu_memory=st.integers(min_value=0, max_value=2**38),
    gpu_size=st.integers(min_value=0, max_value=2**38),
    beside=st.integers(min_value=1, max_value=64),
)


@st.composite
def bounds(draw: st.DrawFn) -> Bounds:
    """What cluster files allow: at least one process fits in a job."""
    threads = draw(st.integers(1, 16))
    gpus = draw(st.integers(0, 8))
    per_gpu = draw(st.integers(1, 16)) if gpus else 1
    slots = gpus * per_gpu if gpus else draw(st.integers(1, 256))
    more = draw(st.integers(0, 64)) if gpus else 0
    here = draw(st.booleans())
    save_before = draw(st.integers(0, 600))
    return Bounds(
        groups=draw(st.integers(1, 10**7)),
        cores=slots * threads + more,
        threads=threads,
        gpus=gpus,
        runs_per_gpu=per_gpu,
        job_seconds=None if here else draw(st.floats(60, 7 * 24 * HOUR)),
        longest=None if here else draw(st.none() | st.integers(save_before + 1, 30 * 24 * HOUR)),
        save_before=save_before,
        core_memory=draw(st.none() | st.integers(MEMORY_STEP, 2**40)),
        memory=draw(st.none() | st.integers(MIB, 2**44)) if here else None,
    )


def cpu(**fields: Any) -> Bounds:
    """A cluster file of 16 cores and 3 hours at most."""
    return Bounds(**({"groups": 3600, "cores": 16, "longest": 3 * HOUR} | fields))


def run(**fields: Any) -> Used:
    """A run of 10 minutes that keeps a core busy."""
    return Used(**({"seconds": 600.0, "cores": 0.99, "memory": 400 * MIB} | fields))


# -- laws


@given(useds, bounds())
def test_no_bound_is_exceeded(used: Used, bound: Bounds) -> None:
    found = propose(used, bound)
    assert found.cores <= bound.cores
    assert found.gpus <= bound.gpus
    if bound.longest is not None:
        assert found.seconds is not None and found.seconds <= bound.longest
    if bound.core_memory is not None:
        assert found.core_memory <= bound.core_memory


@given(useds, bounds())
def test_nothing_is_zero(used: Used, bound: Bounds) -> None:
    found = propose(used, bound)
    assert min(found.cores, found.threads, found.slots, found.runs_per_gpu, found.sequential) >= 1
    assert min(found.core_memory, found.jobs) >= 1
    assert found.seconds is None or found.seconds >= 1
    assert (found.gpus >= 1) == (bound.gpus >= 1)


@given(useds, bounds())
def test_every_run_has_its_place_and_no_job_is_empty(used: Used, bound: Bounds) -> None:
    found = propose(used, bound)
    a_job = found.slots * found.sequential
    assert (found.jobs - 1) * a_job < bound.groups <= found.jobs * a_job


@given(useds, bounds())
def test_a_job_is_what_cluster_files_can_say(used: Used, bound: Bounds) -> None:
    found = propose(used, bound)
    assert found.cores == found.slots * found.threads
    assert found.slots == found.gpus * found.runs_per_gpu if found.gpus else found.runs_per_gpu == 1


@given(useds, bounds())
def test_the_time_limit_is_enough_unless_it_is_the_longest(used: Used, bound: Bounds) -> None:
    found = propose(used, bound)
    if found.seconds is not None and found.seconds != bound.longest:
        work = found.sequential * used.seconds
        assert found.seconds >= TIME_SAFETY * work
        assert found.seconds >= work + bound.save_before + START_SECONDS
        assert found.seconds % TIME_STEP == 0


@given(useds, bounds())
def test_a_job_is_as_long_as_wanted_or_has_one_run_after_another_no_more(
    used: Used, bound: Bounds
) -> None:
    found = propose(used, bound)
    if bound.job_seconds is not None and found.sequential > 1:
        assert found.sequential * used.seconds <= bound.job_seconds * (1 + 1e-9)


@given(useds, bounds())
def test_the_memory_is_enough_unless_it_is_the_most(used: Used, bound: Bounds) -> None:
    found = propose(used, bound)
    needed = MEMORY_SAFETY * (found.slots * used.memory + used.job_memory)
    if found.core_memory != bound.core_memory:
        assert found.core_memory * found.cores >= needed * (1 - 1e-9)
        assert found.core_memory % MEMORY_STEP == 0


@given(useds, bounds())
def test_what_runs_side_by_side_fits_in_the_machine_and_on_the_gpu(
    used: Used, bound: Bounds
) -> None:
    found = propose(used, bound)
    if bound.memory is not None and found.slots > max(1, found.gpus):
        assert MEMORY_SAFETY * (found.slots * used.memory + used.job_memory) <= bound.memory
    if found.runs_per_gpu > 1 and used.gpu_memory and used.gpu_size:
        each = used.gpu_memory * MEMORY_SAFETY + GPU_CONTEXT
        assert found.runs_per_gpu * each <= used.gpu_size
        assert found.runs_per_gpu <= GPU_GROWTH * used.beside


@given(useds, bounds(), seconds)
def test_longer_runs_are_never_more_after_one_another(
    used: Used, bound: Bounds, other: float
) -> None:
    short, long = sorted((used.seconds, other))
    few = propose(replace(used, seconds=long), bound).sequential
    assert few <= propose(replace(used, seconds=short), bound).sequential


@given(useds, bounds(), memories)
def test_more_memory_of_a_run_is_never_less_memory_of_its_job(
    used: Used, bound: Bounds, other: int
) -> None:
    def of_a_run(found: Proposal) -> float:
        return found.core_memory * found.cores / found.slots

    small, large = sorted((used.memory, other))
    # the job's own process counts for the more, the fewer runs share a job
    used = replace(used, job_memory=0)
    # cores come whole, so that a run may get more than it needs; what it needs is no less
    more = of_a_run(propose(replace(used, memory=large), bound))
    less = of_a_run(propose(replace(used, memory=small), bound))
    assert more >= less or more >= MEMORY_SAFETY * large


@given(useds, bounds(), st.integers(min_value=0, max_value=2**38))
def test_more_gpu_memory_of_a_run_is_never_more_runs_on_it(
    used: Used, bound: Bounds, other: int
) -> None:
    # a job for all of them, so that nothing but the GPU says how many
    bound = replace(bound, groups=10**9, longest=None)
    small, large = sorted((max(1, used.gpu_memory), max(1, other)))
    few = propose(replace(used, gpu_memory=large), bound)
    many = propose(replace(used, gpu_memory=small), bound)
    if bound.gpus and used.gpu_size and few.gpus == many.gpus:
        assert few.runs_per_gpu <= many.runs_per_gpu


# -- cases


def test_a_large_sweep_fills_jobs_of_the_wanted_length() -> None:
    found = propose(run(), cpu())
    assert (found.cores, found.sequential, found.jobs) == (16, 12, 19)
    assert found.seconds == 3 * HOUR == TIME_SAFETY * JOB_SECONDS
    assert found.core_memory == 512 * MIB  # 400 x 1.25


def test_the_length_of_a_job_is_a_wish() -> None:
    found = propose(run(), cpu(job_seconds=0.5 * HOUR))
    assert (found.sequential, found.seconds) == (3, 50 * 60)  # 45 minutes, rounded up


def test_few_runs_make_one_small_job() -> None:
    found = propose(run(), cpu(groups=20))
    assert (found.cores, found.sequential, found.jobs) == (2, 10, 1)


def test_jobs_are_evenly_full() -> None:
    found = propose(run(seconds=2 * HOUR), cpu(groups=17))
    assert (found.cores, found.jobs) == (9, 2)


def test_a_run_longer_than_any_job_goes_on_in_the_next() -> None:
    found = propose(run(seconds=50 * HOUR), cpu())
    assert (found.sequential, found.seconds) == (1, 3 * HOUR)


def test_a_run_longer_than_wanted_gets_its_time_where_that_may_be() -> None:
    found = propose(run(seconds=5 * HOUR), cpu(longest=24 * HOUR))
    assert (found.sequential, found.seconds) == (1, 7.5 * HOUR)


def test_very_short_runs_have_time_to_start() -> None:
    found = propose(run(seconds=0.5), cpu(groups=10, save_before=120))
    assert found.seconds == 10 * 60


def test_cores_that_a_run_leaves_idle_are_not_asked_for() -> None:
    found = propose(run(cores=1.05), cpu(threads=4))
    assert (found.threads, found.slots) == (1, 16)
    assert propose(run(cores=2.6), cpu(threads=4)).threads == 3


def test_memory_comes_with_cores_where_a_core_has_no_more() -> None:
    found = propose(run(memory=6 * GIB), cpu(core_memory=4 * GIB))
    assert (found.threads, found.slots, found.core_memory) == (2, 8, 3840 * MIB)


def test_the_process_that_starts_the_runs_has_its_memory() -> None:
    found = propose(run(job_memory=600 * MIB), cpu(groups=1))
    assert found.core_memory == 1280 * MIB  # 1000 x 1.25 = 1250


def test_runs_on_a_gpu_are_doubled_at_a_time() -> None:
    used = run(gpu_memory=2 * GIB, gpu_size=80 * GIB, beside=2)
    bound = cpu(gpus=1, runs_per_gpu=1)
    assert propose(used, bound).runs_per_gpu == 4
    assert propose(replace(used, beside=8), bound).runs_per_gpu == 16  # cores for no more
    assert (
        propose(replace(used, beside=8, gpu_size=24 * GIB), bound).runs_per_gpu == 8
    )  # 3 GiB each


def test_where_gpu_memory_is_not_known_nothing_changes() -> None:
    assert propose(run(), cpu(gpus=2, runs_per_gpu=3)).runs_per_gpu == 3


def test_one_machine_runs_as_many_as_its_memory_holds() -> None:
    bound = cpu(job_seconds=None, longest=None, memory=8 * GIB)
    found = propose(run(memory=2 * GIB), bound)
    assert (found.slots, found.cores, found.seconds) == (3, 3, None)  # 2.5 GiB each


# -- measured


def test_plans_are_made_for_the_slow_ones() -> None:
    assert percentile([4, 1, 3, 2], 0.5) == 2
    assert percentile(range(1, 101), 0.95) == 95
    assert percentile([7], 0.95) == 7


def test_a_run_that_was_left_early_would_have_stored_more() -> None:
    # 10 bytes a timestep, and saving doubled what it had stored: 2 x 10 x 400 more
    assert memory_of_whole_run(12_000, 11_000, 10.0, done=100, until=500) == 20_000


def test_what_is_full_grows_no_more() -> None:
    assert memory_of_whole_run(12_000, 11_000, 10.0, done=500, until=500) == 12_000
    assert memory_of_whole_run(12_000, 11_000, -3.0, done=100, until=500) == 12_000


@given(memories, memories, st.floats(0, 1e6), st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_whole_run_never_needs_less_than_was_seen(
    peak: int, last: int, growth: float, done: int, until: int
) -> None:
    whole = memory_of_whole_run(peak, last, growth, done, until)
    assert whole >= peak and math.isfinite(whole)
