"""Short runs share a process, one after another; each is as it would be in one of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from batch_submission import happened, prepare, records
from small_sweep import records_below

from experiment import record
from experiment.scheduling import launchers
from experiment.scheduling.events import Ended
from experiment.scheduling.job import run_task
from experiment.scheduling.submission import Submission

# xdist has a thread of its own, which the processes of a pool do without
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("this_process_is_a_node"),
]

SHORT = {"env_name": "sweep/PendulumContinuous-v1", "total_timesteps": 20, "eval_episodes": 0}


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were started."""
    pids: list[int] = []
    fork = os.fork

    def counted() -> int:
        pid = fork()
        if pid:
            pids.append(pid)
        return pid

    monkeypatch.setattr(os, "fork", counted)
    return pids


def sent_with(folder: Path, hows: list[str], **cluster: Any) -> Submission:
    values = [f"{how}-{index}" for index, how in enumerate(hows)]
    agent = {"agent_name": "brittle", "parameters": {"how": values}}
    tasks = [f"0-{len(hows) - 1}"]
    return prepare(folder, "local", tasks, agent=agent, problem=SHORT, **cluster)


def ended(sent: Submission) -> list[Ended]:
    return [event for event in happened(sent, 0) if isinstance(event, Ended)]


def test_short_runs_share_a_process_and_have_the_records_of_their_own(
    tmp_path: Path, forks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launchers, "_YOUNG_SECONDS", 60.0)
    together = sent_with(tmp_path / "together", ["well"] * 20)
    assert run_task(together, 0).exit_code == 0
    assert len(forks) == 1
    monkeypatch.setattr(launchers, "_YOUNG_SECONDS", 0.0)
    apart = sent_with(tmp_path / "apart", ["well"] * 20)
    assert run_task(apart, 0).exit_code == 0
    assert len(forks) == 21
    assert records(together) == list(range(20))
    assert records_below(tmp_path / "together") == records_below(tmp_path / "apart")
    for sent in (together, apart):
        told = ended(sent)
        assert [event.indices for event in told] == [[index] for index in range(20)]
        assert {event.ended for event in told} == {"done"}
        assert all(event.cpu < 10 and event.memory > 2**20 for event in told)


def test_the_processes_of_a_job_share_one_file_of_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launchers, "_YOUNG_SECONDS", 0.0)
    sent = sent_with(tmp_path, ["well", "well", "raises", "well", "once", "well"], shard=True)
    assert run_task(sent, 0).failed == 1
    (shard,) = (Path(sent.results) / "shards").glob("*.jsonl")
    whole = [record.unseal(line).head.index for line in shard.read_bytes().splitlines(True)]
    assert sorted(whole) == [0, 1, 3, 4, 5]
    assert records(sent) == []
    assert [event.indices for event in ended(sent) if event.ended == "done"] != []


def test_what_runs_print_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launchers, "_YOUNG_SECONDS", 60.0)
    sent = sent_with(tmp_path, ["well"] * 5)
    run_task(sent, 0)
    lines = sent.log_path(0).read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines if "brittle" in line] == [
        f"index {index}: brittle well" for index in range(5)
    ]


def test_a_run_that_ends_its_process_takes_none_with_it(
    tmp_path: Path, forks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launchers, "_YOUNG_SECONDS", 60.0)
    hows = ["well", "well", "raises", "well", "once", "well", "refused", "well"]
    sent = sent_with(tmp_path, hows)
    result = run_task(sent, 0)
    assert (result.failed, result.unfinished) == (2, 0)
    assert records(sent) == [0, 1, 3, 4, 5, 7]
    how_ended = [(event.indices[0], event.ended) for event in ended(sent)]
    assert how_ended[:6] == [
        (0, "done"), (1, "done"), (2, "failed"), (3, "done"), (4, "killed"), (5, "done"),
    ]  # fmt: skip
    assert sorted(how_ended[6:]) == [(4, "done"), (6, "refused"), (7, "done")]
    assert len(forks) == 4  # a new one after each that ended its process
