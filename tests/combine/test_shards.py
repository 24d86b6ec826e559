"""Records in shards: as good as files of their own, whatever happened to the file they share."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_sweep import RecordedSweep

from experiment import record
from experiment.errors import StorageError
from experiment.scheduling import missing
from experiment.shard_writer import ShardWriter, take_out_of_use, without_lines
from experiment.shards import Shards

INDICES = st.lists(st.integers(0, 25), max_size=5, unique=True)


def done(sweep: RecordedSweep) -> set[int]:
    return missing.records(sweep.folder()).whole


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(INDICES, INDICES), min_size=1, max_size=4))
def test_where_records_lie_leaves_no_trace_in_data_json(
    parts: list[tuple[list[int], list[int]]],
) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        sweep, in_files = RecordedSweep(Path(one)), RecordedSweep(Path(other))
        sweep.shard(7)
        in_files.add(7)
        for shard, files in parts:
            sweep.shard(*shard)
            sweep.add(*files)
            in_files.add(*shard, *files)
            sweep.merge()
            in_files.merge()
            assert sweep.data.read_bytes() == in_files.data.read_bytes()
            assert done(sweep) == done(in_files)
        assert sweep.merge().untouched


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_file_cut_anywhere_holds_the_records_before_and_those_appended_after(
    data: st.DataObject,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sweep = RecordedSweep(Path(folder))
        lines = [sweep.encoded(index, rewards=range(index * 30)) for index in range(4)]
        path = sweep.shard(0, 1, 2, 3, rewards=())
        path.write_bytes(b"".join(lines))
        cut = data.draw(st.integers(1, len(b"".join(lines)) - 1))
        os.truncate(path, cut)
        ends = [sum(map(len, lines[: i + 1])) for i in range(4)]
        assert done(sweep) == {i for i in range(4) if ends[i] <= cut}
        # the next one ends a line that lacked no more than its line break
        whole = {i for i in range(4) if ends[i] - 1 <= cut}
        writer = ShardWriter(sweep.path)
        writer.path = path  # goes on where another process was killed
        writer.append(sweep.encoded(9))
        assert done(sweep) == whole | {9}
        merged = sweep.merge()
        assert (sorted(sweep.indices()), merged.set_aside) == (sorted(whole | {9}), [])


def test_only_growth_is_read(sweep: RecordedSweep, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sweep.shard(0, 1, 2)
    other = sweep.shard(3)
    shards = Shards(sweep.path, sweep.manifest)
    shards.look()
    writer = ShardWriter(sweep.path)
    writer.path = path
    writer.append(sweep.encoded(4))
    read: list[int] = []
    pread = os.pread

    def noted(file: int, count: int, start: int) -> bytes:
        read.append(start)
        return pread(file, count, start)

    monkeypatch.setattr(os, "pread", noted)
    shards.look()
    assert set(shards.at_home()) == {0, 1, 2, 3, 4}
    assert read
    assert min(read) >= sum(len(sweep.encoded(index)) for index in range(3))
    read.clear()
    shards.look()
    assert read == []
    other.unlink()
    shards.look()
    assert set(shards.at_home()) == {0, 1, 2, 4}


def test_the_cache_says_the_same_and_a_damaged_one_costs_time_only(sweep: RecordedSweep) -> None:
    sweep.shard(*range(300))
    first = Shards(sweep.path, sweep.manifest)
    first.look()
    cache = sweep.path / "shards" / ".index"
    assert cache.exists()
    for damage in (False, True):
        if damage:
            cache.write_bytes(cache.read_bytes()[:-3])
        again = Shards(sweep.path, sweep.manifest)
        again.look()
        assert list(again) == list(first)
    edited = RecordedSweep(sweep.path, gamma=0.5)
    of_other_problem = Shards(edited.path, edited.manifest)
    of_other_problem.look()
    assert of_other_problem.at_home() == {}
    assert len(of_other_problem.orphans()) == 300


def test_a_damaged_line_is_reported_and_another_copy_counts(sweep: RecordedSweep) -> None:
    path = sweep.shard(0, 1)
    content = bytearray(path.read_bytes())
    content[content.index(b"-2.0") + 1] ^= 1
    path.write_bytes(content)
    merged = sweep.merge()
    (bad,) = merged.set_aside
    assert bad.file == f"shards/{path.name}, byte 0"
    assert "checksum" in bad.reason
    assert sweep.indices() == [1]
    said: list[str] = []
    folder = sweep.folder()
    assert folder.finished(folder.run(0), said.append) is None
    assert "checksum" in said[0]
    sweep.add(0)
    sweep.merge()
    assert sweep.indices() == [0, 1]
    assert sweep.folder().has(folder.run(0))


def test_two_copies_of_a_run_count_once(sweep: RecordedSweep) -> None:
    sweep.shard(0, 1, 7)
    sweep.shard(1, 7, name="another")
    sweep.add(7)
    assert sweep.merge().runs == 3
    assert sweep.indices() == [0, 1, 7]


def test_a_file_counts_before_a_line(sweep: RecordedSweep) -> None:
    sweep.shard(0, 1, rewards=(1.0,))
    sweep.merge()
    sweep.add(0, rewards=(2.0,))  # done again
    assert sweep.merge().new == 1
    assert b'"train_episode_rewards":[2.0]' in sweep.data.read_bytes()
    sweep.record(0).unlink()
    sweep.merge()
    assert b'"train_episode_rewards":[2.0]' not in sweep.data.read_bytes()


def test_writers_in_turns_mix_no_lines(sweep: RecordedSweep) -> None:
    writer = ShardWriter(sweep.path)
    writer.share()
    children = []
    for child in range(4):
        pid = os.fork()
        if pid == 0:
            for index in range(child, 60, 4):
                writer.append(sweep.encoded(index, rewards=range(index * 10)))
            os._exit(0)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert done(sweep) == set(range(60))
    assert len(sweep.files()) == 1
    for line in writer.path.read_bytes().splitlines(keepends=True):
        record.unseal(line)


def test_nothing_is_lost_when_a_shard_is_taken_from_its_writer(sweep: RecordedSweep) -> None:
    writer = ShardWriter(sweep.path)
    over = threading.Event()

    def take() -> None:
        while not over.is_set():
            if writer.path.exists():
                without_lines(writer.path, [])

    thread = threading.Thread(target=take)
    thread.start()
    for index in range(150):
        writer.append(sweep.encoded(index))
    over.set()
    thread.join()
    assert done(sweep) == set(range(150))


def test_lines_are_taken_out_and_the_file_goes_with_the_last(sweep: RecordedSweep) -> None:
    path = sweep.shard(0, 1, 2)
    ends = [sum(len(sweep.encoded(i)) for i in range(n)) for n in range(4)]
    without_lines(path, [(ends[1], ends[2])])
    assert done(sweep) == {0, 2}
    (left,) = (sweep.path / "shards").glob("*.jsonl")
    assert take_out_of_use(left) == left
    without_lines(left, [(0, ends[1]), (ends[1], left.stat().st_size)])
    assert done(sweep) == set()
    assert sweep.files() == set()


def test_a_full_disk_leaves_the_records_before(
    sweep: RecordedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = ShardWriter(sweep.path)
    writer.append(sweep.encoded(0))
    write = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) > 100:
            return write(file, bytes(data)[:100])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(StorageError, match="No space left"):
        patch.setattr(os, "write", full)
        writer.append(sweep.encoded(1))
    writer.append(sweep.encoded(2))
    assert done(sweep) == {0, 2}
    assert len(writer.path.read_bytes().splitlines()) == 2
