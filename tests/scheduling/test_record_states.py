"""How record files stand is remembered, and what is remembered is what opening them would say."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweep_runs import LINEAR_AC, build, new_folder
from test_missing_runs import sealed, write

from experiment import columns, record
from experiment.folder import ResultFolder
from experiment.scheduling import record_states as states
from experiment.scheduling.record_states import (
    CACHE_NAME,
    COMPLETED,
    DIVERGED,
    TORN,
    record_states,
)

LONG_AGO = 10**9


@pytest.fixture(autouse=True)
def _remembers_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "_SAVED_FROM", 1)
    # no record of a test is old enough otherwise; what the margin is for has a test of its own
    monkeypatch.setattr(states, "_SETTLED_NS", -LONG_AGO)


@pytest.fixture
def folder(tmp_path: Path) -> ResultFolder:
    return new_folder(tmp_path / "sweep", build(LINEAR_AC))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    read = states._read

    def noted(name: str, place: int) -> tuple[os.stat_result, states.State]:
        names.append(name)
        return read(name, place)

    monkeypatch.setattr(states, "_read", noted)
    return names


def diverged(data: bytes) -> bytes:
    """A record as of a run that diverged, of the same length; its checksum is nobody's business."""
    return data.replace(b'"status":"completed"', b'"status":"diverged" ')


def test_a_record_is_opened_once(folder: ResultFolder, opened: list[str]) -> None:
    write(folder, 0)
    write(folder, 1, b"torn")
    assert record_states(folder) == {0: COMPLETED, 1: TORN}
    opened.clear()
    added = write(folder, 2)
    assert record_states(folder) == {0: COMPLETED, 1: TORN, 2: COMPLETED}
    assert opened == [added.name]


def test_a_run_that_diverged_is_told_from_its_record(folder: ResultFolder) -> None:
    write(folder, 0)
    write(folder, 1, diverged(sealed(folder, 1)))
    for _ in range(2):
        assert record_states(folder) == {0: COMPLETED, 1: DIVERGED}


def test_a_seal_of_something_else_makes_no_record(folder: ResultFolder) -> None:
    whole = sealed(folder, 0)
    seal = record.seal_of(whole[-record.TAIL :])
    assert seal is not None
    start = b"[%d," % seal.run[0]
    for other in (b"[0,", b"[%d," % len(whole), b"[99999999999999999999,"):
        write(folder, 0, whole.replace(start, other))
        assert record_states(folder) == {0: TORN}


def test_a_record_with_a_gap_is_torn(folder: ResultFolder) -> None:
    # as when blocks of a file were lost: the end is there, but not where the seal says
    whole = sealed(folder, 0)
    seal = record.seal_of(whole[-record.TAIL :])
    assert seal is not None
    write(folder, 0, whole[: seal.run[1] - 50] + whole[seal.run[1] - 40 :])
    assert record_states(folder) == {0: TORN}


def test_what_has_just_changed_is_not_remembered(
    folder: ResultFolder, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(states, "_SAVED_FROM", 1)
    write(folder, 0)
    assert record_states(folder) == {0: COMPLETED}
    assert not (folder.path / CACHE_NAME).exists()


@pytest.mark.parametrize("damage", ["torn", "empty", "another format", "unknown states", "gone"])
def test_a_damaged_cache_is_left_out_of_account(
    folder: ResultFolder, opened: list[str], damage: str
) -> None:
    path = write(folder, 0)
    record_states(folder)
    cache = folder.path / CACHE_NAME
    if damage == "torn":
        cache.write_bytes(cache.read_bytes()[:-1])
    elif damage == "empty":
        cache.write_bytes(b"")
    elif damage == "gone":
        cache.unlink()
    else:
        loaded = columns.load(cache, states._TYPES)
        assert loaded is not None
        header, (indices, stamps, kept) = loaded
        assert (list(indices), list(kept)) == ([0], [COMPLETED])
        if damage == "another format":
            columns.save(cache, {"format": states.FORMAT + 1}, (indices, stamps, b"\x02"))
        else:
            columns.save(cache, header, (indices, stamps, b"\x03"))
    opened.clear()
    assert record_states(folder) == {0: COMPLETED}
    assert opened == [path.name]


def test_a_folder_that_cannot_be_written_to_is_read(
    folder: ResultFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("experiment.files.tempfile.mkstemp", full)
    write(folder, 0)
    assert record_states(folder) == {0: COMPLETED}
    assert not (folder.path / CACHE_NAME).exists()


INDICES = st.integers(0, 3)
CHANGES = st.one_of(
    st.tuples(st.just("write"), INDICES, st.booleans()),
    st.tuples(st.just("rename over"), INDICES, st.booleans()),
    st.tuples(st.just("swap"), INDICES, INDICES),
    st.tuples(st.just("remove"), INDICES, st.none()),
    st.tuples(st.just("truncate"), INDICES, st.integers(0, 2000)),
    st.tuples(st.just("in place"), INDICES, st.booleans()),
    st.tuples(st.just("spoil the cache"), INDICES, st.integers(0, 255)),
)


def change(folder: ResultFolder, kind: str, index: int, how: int | None) -> None:
    path = folder.record_path(index)
    data = sealed(folder, index)
    data = diverged(data) if how else data
    if kind == "write":
        path.unlink(missing_ok=True)
        path.write_bytes(data)
    elif kind == "rename over":
        path.with_suffix(".new").write_bytes(data)
        path.with_suffix(".new").rename(path)
    elif kind == "spoil the cache":
        cache = folder.path / CACHE_NAME
        if cache.exists():
            content = bytearray(cache.read_bytes())
            content[index * len(content) // 4] ^= how or 0
            cache.write_bytes(content)
    elif not path.exists():
        return
    elif kind == "swap":
        other = folder.record_path(how or 0)
        if other.exists() and other != path:
            path.rename(path.with_suffix(".new"))
            other.rename(path)
            path.with_suffix(".new").rename(other)
    elif kind == "remove":
        path.unlink()
    elif kind == "truncate":
        os.truncate(path, min(how or 0, path.stat().st_size))
    else:
        with path.open("r+b") as file:
            file.write(data)
    if path.exists():
        # as if time had passed since: the clock of the disk is too coarse for a test
        passed = next(_CLOCK)
        os.utime(path, ns=(passed, passed))


_CLOCK = iter(range(LONG_AGO, LONG_AGO * 2, 1000))


@settings(max_examples=100, deadline=None)
@given(rounds=st.lists(st.lists(CHANGES, max_size=4), max_size=5))
def test_what_is_remembered_is_what_opening_says(
    rounds: list[list[tuple[str, int, int | None]]],
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = new_folder(Path(place) / "sweep", build(LINEAR_AC))
        for changes in rounds:
            for one in changes:
                change(folder, *one)
            remembered = record_states(folder)
            cache = folder.path / CACHE_NAME
            aside = cache.rename(cache.with_suffix(".aside")) if cache.exists() else None
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(states, "_SAVED_FROM", 2**60)
                assert record_states(folder) == remembered
            if aside is not None:
                aside.rename(cache)
