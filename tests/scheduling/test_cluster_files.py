"""A cluster file is typed and checked; what it cannot mean is refused in a sentence."""

from __future__ import annotations

import os
from typing import Any

import jsonschema
import msgspec
import pytest
from checked_clusters import BATCH, LOCAL, cluster, on, refusal
from hypothesis import given
from hypothesis import strategies as st

from experiment.errors import ConfigError
from experiment.scheduling.cluster import Cluster, Retry, check_cluster
from experiment.schema import schemas
from experiment.values import hyperparameters

# -- what the fields mean


def test_the_least_that_a_file_says() -> None:
    local = cluster(LOCAL)
    assert local.time_limit is None
    assert local.core_count == local.slots == len(os.sched_getaffinity(0))
    slurm = cluster(BATCH)
    assert (slurm.time_limit, slurm.core_count, slurm.slots) == (2 * 3600 + 59 * 60, 8, 8)
    assert slurm.mem_per_cpu_bytes is None
    assert slurm.run_time_limit is None
    assert slurm.retry.memory_cap_bytes is None
    assert slurm.retry.time_cap_seconds is None


def test_names_are_those_that_users_of_such_tools_know() -> None:
    content = msgspec.to_builtins(cluster(BATCH, memPerCpu="2G"))
    assert content["memPerCpu"] == "2G"
    assert content["retry"]["memoryFactor"] == 1.5
    assert check_cluster(content, "cluster.json") == cluster(BATCH, memPerCpu="2G")


def test_quantities_are_read() -> None:
    retry = {"memoryCap": "8192M", "timeCap": "7-00:00:00"}
    read = cluster(BATCH, time=90, memPerCpu="2G", runTimeout="30:00", retry=retry)
    assert read.time_limit == 90 * 60
    assert read.mem_per_cpu_bytes == 2 * 2**30
    assert read.run_time_limit == 30 * 60
    assert read.retry.memory_cap_bytes == 8 * 2**30
    assert read.retry.time_cap_seconds == 7 * 24 * 3600


@pytest.mark.parametrize(
    ("fields", "slots"),
    [
        ({"cores": 8}, 8),
        ({"cores": 8, "threadsPerRun": 4}, 2),
        ({"cores": 8, "gpus": 1}, 1),
        ({"cores": 12, "gpus": 2, "runsPerGpu": 3}, 6),
        ({"cores": 12, "gpus": 2, "runsPerGpu": 3, "threadsPerRun": 2}, 6),
    ],
)
def test_slots_are_the_runs_side_by_side(fields: dict[str, Any], slots: int) -> None:
    assert cluster(BATCH, **fields).slots == slots


def test_a_task_takes_slots_times_sequential_times_batch_indices() -> None:
    read = cluster(BATCH, cores=8, threadsPerRun=2, sequential=5)
    assert read.per_task(1) == 4 * 5
    assert read.per_task(16) == 4 * 5 * 16


def test_a_machine_with_fewer_cores_than_threads_of_a_run_still_has_a_slot() -> None:
    assert cluster(LOCAL, threadsPerRun=4096).slots == 1


# -- one field


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"memPerCPU": "2G"},
            "memPerCPU is not a field of a cluster; did you mean 'memPerCpu'?",
        ),
        (
            {"retry": {"memoryfactor": 2}},
            "retry.memoryfactor is not a field of retry; did you mean 'memoryFactor'?",
        ),
        ({"retry": {"attempts": 0}}, "retry.attempts is 0: expected int >= 1"),
        ({"retry": 3}, "retry is 3: expected object, got int"),
        ({"mail": {"type": "END"}}, "mail lacks 'user', which has no default"),
        (
            {"scheduler": "slrum"},
            "scheduler is \"slrum\": not a choice of scheduler; did you mean 'slurm'?",
        ),
        ({"cores": 0}, "cores is 0: expected int >= 1"),
        ({"cores": "8"}, 'cores is "8": expected int | null, got str'),
        ({"gpus": True}, "gpus is true: expected int, got bool"),
        ({"time": 1.5}, "time is 1.5: expected int | str | null, got float"),
        ({"time": 0}, "time is 0: expected int >= 1"),
        ({"memPerCpu": 2048}, "memPerCpu is 2048: expected str | null, got int"),
        ({"account": ""}, 'account is "": expected str of length >= 1'),
        ({"modules": "python"}, 'modules is "python": expected array, got str'),
        ({"environment": {"A": 1}}, "environment.A is 1: expected str, got int"),
        (
            {"directives": {"nice": None}},
            "directives.nice is null: expected bool | int | float | str, got null",
        ),
        ({"saveBefore": 70000}, "saveBefore is 70000: expected int <= 65535"),
        ({"checkpointMinutes": 0}, "checkpointMinutes is 0: expected float > 0.0"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(fields: dict[str, Any], message: str) -> None:
    assert refusal(BATCH, **fields) == message


def test_a_file_without_a_scheduler() -> None:
    assert refusal({"schedular": "slurm"}) == (
        "schedular is not a field of a cluster; did you mean 'scheduler'?"
    )
    assert refusal({"time": 5}) == "lacks 'scheduler', which has no default"


# -- fields that do not go together


@pytest.mark.parametrize("scheduler", ["slurm", "pbs", "lsf"])
@pytest.mark.parametrize("field", ["time", "cores"])
def test_what_only_this_machine_can_do_without(scheduler: str, field: str) -> None:
    without = {name: value for name, value in on(scheduler).items() if name != field}
    assert refusal(without) == (
        f"{field} is null: expected a value, which only local can do without, not {scheduler}"
    )


@pytest.mark.parametrize(
    ("field", "value", "known_to"),
    [
        ("account", "def-someuser", {"slurm", "pbs", "lsf"}),
        ("partition", "general", {"slurm", "pbs", "lsf"}),
        ("qos", "high", {"slurm"}),
        ("memPerCpu", "2G", {"slurm", "pbs", "lsf"}),
        ("constraint", "skylake", {"slurm", "pbs", "lsf"}),
        ("arrayParallelism", 10, {"slurm", "pbs", "lsf"}),
        ("mail", {"user": "a@b.org"}, {"slurm", "pbs", "lsf"}),
        ("directives", {"x": True}, {"slurm", "pbs", "lsf"}),
        ("useSrun", False, {"slurm"}),
        ("maxRequeues", 5, {"slurm"}),
        ("maxArraySize", 1000, {"slurm", "pbs", "lsf"}),
        ("maxSubmitJobs", 1000, {"slurm", "pbs", "lsf"}),
    ],
)
def test_a_field_that_the_scheduler_does_not_have(
    field: str, value: Any, known_to: set[str]
) -> None:
    for file in (on("slurm"), on("pbs"), on("lsf"), LOCAL):
        scheduler = file["scheduler"]
        if scheduler in known_to:
            cluster(file, **{field: value})
        else:
            message = refusal(file, **{field: value})
            assert message.startswith(f"{field} is ")
            assert f"scheduler {scheduler} has no such thing; " in message


def test_a_default_written_out_is_accepted_everywhere() -> None:
    cluster(LOCAL, useSrun=True, maxRequeues=20, account=None, directives={})


def test_a_refused_field_comes_with_what_to_write_instead() -> None:
    assert "write it in constraint" in refusal(on("pbs"), gpus=1, gpuType="a100")
    assert "partition chooses the queue" in refusal(on("lsf"), qos="high")
    cluster(on("lsf"), gpus=1, gpuType="TeslaV100_SXM2_32GB")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"nodes": 2}, "nodes is 2: expected 1: runs are independent, so more of them at once are"),
        (
            {"cores": 7, "threadsPerRun": 2},
            "cores is 7: expected a multiple of threadsPerRun, which is 2",
        ),
        ({"runsPerGpu": 2}, "runsPerGpu is 2: expected gpus above 0 with it"),
        ({"gpuType": "a100"}, 'gpuType is "a100": expected gpus above 0 with it'),
        (
            {"cores": 4, "gpus": 2, "runsPerGpu": 2, "threadsPerRun": 2},
            "cores is 4: expected at least 8: gpus x runsPerGpu is 4 runs side by side",
        ),
        (
            {"time": "02:00"},
            "saveBefore is 120: expected fewer seconds than time, which is 120",
        ),
        ({"runTimeout": "3:00:00"}, 'runTimeout is "3:00:00": expected at most time, which is'),
        ({"retry": {"timeCap": "1:00:00"}}, 'retry.timeCap is "1:00:00": expected at least time'),
        (
            {"memPerCpu": "4G", "retry": {"memoryCap": "2G"}},
            'retry.memoryCap is "2G": expected at least memPerCpu, which is "4G"',
        ),
        ({"retry": {"memoryCap": "2G"}}, 'retry.memoryCap is "2G": expected memPerCpu with it'),
        ({"retry": {"memoryFactor": 2}}, "retry.memoryFactor is 2.0: expected memPerCpu with it"),
        ({"containerArguments": ["--nv"]}, 'containerArguments is ["--nv"]: expected container'),
        ({"python": "uv 'run"}, 'python is "uv \'run": expected a command as in a shell (no clos'),
        ({"partition": "a b"}, 'partition is "a b": expected no space in it'),
        ({"account": "a\n#SBATCH --x"}, 'account is "a\\n#SBATCH --x": expected no space in it'),
        ({"container": "a\nb"}, 'container is "a\\nb": expected one line'),
        ({"environment": {"A-B": "1"}}, "environment.A-B is \"1\": 'A-B' is no name of an env"),
        (
            {"mail": {"user": "a@b.org", "type": "END,FIAL"}},
            "mail.type is \"END,FIAL\": 'FIAL' is no event; did you mean 'FAIL'?",
        ),
    ],
)
def test_fields_that_contradict_one_another(fields: dict[str, Any], message: str) -> None:
    assert refusal(BATCH, **fields).startswith(message)


def test_minutes_and_seconds_are_refused_where_the_scheduler_reads_hours() -> None:
    assert refusal(on("lsf"), time="24:00").startswith('time is "24:00": expected "HH:MM:SS"')
    assert cluster(on("pbs"), time="24:00").time_limit == 24 * 60


def test_without_a_time_limit_there_is_none_to_grow() -> None:
    assert refusal(LOCAL, retry={"timeCap": 60}) == "retry.timeCap is 60: expected time with it"
    assert cluster(LOCAL, time="1:00:00", runTimeout=30).time_limit == 3600


@pytest.mark.parametrize(
    ("scheduler", "name", "value", "message"),
    [
        ("slurm", "--nice", 5, "is 5: '--nice' is no name of a directive, which goes without its"),
        ("slurm", "exclusive", False, "is false: expected a value, or true for a directive with"),
        ("slurm", "comment", "a\nb", 'is "a\\nb": expected one line'),
        ("slurm", "time", "1:00:00", 'is "1:00:00": use the field time'),
        ("slurm", "gres", "gpu:1", 'is "gpu:1": use the fields gpus and gpuType'),
        ("slurm", "array", "0-5", 'is "0-5": the program writes it itself'),
        ("slurm", "signal", "USR1@60", 'is "USR1@60": use the field saveBefore'),
        ("pbs", "q", "long", 'is "long": use the field partition'),
        ("lsf", "W", 60, "is 60: use the field time"),
    ],
)
def test_a_directive_that_cannot_be(scheduler: str, name: str, value: Any, message: str) -> None:
    said = refusal(on(scheduler), directives={name: value})
    assert said.startswith(f"directives.{name} {message}")


def test_directives_that_can_be() -> None:
    cluster(on("slurm"), directives={"exclusive": True, "nice": 100, "gres": "lscratch:10"})
    cluster(on("slurm"), directives={"mem": "0"})
    cluster(on("pbs"), directives={"l": "place=excl"})
    cluster(on("lsf"), directives={"R": "order[ut]", "x": True})
    both = refusal(BATCH, memPerCpu="2G", directives={"mem": "0"})
    assert both == 'directives.mem is "0": expected no memPerCpu beside it'


def test_events_that_only_slurm_has() -> None:
    mail = {"user": "a@b.org", "type": "TIME_LIMIT_80,FAIL"}
    cluster(on("slurm"), mail=mail)
    assert "'TIME_LIMIT_80' is no event" in refusal(on("pbs"), mail=mail)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.sampled_from(["slurm", "lsf", "1:00:00", "2G", "END", "a.b"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from([*hyperparameters(Retry), "user", "type", "a.b", "", "time"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=5,
)


@given(
    st.sampled_from([BATCH, on("pbs"), on("lsf"), LOCAL]),
    st.dictionaries(st.sampled_from(sorted(hyperparameters(Cluster))), json_values, max_size=3),
)
def test_any_file_is_used_or_refused_with_a_sentence(
    file: dict[str, Any], fields: dict[str, Any]
) -> None:
    try:
        read = check_cluster(file | fields, "cluster.json")
    except ConfigError as error:
        assert str(error).startswith("cluster.json: ")
        assert "\n" not in str(error)
    else:
        assert read.per_task(2) == 2 * read.slots * read.sequential
        validator = jsonschema.Draft202012Validator(schemas()["cluster.json"])
        assert list(validator.iter_errors(file | fields)) == []
