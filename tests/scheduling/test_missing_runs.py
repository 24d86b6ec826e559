"""Which runs are missing: what a folder of records says, whatever else lies in it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_runs import LINEAR_AC, build, new_folder

from experiment import record
from experiment.errors import StorageError
from experiment.folder import ResultFolder
from experiment.scheduling import missing
from experiment.scheduling.missing import Records


@pytest.fixture
def folder(tmp_path: Path) -> ResultFolder:
    return new_folder(tmp_path / "sweep", build(LINEAR_AC))


def sealed(folder: ResultFolder, index: int) -> bytes:
    run = folder.run(index)
    content = {
        "run_number": run.number,
        "index": index,
        "setting_id": run.setting_id,
        "random_seed": run.random_seed,
        "status": "completed",
        "train_time": 1.5,
        "rewards": [0.25] * 40,
    }
    files = dict(folder.manifest.files)
    return record.encode(files, run.setting, folder.manifest.grid.setting(run.setting), content)


def write(folder: ResultFolder, index: int, data: bytes | None = None) -> Path:
    path = folder.record_path(index)
    path.write_bytes(sealed(folder, index) if data is None else data)
    return path


def found(folder: ResultFolder) -> tuple[set[int], set[int]]:
    records = missing.records(folder)
    return records.whole, records.torn


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path / "nothing", new_folder(tmp_path, build(LINEAR_AC)).manifest)
    assert missing.records(folder) == Records()


def test_whole_records_are_not_missing(folder: ResultFolder) -> None:
    for index in (0, 7, 36, 10**12):
        write(folder, index)
    assert found(folder) == ({0, 7, 36, 10**12}, set())


def test_truncated_anywhere_a_record_is_torn(folder: ResultFolder) -> None:
    whole = sealed(folder, 5)
    for length in range(len(whole) - 1):
        write(folder, 5, whole[:length])
        assert found(folder) == (set(), {5}), length
    # without its last line break it still says all that it has to say
    write(folder, 5, whole[:-1])
    record.unseal(whole[:-1])
    assert found(folder) == ({5}, set())


@given(st.data())
def test_a_record_with_a_gap_is_torn(data: st.DataObject) -> None:
    # as when blocks of a file were lost: the end is there, but not where the seal says
    body = b'{"experiment":{},"experiment_data":{"0":{"agent_params":{},"runs":[' + b"x" * 500
    seal = b']}},"seal":{"setting":0,"run":[64,%d],"xxh3":"0123456789abcdef"}}\n' % len(body)
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, len(body)))
    left = body[:start] + body[end:] + seal
    found = record.seal_of(left[-record.TAIL :])
    assert found is not None
    assert (found.length == len(left)) is (start == end)


def test_an_empty_file_is_torn(folder: ResultFolder) -> None:
    write(folder, 3, b"")
    assert found(folder) == (set(), {3})


def test_a_record_that_another_program_wrote_is_whole(folder: ResultFolder) -> None:
    tree = json.loads(sealed(folder, 4))
    del tree["seal"]
    write(folder, 4, json.dumps(tree, indent=4).encode())
    write(folder, 5, b'{"experiment": {}, "experiment_data": {}}')
    write(folder, 6, b"[1, 2]")
    assert found(folder) == ({4}, {5, 6})


def test_other_files_do_not_matter(folder: ResultFolder) -> None:
    path = write(folder, 1)
    data = path.read_bytes()
    stem = folder.manifest.stem
    for name in (
        "data.json",
        f"{stem}_data_2.npz",
        f"{stem}_data_3.json.damaged",
        f".{stem}_data_4.json.abc.tmp",
        "other_data_5.json",
        f"{stem}_data_x.json",
        f"{stem}_data_-6.json",
        f"{stem}_data_07.json",
        f"{stem}_data_\u0663.json",
        f"{stem}_data_.json",
    ):
        (folder.path / name).write_bytes(data)
    (folder.path / "running").mkdir()
    (folder.path / "orphaned").mkdir()
    (folder.path / "orphaned" / f"{stem}_data_9.json").write_bytes(data)
    assert found(folder) == ({1}, set())


def test_a_record_that_cannot_be_read_is_said(folder: ResultFolder) -> None:
    folder.record_path(2).mkdir()
    with pytest.raises(StorageError, match=r"_data_2\.json: cannot be read: Is a directory"):
        missing.records(folder)


def test_a_file_in_the_place_of_the_folder_is_said(folder: ResultFolder, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"file: cannot be read: Not a directory"):
        missing.records(ResultFolder(tmp_path / "file", folder.manifest))


def test_no_descriptor_is_left_open(folder: ResultFolder) -> None:
    for index in range(20):
        write(folder, index, None if index % 2 else b"")
    before = len(list(Path("/proc/self/fd").iterdir()))
    missing.records(folder)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_a_living_process_holds_is_being_run(folder: ResultFolder) -> None:
    dead = folder.lock(folder.run(40))
    dead.path.parent.mkdir(exist_ok=True)
    dead.path.write_text(json.dumps({"host": os.uname().nodename, "pid": 2**22 + 1, "since": ""}))
    (dead.path.parent / "torn.lock").write_text('{"host"')
    with folder.lock(folder.run(37)), folder.lock(folder.run(72)):
        names = missing.being_run(folder)
        assert names == {folder.run(37).name, folder.run(72).name}
        assert missing.locked_indices(folder, range(200), names) == {37, 72}
        assert missing.locked_indices(folder, [1, 37], names) == {37}
    assert missing.being_run(folder) == set()
    assert missing.locked_indices(folder, range(200), set()) == set()
