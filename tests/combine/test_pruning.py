"""combine.py --prune: records go when data.json has been proved to hold them, and never before."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_sweep import RecordedSweep

from experiment import merge_index, pruned
from experiment.errors import StorageError
from experiment.scheduling import missing


def done(sweep: RecordedSweep) -> set[int]:
    return missing.records(sweep.folder()).whole


def test_records_go_and_their_runs_stay(sweep: RecordedSweep) -> None:
    sweep.add(0, 1, 8)
    sweep.shard(2, 7)
    expected = sweep.merged_from_scratch()
    removed = sweep.prune()
    assert (removed.runs, removed.files, removed.kept) == (5, 4, 0)
    assert sweep.files() == set()
    assert done(sweep) == {0, 1, 2, 7, 8}
    assert all(sweep.folder().has(sweep.folder().run(index)) for index in (0, 1, 2, 7, 8))
    assert not sweep.folder().has(sweep.folder().run(3))
    assert sweep.merge().untouched
    assert sweep.data.read_bytes() == expected == sweep.merged_from_scratch()
    assert sweep.prune().runs == 0


INDICES = st.lists(st.integers(0, 13), max_size=4, unique=True)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(INDICES, INDICES, st.booleans(), st.booleans()), max_size=5))
def test_pruning_at_any_time_leaves_no_trace_in_data_json(
    parts: list[tuple[list[int], list[int], bool, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        sweep, kept = RecordedSweep(Path(one)), RecordedSweep(Path(other))
        sweep.add(7)
        kept.add(7)
        for number, (files, lines, prune, forget) in enumerate(parts):
            new = [index for index in lines if index not in done(sweep)]
            sweep.add(*files, rewards=(number,))  # some of them done again
            sweep.shard(*(set(new) - set(files)), rewards=(number,))
            kept.add(*files, *new, rewards=(number,))
            if forget:
                merge_index.path_of(sweep.data).unlink(missing_ok=True)
            if prune:
                sweep.prune()
                assert sweep.files() == set()
            else:
                sweep.merge()
            kept.merge()
            assert sweep.data.read_bytes() == kept.data.read_bytes()
            assert done(sweep) == done(kept)


class _Killed(BaseException):
    pass


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, call: int) -> Iterator[list[str]]:
    """Dies before the `call`-th change on disk."""
    made: list[str] = []

    def dying(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def instead(*arguments: Any, **keywords: Any) -> Any:
            made.append(name)
            if len(made) > call:
                raise _Killed
            return function(*arguments, **keywords)

        return instead

    with monkeypatch.context() as patch:
        for owner, name in (
            (Path, "rename"), (Path, "replace"), (Path, "unlink"), (os, "link"), (os, "fsync"),
        ):  # fmt: skip
            patch.setattr(owner, name, dying(getattr(owner, name), name))
        yield made


def test_killed_anywhere_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    while True:
        sweep = RecordedSweep(tmp_path / str(calls))
        sweep.add(0, 8)
        sweep.prune()
        sweep.add(1, 6)
        sweep.shard(2, 7)
        sweep.add(8, rewards=(3.0,))  # done again
        expected = sweep.merged_from_scratch()
        with killed_at(monkeypatch, calls) as made:
            try:
                sweep.prune()
                whole = True
            except _Killed:
                whole = False
        assert done(sweep) == {0, 1, 2, 6, 7, 8}, made
        for path in (sweep.path / "running").iterdir():
            path.unlink()  # the lock of a process that is dead
        (sweep.path / ".data.json.lock").unlink(missing_ok=True)
        assert sweep.prune() is not None
        assert done(sweep) == {0, 1, 2, 6, 7, 8}
        assert sweep.data.read_bytes() == expected, made
        assert sweep.files() == set()
        if whole:
            break
        calls += 1
    assert calls > 15


def test_what_data_json_does_not_hold_whole_stays(sweep: RecordedSweep) -> None:
    sweep.add(0, 1, 2, 3)
    sweep.record(0).with_suffix(".npz").write_bytes(b"arrays")
    sweep.record(1).write_bytes(sweep.encoded(1)[:-40])
    tree = sweep.encoded(2)
    sweep.record(2).write_bytes(tree[: tree.rindex(b',"seal"')] + b"}\n")  # edited by hand
    path = sweep.shard(4, 5)
    content = bytearray(path.read_bytes())
    content[content.index(b"-2.0") + 1] ^= 1
    path.write_bytes(content)
    removed = sweep.prune()
    # the other one of the shard stays with it, and is not held twice
    assert (removed.runs, removed.files, removed.kept) == (1, 1, 5)
    assert {name for name in sweep.files() if "_data_" in name} == {
        sweep.record(index).name for index in (0, 1, 2)
    }
    (shard,) = (sweep.path / "shards").glob("*.jsonl")
    assert shard.read_bytes() == content


def test_a_run_that_is_done_again_meanwhile_is_not_removed(
    sweep: RecordedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep.add(0, 1)
    write = pruned.write

    def written(*arguments: Any) -> None:
        write(*arguments)
        sweep.add(1, rewards=(9.0, 9.0))

    monkeypatch.setattr(pruned, "write", written)
    sweep.prune()
    assert sweep.files() == {sweep.record(1).name}
    sweep.merge()
    assert b'"train_episode_rewards":[9.0,9.0]' in sweep.data.read_bytes()
    assert set(pruned.read(sweep.path, sweep.manifest)) == {0}


def test_without_its_index_data_json_is_read_through(sweep: RecordedSweep) -> None:
    sweep.add(0, 1, 2)
    sweep.prune()
    before = sweep.data.read_bytes()
    merge_index.path_of(sweep.data).unlink()
    sweep.add(3)
    assert sweep.merge().runs == 4
    sweep.record(3).unlink()
    sweep.merge()
    assert sweep.data.read_bytes() == before


def test_a_data_json_that_is_gone_or_damaged_is_said(
    sweep: RecordedSweep, combine: Callable[..., Result]
) -> None:
    sweep.add(0, 1)
    assert "pruned: 2 records, 2 files removed" in combine(sweep.path, "--prune").output
    content = sweep.data.read_bytes()
    sweep.data.write_bytes(content.replace(b"-2.0", b"-9.0"))
    result = combine(sweep.path)
    assert result.exit_code == 1
    assert "the run of index 0 is damaged" in result.stderr
    sweep.data.unlink()
    for ask in (lambda: sweep.merge(), lambda: done(sweep)):
        with pytest.raises(StorageError, match=r"data\.json: gone, and only there were 2 runs"):
            ask()
    sweep.data.write_bytes(content)
    sweep.add(2)
    sweep.merge()
    assert sorted(sweep.indices()) == [0, 1, 2]


def test_merging_that_began_before_does_not_write_after(sweep: RecordedSweep) -> None:
    from experiment.merge import merge

    sweep.add(0, 1)
    once = iter([True])

    def show(count: int, total: int) -> None:
        if next(once, False):
            sweep.prune()

    with pytest.raises(StorageError, match="pruned meanwhile"):
        merge(sweep.path, None, show)
    assert sorted(sweep.indices()) == [0, 1]
