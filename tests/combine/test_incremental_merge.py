"""Merging again: only what is new is read, and the bytes are those of merging from scratch."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_sweep import RecordedSweep

from experiment import merge_index
from experiment.errors import StorageError
from experiment.merge import merge
from experiment.merge_folder import RecordFiles

INDICES = st.lists(st.integers(0, 25), max_size=6)


@settings(max_examples=30, deadline=None)
@given(st.lists(INDICES, min_size=1, max_size=5))
def test_any_partition_into_calls_gives_the_bytes_of_one_call(parts: list[list[int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sweep = RecordedSweep(Path(folder))
        sweep.add(7)
        for part in parts:
            sweep.add(*part)
            sweep.merge()
        assert sweep.data.read_bytes() == sweep.merged_from_scratch()


def _add(sweep: RecordedSweep, index: int) -> None:
    sweep.add(index)


def _diverge(sweep: RecordedSweep, index: int) -> None:
    sweep.add(index, status="diverged")


def _lengthen(sweep: RecordedSweep, index: int) -> None:
    sweep.add(index, rewards=range(index + 3))


def _edit_in_place(sweep: RecordedSweep, index: int) -> None:
    """Same size, and the time of the last change set back."""
    if sweep.record(index).exists():
        lies = sweep.record(index).stat()
        sweep.record(index).write_bytes(sweep.encoded(index, note='Grüße, "QUOTED" \\ }]}'))
        os.utime(sweep.record(index), ns=(lies.st_atime_ns, lies.st_mtime_ns))


def _touch(sweep: RecordedSweep, index: int) -> None:
    if sweep.record(index).exists():
        os.utime(sweep.record(index))


def _remove(sweep: RecordedSweep, index: int) -> None:
    if index != 7:  # some record is left always
        sweep.record(index).unlink(missing_ok=True)


def _truncate(sweep: RecordedSweep, index: int) -> None:
    sweep.record(index).write_bytes(sweep.encoded(index)[:-20])


EDITS = st.sampled_from([_add, _diverge, _lengthen, _edit_in_place, _touch, _remove, _truncate])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(EDITS, st.integers(0, 13)), max_size=4), max_size=5))
def test_any_edits_between_calls_are_seen(
    rounds: list[list[tuple[Callable[[RecordedSweep, int], None], int]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sweep = RecordedSweep(Path(folder))
        sweep.add(7, 0, 1, 6)
        for edits in rounds:
            sweep.merge()
            for edit, index in edits:
                edit(sweep, index)
        merged = sweep.merge()
        assert sweep.data.read_bytes() == sweep.merged_from_scratch()
        text = sweep.data.read_bytes()
        assert merged.runs == text.count(b'{"run_number"')
        assert merged.diverged == text.count(b'"status":"diverged"')
        assert merged.settings == text.count(b'"agent_params"')


def test_only_new_records_are_opened(sweep: RecordedSweep, monkeypatch: Any) -> None:
    sweep.add(0, 1, 7)
    sweep.merge()
    sweep.add(13, 2)
    opened: list[int] = []
    read = RecordFiles.read

    def noted(files: RecordFiles, index: int, room: Any) -> Any:
        opened.append(index)
        return read(files, index, room)

    monkeypatch.setattr(RecordFiles, "read", noted)
    assert sweep.merge().new == 2
    assert opened == [13, 2]


def test_nothing_new_leaves_the_file_untouched(sweep: RecordedSweep) -> None:
    sweep.add(0, 1)
    sweep.merge()
    before = sweep.data.stat()
    merged = sweep.merge()
    assert (merged.untouched, merged.new, merged.runs, merged.settings) == (True, 0, 2, 2)
    assert merged.size == before.st_size
    after = sweep.data.stat()
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)


def test_a_bad_record_that_stays_does_not_make_it_write_again(sweep: RecordedSweep) -> None:
    sweep.add(0, 1)
    sweep.record(7).write_bytes(b"{}")
    sweep.merge()
    merged = sweep.merge()
    assert merged.untouched
    assert len(merged.set_aside) == 1


def _delete(index: Path) -> None:
    index.unlink()


def _cut(index: Path) -> None:
    index.write_bytes(index.read_bytes()[:-9])


def _flip(index: Path) -> None:
    content = bytearray(index.read_bytes())
    content[-30] ^= 1
    index.write_bytes(content)


def _garble(index: Path) -> None:
    index.write_bytes(b'[1, 2]\n{"records": "many"}')


@pytest.mark.parametrize("damage", [_delete, _cut, _flip, _garble])
def test_a_damaged_index_only_costs_time(
    sweep: RecordedSweep, damage: Callable[[Path], None]
) -> None:
    sweep.add(0, 1, 7)
    sweep.merge()
    damage(merge_index.path_of(sweep.data))
    sweep.add(2)
    assert sweep.merge().new == 4
    assert sweep.data.read_bytes() == sweep.merged_from_scratch()


def test_an_index_of_another_data_file_is_not_believed(sweep: RecordedSweep) -> None:
    sweep.add(0, 1, 7)
    sweep.merge()
    content = sweep.data.read_bytes()
    sweep.data.write_bytes(content.replace(b"-2.0", b"-9.0"))
    sweep.add(2)
    assert sweep.merge().new == 4
    assert b"-9.0" not in sweep.data.read_bytes()


def test_killed_between_the_file_and_its_index_it_reads_all_again(
    sweep: RecordedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep.add(0, 1)
    sweep.merge()
    sweep.add(7)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(merge_index, "save", _interrupted)
        sweep.merge()
    assert sweep.merge().new == 3
    assert sweep.data.read_bytes() == sweep.merged_from_scratch()


def _interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


def test_another_configuration_is_another_file(sweep: RecordedSweep) -> None:
    sweep.add(0, 1)
    sweep.merge()
    other = RecordedSweep(sweep.path, gamma=0.5)  # writes the manifest anew
    other.add(0)
    merged = other.merge()
    assert merged.new == 1
    assert [one.file for one in merged.set_aside] == [other.record(1).name]


def test_a_configuration_edited_meanwhile_stops_it(sweep: RecordedSweep) -> None:
    sweep.add(0)
    sweep.merge()
    before = sweep.data.read_bytes()
    sweep.add(1)

    def edit(done: int, total: int) -> None:
        RecordedSweep(sweep.path, gamma=0.5)

    with pytest.raises(StorageError, match="edited meanwhile"):
        merge(sweep.path, None, edit)
    assert sweep.data.read_bytes() == before
    assert not list(sweep.path.glob("*.tmp"))


def test_a_record_that_goes_while_it_is_wanted_is_not_missed(sweep: RecordedSweep) -> None:
    sweep.add(0, 1)
    merged = merge(sweep.path, None, lambda done, total: sweep.record(1).unlink(missing_ok=True))
    assert (merged.runs, merged.set_aside) == (1, [])


def _no_kernel_copy(*_: int) -> int:
    raise OSError(errno.EXDEV, "cross-device link")


def _nothing_copied(*_: int) -> int:
    return 0


@pytest.mark.parametrize("copy", [_no_kernel_copy, _nothing_copied])
def test_it_copies_by_itself_where_the_kernel_cannot(
    sweep: RecordedSweep, monkeypatch: pytest.MonkeyPatch, copy: Callable[..., int]
) -> None:
    monkeypatch.setattr(os, "copy_file_range", copy)
    sweep.add(0, 1, 7, 5, rewards=range(200_000))
    sweep.merge()
    sweep.add(2)
    assert sweep.merge().new == 1
    assert sweep.data.read_bytes() == sweep.merged_from_scratch()


def test_short_writes_are_completed(sweep: RecordedSweep, monkeypatch: pytest.MonkeyPatch) -> None:
    def at_most(target: int, pieces: Sequence[Any]) -> int:
        return os.write(target, b"".join(pieces)[:100])

    sweep.add(*range(20))
    expected = sweep.merged_from_scratch()
    monkeypatch.setattr(os, "writev", at_most)
    assert sweep.merged_from_scratch() == expected


def test_records_larger_than_the_buffer_and_many_small_ones_mix(sweep: RecordedSweep) -> None:
    sweep.add(*range(0, 600, 2))
    sweep.add(18, 42, 300, rewards=range(200_000))
    sweep.record(60).write_bytes(b"x" * 700_000)
    sweep.merge()
    sweep.add(*range(1, 600, 14))
    sweep.merge()
    assert sweep.data.read_bytes() == sweep.merged_from_scratch()
    assert sorted(sweep.indices()) == sorted({*range(0, 600, 2), *range(1, 600, 14)} - {60})
