"""The pool of a job by itself."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from brittle_jobs import processes_with

from experiment.scheduling.events import Ended
from experiment.scheduling.pool import Pool
from experiment.scheduling.stopping import StopSignals

# xdist has a thread of its own, which the processes of a pool do without
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("this_process_is_a_node", "short_grace"),
]


class Shell:
    """Starts a line of shell, with the group as its arguments."""

    tells = True

    def __init__(self, line: str) -> None:
        self.line = line
        self.slots: list[int] = []

    def start(self, group: Any, slot: int, output: int, status: int) -> int:
        self.slots.append(slot)
        process = subprocess.Popen(
            ["bash", "-c", self.line, "bash", *map(str, group)],
            stdout=output,
            stderr=output,
            pass_fds=[status],
            env={"STATUS": str(status)},
        )
        process.returncode = 0
        return process.pid

    def succeeded(self, group: Any) -> None:
        pass


def pooled(
    launcher: Shell, groups: list[list[int]], slots: int, **how: Any
) -> tuple[Pool, list[Ended]]:
    told: list[Ended] = []
    with StopSignals() as signals:
        how = {"ended": told.append, "said": lambda label, line: None} | how
        made = Pool(launcher, groups, slots, signals, **how)
        made.run()
    return made, told


def test_no_more_run_at_once_than_there_are_slots(tmp_path: Path) -> None:
    line = f"cd {tmp_path}; touch $1.runs; a=(*.runs); echo ${{#a[@]}}; sleep 0.05; rm $1.runs"
    most: list[int] = []
    launcher = Shell(line)
    made, told = pooled(
        launcher, [[i] for i in range(12)], 3, said=lambda label, text: most.append(int(text))
    )
    assert made.endings == {"done": 12}
    assert sorted(event.indices[0] for event in told) == list(range(12))
    assert 2 <= max(most) <= 3
    assert set(launcher.slots) == {0, 1, 2}


def test_what_a_process_tells_of_itself_is_heard() -> None:
    told = '{"timestep":40,"total":100,"start":10,"gpu_memory":7}'
    line = f"echo '{told}' >&$STATUS; echo nonsense >&$STATUS"
    changes: list[int] = []
    _, (ended,) = pooled(
        Shell(line), [[4, 5]], 1, changed=lambda child: changes.append(child.last.timestep)
    )
    assert changes == [0, 40]
    assert (ended.timesteps, ended.gpu_memory) == (60, 7)


def test_seconds_of_training_count_from_when_the_slowest_trains() -> None:
    told = '{"timestep":1,"total":10}'
    launcher = Shell(f"sleep 0.$1; echo '{told}' >&$STATUS; exec sleep 20")
    began = time.monotonic()
    made, _ = pooled(launcher, [[0], [6]], 2, training_seconds=0.3, stop_why="enough")
    assert time.monotonic() - began >= 0.6 + 0.3
    assert (made.stopped_by, made.unfinished, made.endings) == ("enough", 2, {"saved": 2})


def test_a_process_that_never_trains_is_left_at_the_end_of_time() -> None:
    told = """'{"timestep":'$1',"total":10,"start":5}'"""
    launcher = Shell(f"echo {told} >&$STATUS; exec sleep 20")
    began = time.monotonic()
    made, _ = pooled(launcher, [[6], [5]], 2, training_seconds=0.0, stop_at=began + 0.5)
    assert time.monotonic() - began >= 0.5
    assert (made.stopped_by, made.unfinished, made.endings) == ("time limit", 2, {"saved": 2})


def test_descendants_that_go_on_do_not_hold_the_job_up() -> None:
    began = time.monotonic()
    made, _ = pooled(Shell("sleep 30 & echo $!"), [[1]], 1)
    assert made.endings == {"done": 1}
    assert time.monotonic() - began < 20


def test_the_pool_leaves_no_descriptor_and_no_process() -> None:
    def mine() -> tuple[list[str], list[int]]:
        descriptors = sorted(path.name for path in Path("/proc/self/fd").iterdir())
        return descriptors, processes_with(1, os.getpid())

    before = mine()
    pooled(Shell("exit $1"), [[i % 4] for i in range(20)], 4)
    assert mine() == before
