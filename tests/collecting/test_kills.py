"""Whoever is killed, and whenever: in the end there are just the rollouts that were asked for."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from folders_to_fill import Heard, new_folder

from agents.collecting import collect, describe_policy
from agents.collecting.collection import Collection
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.rollouts.verifying import verify

ROOT = Path(__file__).parents[2]
SLOW = describe_policy("folders_to_fill:slow")
PROGRAM = Path(__file__).with_name("folders_to_fill.py")


def start(folder: Path, workers: int) -> subprocess.Popen[bytes]:
    """The program that fills it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), str(workers)], env=environment
    )


def players(program: int) -> list[int]:
    """The processes of a program that play."""
    found = []
    for task in Path(f"/proc/{program}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            with contextlib.suppress(OSError):
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(child)
    return found


def kill_again_and_again(folder: RolloutFolder, workers: int, kills: str, seed: int) -> None:
    """A letter of `kills` is a kill: of the program, or of a process of its that plays."""
    rng = np.random.default_rng(seed)
    program = start(folder.path, workers)
    for victim in kills:
        deadline = time.monotonic() + 60
        while len(players(program.pid)) < workers and time.monotonic() < deadline:
            assert program.poll() is None, "all was collected before it could be killed"
            time.sleep(0.02)
        time.sleep(rng.uniform(0.1, 0.6))
        if victim == "p":
            program.kill()
            program.wait()
            program = start(folder.path, workers)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(rng.choice(players(program.pid))), signal.SIGKILL)
    assert program.wait(120) == 0


def check(folder: RolloutFolder, reference: Rollouts) -> None:
    """All rollouts are there, sound and the same as those of `reference`, and none twice."""
    assert folder.missing() == []
    assert verify(folder, "decode").is_good
    held = collections.Counter(
        number for _, contents in folder.good_shards() for number in contents.numbers
    )
    assert sorted(held) == [*range(folder.spec.rollouts)]
    assert set(held.values()) == {1}
    assert Rollouts(folder.path).content_hash == reference.content_hash


def filled(path: Path, rollouts: int) -> Rollouts:
    """As one process collects them that nobody disturbs, nor slows down."""
    folder = new_folder(path, rollouts)
    collect(folder.spec, folder, workers=0)
    return Rollouts(path)


def test_killed_programs_and_players_lose_and_repeat_nothing(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "killed", 400, SLOW)
    kill_again_and_again(folder, 2, "wpw", seed=0)
    check(folder, filled(tmp_path / "calm", 400))


@pytest.mark.slow
def test_nor_do_four_players_killed_ten_times(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "killed", 2500, SLOW)
    kill_again_and_again(folder, 4, "wwpwpwwpwp", seed=1)
    check(folder, filled(tmp_path / "calm", 2500))


def test_two_programs_share_a_folder(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "shared", 200, SLOW)
    other = start(folder.path, 1)
    heard = Heard()
    ended: Collection = collect(folder.spec, folder, workers=0, progress=heard, shard_seconds=0.3)
    assert ended.complete
    assert other.wait(60) == 0
    check(folder, filled(tmp_path / "alone", 200))
