"""`schedule.py ... --pilot`: a few ordinary runs, and what the others should ask for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from experiment.scheduling import events, pilot, submission
from experiment.scheduling.cluster import check_cluster
from experiment.scheduling.events import PILOT_OVER, Ended, Left
from experiment.scheduling.sweep import open_sweep

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT: dict[str, Any] = {
    "env_name": "sweep/GridWorld-v1",
    "total_timesteps": 2000,
    "steps_per_episode": 100,
    "eval_interval_timesteps": 1000,
    "eval_episodes": 1,
    "continuous": False,
}
#: Two settings; a run of a billion timesteps takes hours.
AGENT = {"agent_name": "ESarsa", "parameters": {"lr": [0.1, 0.2]}}
LONG = {"total_timesteps": 1_000_000_000}
LOCAL = {"scheduler": "local", "cores": 2}


class Call:
    """schedule.py in a folder, its files written."""

    def __init__(self, folder: Path, **environment: Any) -> None:
        self.folder = folder
        self.write("cluster.json", LOCAL)
        self.write("environment.json", ENVIRONMENT | environment)
        self.write("agent.json", AGENT)

    def write(self, name: str, content: Any) -> None:
        (self.folder / name).write_text(json.dumps(content))

    def __call__(self, *options: object) -> subprocess.CompletedProcess[str]:
        command = [
            *(sys.executable, ROOT / "schedule.py", self.folder / "cluster.json"),
            *(ROOT / "main.py", self.folder, self.folder / "environment.json", "sweep"),
            *(self.folder / "agent.json", "--runs", 3, "--yes", *options),
        ]
        return subprocess.run(
            [str(word) for word in command],
            env={**os.environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def results(self) -> Path:
        (path,) = (self.folder / "results" / "sweep").iterdir()
        return path

    def records(self) -> list[str]:
        return sorted(path.name.rpartition("_")[2] for path in self.results.glob("*_data_*.json"))

    def endings(self) -> list[str]:
        (sent,) = submission.all_of(self.results)
        told = events.read(sent.events_path(0))
        return [event.ended for event in told if isinstance(event, Ended)]


def proposed(output: str) -> dict[str, Any]:
    """The lines for the cluster file at the end of what was printed."""
    lines = re.findall(r'^  "\w+": .*$', output, re.MULTILINE)
    content: dict[str, Any] = json.loads("{" + "".join(lines).rstrip(",") + "}")
    return content


# -- short runs


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> tuple[Call, str]:
    """After a pilot whose runs are over in no time."""
    call = Call(tmp_path_factory.mktemp("short"))
    done = call("--pilot")
    assert done.returncode == 0, done.stderr
    return call, done.stdout


def test_two_runs_are_trained_and_their_records_count(short: tuple[Call, str]) -> None:
    call, _ = short
    assert call.records() == ["0.json", "1.json"]
    assert "6 runs, 2 done" in call("--status").stdout


def test_the_rest_is_sized_in_plain_words(short: tuple[Call, str]) -> None:
    _, said = short
    assert "pilot, 10 minutes of training:" in said
    assert "the next request, for the 4 missing runs" in said
    assert re.search(r"time: 0:00:\d\d for a run at .* steps/s \(2 measured\)", said)
    assert re.search(r"cores: a run keeps \d\.\d\d of 1 busy", said)
    assert re.search(r"memory: [\d,]+ MiB at most; 2 side by side", said)
    assert proposed(said) == {"cores": 2}


def test_usage_tells_what_was_used(short: tuple[Call, str]) -> None:
    call, _ = short
    said = call("--usage").stdout
    assert "time of a run" in said and "core-hours:" in said
    assert proposed(said) == {"cores": 2}


# -- long runs


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[Call, str]:
    """After a pilot of six seconds."""
    call = Call(tmp_path_factory.mktemp("long"), **LONG)
    done = call("--pilot", "1", "--pilot-minutes", "0.1")
    assert done.returncode == 0, done.stderr
    return call, done.stdout


def test_a_long_run_is_saved_when_the_minutes_are_over(long: tuple[Call, str]) -> None:
    call, _ = long
    (sent,) = submission.all_of(call.results)
    (left,) = (one for one in events.read(sent.events_path(0)) if isinstance(one, Left))
    assert (left.why, left.unfinished) == (PILOT_OVER, 1)
    assert left.memory > 2**20
    assert call.endings() == ["saved"]
    assert call.records() == []
    assert list(call.results.glob("running/*"))  # its checkpoint


def test_it_is_told_by_its_speed_how_long_it_would_take(long: tuple[Call, str]) -> None:
    call, said = long
    (sent,) = submission.all_of(call.results)
    (event,) = (one for one in events.read(sent.events_path(0)) if isinstance(one, Ended))
    assert 0 < event.timesteps < LONG["total_timesteps"]
    hours = event.wall * LONG["total_timesteps"] / event.timesteps / 3600
    assert "(1 measured, 0 of them to the end)" in said
    about = re.search(r"about ([\d.,]+) core-hours", said)
    assert about and float(about[1].replace(",", "")) == pytest.approx(6 * hours, rel=0.1)


def test_a_pilot_counts_as_no_failure(long: tuple[Call, str]) -> None:
    call, _ = long
    assert "0 failed, 6 missing" in call("--status").stdout


def test_usage_tells_the_same_of_it(long: tuple[Call, str]) -> None:
    call, said = long
    used = call("--usage", "--job-hours", "1").stdout
    assert proposed(used) == proposed(said)
    assert "1 job, 0 requeues" in used


# -- what is only said, refused, or not there


def test_a_dry_run_says_what_the_pilot_would_be(tmp_path: Path) -> None:
    done = Call(tmp_path)("--pilot", "1", "--dry-run")
    assert "trains 1 run here" in done.stdout
    assert ": 1 x 1 cores; the first takes 0" in done.stdout
    assert not (tmp_path / "results").exists()


def test_a_pilot_is_not_all_that_can_be_asked_for_at_once(tmp_path: Path) -> None:
    done = Call(tmp_path)("--pilot", "--usage")
    assert done.returncode == 2
    assert done.stderr == "error: --usage and --pilot exclude one another\n"


def test_usage_without_a_job_has_nothing_to_tell(tmp_path: Path) -> None:
    done = Call(tmp_path)("--usage")
    assert (done.returncode, "no job has run" in done.stdout) == (1, True)


def test_a_pilot_that_fails_says_why(tmp_path: Path) -> None:
    call = Call(tmp_path, env_name="sweep/GridWorld-v1", kwargs={"rows": 0})
    done = call("--pilot")
    assert done.returncode == 1
    assert "no run got far enough" in done.stdout


# -- which runs, and in what job


def chosen(folder: Path, agent: dict[str, Any], count: int, batch: int = 1) -> Sequence[int]:
    """What a pilot of a sweep takes first."""
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT))
    (folder / "agent.json").write_text(json.dumps(agent))
    files = folder / "environment.json", folder / "agent.json"
    sweep = open_sweep(*files, None, range(8), 1, 0)
    sweep.look({}, {}, attempts=3, retry_failed=False)
    return pilot.choose(sweep, count, batch)


def test_the_largest_networks_are_tried_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sizes = {"hidden_dim": [8, 64], "batch_size": [4, 32], "critic_lr": [0.1, 0.2]}
    # critic_lr varies slowest: 3 and 7 are 64 and 32, 1 is 64 and 4, 2 is 8 and 32
    agent = {"agent_name": "DQN", "parameters": {**sizes}}
    assert chosen(tmp_path, agent, 2) == [3, 1]
    assert chosen(tmp_path, agent, 5) == [3, 1, 2, 0, 7]
    assert chosen(tmp_path, agent, 1, batch=2) == [3, 7]


def test_where_all_are_alike_the_first_missing_are_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert chosen(tmp_path, AGENT, 2) == [0, 1]
    assert chosen(tmp_path, AGENT, 99) == list(range(8))


def test_a_pilot_is_a_small_job_of_the_same_kind() -> None:
    file = {"scheduler": "slurm", "time": 60, "cores": 16, "sequential": 9, "threadsPerRun": 2}
    small = pilot.small(check_cluster(file, "x"), 2)
    assert (small.cores, small.slots, small.sequential, small.time) == (4, 2, 1, 60)
    assert pilot.small(check_cluster(file | {"cores": 2}, "x"), 2).slots == 1


def test_a_pilot_on_a_gpu_shares_it_and_has_its_part_of_the_cores() -> None:
    file = {"scheduler": "slurm", "time": 60, "cores": 16, "gpus": 4}
    small = pilot.small(check_cluster(file, "x"), 2)
    assert (small.gpus, small.runs_per_gpu, small.cores) == (1, 2, 4)
    assert pilot.small(check_cluster(file, "x"), 8).cores == 8
