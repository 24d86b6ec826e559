"""Any number of processes write into one folder; what dies leaves nothing that counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rollout_cases import a_folder, a_rollout, a_spec, same

from agents.rollouts import files
from agents.rollouts.errors import FolderRefused
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.rollouts.rollout import Rollout
from agents.rollouts.verifying import verify

ROOT = Path(__file__).resolve().parents[2]
BEGINNING = f"""
import os, sys
sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]
from rollout_cases import a_rollout
from agents.rollouts.folder import RolloutFolder
folder = RolloutFolder(sys.argv[1])
"""
#: Writes the rollouts that it is told, one shard each.
WRITER = f"""{BEGINNING}
for number in map(int, sys.argv[2].split(",")):
    folder.write_shard([number], [a_rollout(number)])
"""
#: Writes a shard of many rollouts, and says when it has begun.
SLOW_WRITER = f"""{BEGINNING}
def rollouts():
    for count in range(10**9):
        yield a_rollout(0, 2000)
        if count == 1:
            print("begun", flush=True)
folder.write_shard(range(10**9), rollouts())
"""


def _start(program: str, folder: RolloutFolder, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, str(folder.path), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _hidden(folder: RolloutFolder) -> list[Path]:
    return list(folder.path.glob(".*"))


def test_two_processes_write_at_once_and_every_rollout_counts_once(tmp_path: Path) -> None:
    folder = RolloutFolder.create(tmp_path, a_spec(9))
    writers = [_start(WRITER, folder, "0,1,2,3,4,5"), _start(WRITER, folder, "8,7,6,5,4,3")]
    for writer in writers:
        _, errors = writer.communicate()
        assert writer.returncode == 0, errors
    assert len(folder.shards()) == 12
    assert list(folder.missing()) == []
    data = Rollouts(folder.path)
    assert data.numbers.tolist() == list(range(9))
    for number, read in enumerate(data):
        assert same(read, a_rollout(number))
    report = verify(folder)
    assert report.is_good and report.rollouts == 9 and report.steps == data.lengths.sum()


def test_a_kill_in_the_middle_of_a_write_leaves_nothing_that_counts(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, 4, 2)
    writer = _start(SLOW_WRITER, folder)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "begun\n"
    (living,) = _hidden(folder)
    assert folder.clear_leftovers() == 0  # its writer lives
    assert living.exists()
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert len(folder.shards()) == 2 and verify(folder).is_good
    assert len(Rollouts(folder.path)) == 4
    assert folder.clear_leftovers() == 1
    assert _hidden(folder) == []


@pytest.mark.parametrize("moment", range(4))
def test_a_kill_at_any_moment_of_completing_leaves_a_shard_or_none(
    moment: int, tmp_path: Path
) -> None:
    """Dies at the n-th rename or sync of a file."""
    folder = RolloutFolder.create(tmp_path, a_spec(1))
    dying = f"""{BEGINNING}
left = {moment}
def dying(real):
    def call(*arguments):
        global left
        if left == 0:
            os.kill(os.getpid(), 9)
        left -= 1
        return real(*arguments)
    return call
os.rename, os.replace, os.fsync = map(dying, (os.rename, os.replace, os.fsync))
import pathlib
pathlib.Path.replace = dying(pathlib.Path.replace)
folder.write_shard([0], [a_rollout(0)])
"""
    writer = _start(dying, folder)
    writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    assert list(folder.missing()) == [0]
    folder.clear_leftovers()
    assert _hidden(folder) == []
    folder.write_shard([0], [a_rollout(0)])
    assert verify(folder).is_good
    assert len(Rollouts(folder.path)) == 1


def test_a_side_file_that_waits_for_no_shard_is_cleared_after_a_minute(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, 2)
    (shard,) = folder.shards()
    side = tmp_path / "rollouts-00.json"
    side.write_bytes(shard.with_suffix(".json").read_bytes())
    assert folder.clear_leftovers() == 0
    os.utime(side, (0, time.time() - 100))
    assert folder.clear_leftovers() == 1
    assert verify(folder).is_good


def test_the_file_of_another_host_is_left_until_it_is_old(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, 2)
    other = tmp_path / ".rollouts-00.h5.elsewhere.ab.tmp"
    other.write_bytes(b"")
    assert folder.clear_leftovers() == 0
    os.utime(other, (0, time.time() - files.STALE_SECONDS - 10))
    assert folder.clear_leftovers() == 1


def test_an_exception_while_collecting_keeps_the_whole_rollouts(tmp_path: Path) -> None:
    folder = RolloutFolder.create(tmp_path, a_spec(3))
    with pytest.raises(KeyboardInterrupt), folder.writer() as writer:
        writer.add(0, a_rollout(0))
        writer.add(2, a_rollout(2))
        assert writer.pending == (0, 2)
        raise KeyboardInterrupt
    assert list(folder.missing()) == [1]
    assert _hidden(folder) == []


def test_a_new_shard_begins_when_one_is_large_enough(tmp_path: Path) -> None:
    folder = RolloutFolder.create(tmp_path, a_spec(12))
    with folder.writer(shard_bytes=100_000) as writer:
        closed = [writer.add(number, a_rollout(number, 60)) for number in range(12)]
    full = [path for path in closed if path is not None]
    assert len(full) >= 2
    # each rollout takes about 40,000; a few chunks more may be waiting to be written
    assert all(100_000 <= path.stat().st_size < 200_000 for path in full)
    assert set(full) <= set(folder.shards()) and verify(folder).is_good


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no small disk can be made: {error}")
    if done.returncode != 0:
        pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_an_error_and_what_was_written_stays(small_disk: Path) -> None:
    folder = RolloutFolder.create(small_disk / "folder", a_spec(100))
    with pytest.raises(OSError, match="cannot be written: No space left on device"):
        for number in range(100):
            folder.write_shard([number], [a_rollout(number, 300)])
    kept = len(folder.shards())
    assert 2 < kept < 100 and _hidden(folder) == []
    assert list(folder.missing()) == list(range(kept, 100))
    assert len(Rollouts(folder.path)) == kept


#: In a process whose files may not grow beyond a size, writes rollouts until one is refused.
LIMITED = f"""{BEGINNING}
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
with folder.writer() as writer:
    try:
        for number in range(100):
            writer.add(number, a_rollout(number, 100))
    except OSError as error:
        print(error)
    writer.add(0, a_rollout(0))
"""


def test_a_file_that_may_not_grow_is_an_error_and_the_next_shard_is_whole(tmp_path: Path) -> None:
    folder = RolloutFolder.create(tmp_path, a_spec(100))
    writer = _start(LIMITED, folder)
    told, errors = writer.communicate()
    assert writer.returncode == 0, errors
    assert "cannot be written: File too large" in told
    assert len(folder.missing()) == 99 and _hidden(folder) == []
    assert same(Rollouts(tmp_path).rollout(0), a_rollout(0))


def test_a_folder_of_other_rollouts_is_refused(tmp_path: Path) -> None:
    RolloutFolder.create(tmp_path, a_spec(4, seed=1))
    with pytest.raises(FolderRefused, match="holds other rollouts: seed is 1, not 2; use another"):
        RolloutFolder.create(tmp_path, a_spec(4, seed=2))
    with pytest.raises(FolderRefused, match="holds rollouts already"):
        RolloutFolder.create(tmp_path, a_spec(4, seed=1), exist_ok=False)


def test_more_rollouts_may_be_wanted_later_and_not_fewer(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, 4)
    assert list(RolloutFolder.create(tmp_path, a_spec(6)).missing()) == [4, 5]
    assert folder.spec.rollouts == 4
    with pytest.raises(FolderRefused, match="is for 6 rollouts, not for 4"):
        RolloutFolder.create(tmp_path, a_spec(4))


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"schema": 1, "checksum": "0"}'])
def test_a_damaged_description_is_refused(damage: bytes, tmp_path: Path) -> None:
    a_folder(tmp_path, 2)
    (tmp_path / "folder.json").write_bytes(damage)
    with pytest.raises(FolderRefused, match=r"folder\.json is damaged"):
        RolloutFolder(tmp_path)


def test_a_child_process_reads_what_its_parent_had_open(tmp_path: Path) -> None:
    data = Rollouts(a_folder(tmp_path).path)
    expected = data.sample_observations(np.random.default_rng(3), 20, per_rollout=5)
    child = os.fork()
    if child == 0:
        drawn = data.sample_observations(np.random.default_rng(3), 20, per_rollout=5)
        os._exit(int(drawn.tobytes() != expected.tobytes()))
    assert all(isinstance(read, Rollout) for read in data)
    assert os.waitpid(child, 0)[1] == 0
