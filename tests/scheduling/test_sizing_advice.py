"""What --pilot and --usage propose is valid in the cluster file, and said in plain words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.scheduling.advice import Advice, fields_of, lines_of
from experiment.scheduling.backends import Limits
from experiment.scheduling.cluster import Cluster, check_cluster
from experiment.scheduling.measured import Measured
from experiment.scheduling.sizing import MIB

GIB = 1024 * MIB
HOURS = 3600.0


def cluster(**fields: Any) -> Cluster:
    """A cluster file."""
    content = {"scheduler": "slurm", "time": "02:59:00", "cores": 16, "memPerCpu": "4G"} | fields
    return check_cluster(content, "cluster.json")


def measured(**fields: Any) -> Measured:
    """Two runs of ten minutes, to the end."""
    values: dict[str, Any] = {
        "seconds": [590.0, 600.0],
        "rates": [160.0, 163.0],
        "cores": [0.98, 0.99],
        "memory": [400 * MIB, 400 * MIB],
        "seen": [400 * MIB, 400 * MIB],
        "job_memory": 300 * MIB,
        "whole": 2,
    }
    return Measured(**(values | fields))


def advice(
    found: Measured,
    file: Cluster,
    runs: int = 3600,
    batch: int = 1,
    job_hours: float = 2.0,
    limits: Limits | None = None,
) -> Advice:
    """The next request."""
    used = found.used()
    assert used is not None
    return Advice(found, used, file, runs, batch, job_hours * HOURS, limits or Limits())


def words(*arguments: Any, **named: Any) -> str:
    """The arithmetic, in one text."""
    return "\n".join(advice(*arguments, **named).words())


def pasted(found: Advice) -> dict[str, Any]:
    """The lines as the beginning of a cluster file."""
    lines = lines_of(fields_of(found.cluster, found.proposal))
    content: dict[str, Any] = json.loads("\n".join(["{", *lines, '  "scheduler": "x"', "}"]))
    return content


# -- the lines


def test_the_lines_are_fields_of_the_cluster_file() -> None:
    assert pasted(advice(measured(), cluster())) == {
        "cores": 16,
        "sequential": 12,
        "time": "03:00:00",
        "memPerCpu": "768M",
        "scheduler": "x",
    }


def test_a_gpu_has_its_own() -> None:
    found = measured(gpu_memory=2 * GIB, gpu_size=40 * GIB, beside=2)
    lines = pasted(advice(found, cluster(gpus=1, runsPerGpu=2, cores=12)))
    assert (lines["gpus"], lines["runsPerGpu"], lines["cores"]) == (1, 4, 4)


def test_this_machine_takes_cores_only() -> None:
    file = check_cluster({"scheduler": "local", "cores": 4}, "local.json")
    assert pasted(advice(measured(), file)).keys() == {"cores", "scheduler"}


def test_memory_that_is_a_directive_stays_there() -> None:
    file = cluster(memPerCpu=None, directives={"mem": "64G"})
    assert "memPerCpu" not in pasted(advice(measured(), file))


def test_a_run_is_not_allowed_longer_than_its_job() -> None:
    lines = pasted(advice(measured(), cluster(runTimeout="02:30:00"), runs=2, job_hours=0.1))
    assert lines["runTimeout"] == lines["time"] == "00:20:00"


files: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "scheduler": st.sampled_from(["slurm", "pbs", "lsf", "local"]),
        "time": st.integers(10, 10_000).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}:0"),
        "threadsPerRun": st.integers(1, 4),
        "gpus": st.integers(0, 4),
        "saveBefore": st.integers(0, 599),
    }
)


@given(
    files,
    st.integers(1, 8),
    st.none() | st.sampled_from(["1G", "4000M", "16G"]),
    st.booleans(),
    st.floats(0.1, 1e6),
    st.integers(1, 2**36),
    st.floats(0, 8),
    st.integers(1, 10**6),
    st.sampled_from([1, 8, 256]),
)
def test_whatever_the_file_the_proposal_is_valid_in_it(
    content: dict[str, Any],
    slots: int,
    memory: str | None,
    capped: bool,
    seconds: float,
    peak: int,
    cores: float,
    runs: int,
    batch: int,
) -> None:
    gpus = content["gpus"]
    content |= {"cores": slots * max(1, gpus) * content["threadsPerRun"]}
    content |= {"runsPerGpu": slots} if gpus else {}
    if content["scheduler"] != "local":
        content |= {"memPerCpu": memory}
        retry = {"timeCap": "10-00:00:00"} | ({"memoryCap": "16G"} if memory else {})
        content |= {"retry": retry} if capped else {}
    found = measured(seconds=[seconds], memory=[peak], seen=[peak], cores=[cores])
    # raises where it is not
    assert list(advice(found, check_cluster(content, "x"), runs=runs, batch=batch).text())


# -- the words


def test_the_arithmetic_of_a_sweep_on_a_cluster() -> None:
    assert words(measured(), cluster()).splitlines() == [
        "time: 0:10:00 for a run at 160 steps/s (2 measured)",
        "cores: a run keeps 0.99 of 1 busy",
        "memory: 400 MiB at most; (16 x that + 300 MiB of the job itself) x 1.25 / 16 cores = "
        "768 MiB a core",
        "time limit: 12 after one another, 2:00:00 x 1.5: 3:00:00, rounded up (--job-hours 2)",
        "3,600 runs = 19 jobs of 16 x 12, in 1 array: about 600 core-hours",
    ]


def test_runs_that_were_left_early_are_named() -> None:
    said = words(measured(whole=0, memory=[900 * MIB] * 2, rates=[100.0, 200.0]), cluster())
    assert "100 to 200 steps/s (2 measured, 0 of them to the end)" in said
    assert "400 MiB at most, 900 MiB when all is stored that a whole run stores" in said


def test_a_run_longer_than_a_job_is_told_to_go_on() -> None:
    said = words(measured(seconds=[10 * HOURS]), cluster())
    assert "at most 3:00:00 are asked for: runs are saved and go on in the next job" in said
    assert "about 4 jobs each" in said


def test_limits_of_the_scheduler_are_told() -> None:
    said = words(measured(), cluster(), runs=100_000, limits=Limits(array=100, jobs=500))
    assert "521 jobs of 16 x 12, in 6 arrays" in said
    assert "500 jobs may be queued at a time; --wait sends the rest" in said


def test_a_batch_is_one_process() -> None:
    said = words(measured(), cluster(), batch=8)
    assert "0:10:00 for a batch of 8 runs" in said
    assert "3,600 runs = 3 jobs of 15 x 10 x 8" in said


@pytest.mark.parametrize(("cores", "why"), [(0.3, "waited"), (2.9, "threadsPerRun 3")])
def test_cores_that_did_nothing_are_explained(cores: float, why: str) -> None:
    assert why in words(measured(cores=[cores]), cluster(threadsPerRun=4 if cores > 1 else 1))


def test_a_gpu_is_shared_as_its_memory_and_the_cores_allow() -> None:
    found = measured(gpu_memory=2 * GIB, gpu_size=40 * GIB, beside=2)
    said = words(found, cluster(gpus=1, cores=12))
    assert "2,048 MiB x 1.25 + 512 MiB for each of 40,960 MiB: room for 13, cores for 12" in said
    assert "the program does not tell" in words(measured(), cluster(gpus=1))


def test_memory_that_no_job_can_have_is_told() -> None:
    file = cluster(cores=2, retry={"memoryCap": "4G"})
    assert "more is not to be had: retry.memoryCap is 4G" in words(
        measured(memory=[20 * GIB]), file
    )
