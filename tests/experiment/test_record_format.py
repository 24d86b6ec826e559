"""A record is proved whole before it is believed, and says what JSON has no word for."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment import record
from experiment.errors import StorageError
from experiment.files import write_atomically

RUN: dict[str, Any] = {
    "run_number": 3,
    "index": 41,
    "setting_id": "0123456789abcdef",
    "random_seed": 13,
    "status": "completed",
    "train_episode_rewards": [1.5, -2.0, 1e-300],
    "metrics": {"loss": {"timestep": [1, 2], "value": [0.25, 0.125]}},
}
FILES = {"environment": {"env_name": "é"}, "agent": {"agent_name": "random"}}
PARAMS = {"critic_lr": 0.1, "nested": [[1], {"runs": [2]}], "seal": '"seal":{"setting":1'}


def sealed(**changes: Any) -> bytes:
    return record.encode(FILES, 5, PARAMS, RUN | changes)


def test_a_record_is_the_documented_tree() -> None:
    tree = json.loads(sealed())
    assert list(tree) == ["experiment", "experiment_data", "seal"]
    assert tree["experiment"] == FILES
    assert tree["experiment_data"] == {"5": {"agent_params": PARAMS, "runs": [RUN]}}


def test_a_sealed_record_is_read_back() -> None:
    data = sealed()
    found = record.unseal(data)
    assert found.setting == 5
    assert found.head == record.Head(3, 41, "0123456789abcdef", 13, "completed")
    assert orjson.loads(found.run) == RUN
    assert record.load(data) == (FILES, PARAMS, RUN)
    assert record.agent_params(data) == PARAMS


def test_a_record_without_seal_is_parsed() -> None:
    tree = json.loads(sealed())
    del tree["seal"]
    run = tree["experiment_data"]["5"]["runs"][0]
    tree["experiment_data"]["5"]["runs"] = [dict(reversed(run.items()))]
    for indent in (None, 2):
        data = json.dumps(tree, indent=indent).encode()
        found = record.unseal(data)
        assert (found.setting, found.head) == (5, record.unseal(sealed()).head)
        assert orjson.loads(found.run) == RUN
        assert record.load(data) == (FILES, PARAMS, RUN)


@given(st.integers(0, len(sealed()) - 2))
def test_a_truncated_record_is_bad(length: int) -> None:
    with pytest.raises(record.BadRecord):
        record.unseal(sealed()[:length])


def test_a_flipped_bit_is_found_wherever_it_is() -> None:
    data = bytearray(sealed())
    whole, seal = record.unseal(bytes(data)), data.index(b',"seal":{"setting":5')
    for position in range(len(data)):
        for bit in range(8):
            data[position] ^= 1 << bit
            try:
                found = record.unseal(bytes(data))
            except record.BadRecord:
                pass
            else:  # in the seal itself: then the rest was parsed and is what it was
                assert position > seal
                assert (found.setting, found.head) == (whole.setting, whole.head)
                assert orjson.loads(found.run) == RUN
            data[position] ^= 1 << bit


@given(st.binary(max_size=200))
def test_garbage_is_bad(data: bytes) -> None:
    with pytest.raises(record.BadRecord):
        record.unseal(data)


@pytest.mark.parametrize(
    "tree",
    [
        [],
        {"experiment": {}, "experiment_data": {}},
        {"experiment": {}, "experiment_data": []},
        {"experiment": {}, "experiment_data": {"a": {"agent_params": {}, "runs": [RUN]}}},
        {"experiment": {}, "experiment_data": {"5": {"agent_params": {}, "runs": []}}},
        {"experiment": {}, "experiment_data": {"5": {"agent_params": {}, "runs": [RUN, RUN]}}},
        {"experiment": {}, "experiment_data": {"5": {"agent_params": {}, "runs": [7]}}},
        {"experiment": {}, "experiment_data": {"5": {"agent_params": {}, "runs": [{"index": 1}]}}},
        {
            "experiment": {},
            "experiment_data": {
                "5": {"agent_params": {}, "runs": [RUN]},
                "6": {"agent_params": {}, "runs": [RUN]},
            },
        },
        {
            "experiment": {},
            "experiment_data": {"5": {"agent_params": {}, "runs": [RUN | {"index": "41"}]}},
        },
        {
            "experiment": {},
            "experiment_data": {"5": {"agent_params": {}, "runs": [RUN | {"status": "fine"}]}},
        },
    ],
)
def test_json_that_is_no_record_of_one_run_is_bad(tree: Any) -> None:
    with pytest.raises(record.BadRecord):
        record.unseal(json.dumps(tree).encode())


def test_a_setting_that_is_no_object_is_bad() -> None:
    data = json.dumps(
        {"experiment": {}, "experiment_data": {"5": {"agent_params": [1], "runs": [RUN]}}}
    )
    with pytest.raises(record.BadRecord, match="agent_params"):
        record.agent_params(data.encode())


numbers = st.floats() | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.none()
trees = st.recursive(
    numbers | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


def spelled_out(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list | tuple):
        return [spelled_out(item) for item in value]
    if isinstance(value, dict):
        return {key: spelled_out(item) for key, item in value.items()}
    return value


@given(trees)
def test_a_number_that_is_not_finite_is_spelled_out_never_null(value: Any) -> None:
    _, _, run = record.load(sealed(measured=value))
    assert run["measured"] == spelled_out(value)


def test_numpy_numbers_are_numbers() -> None:
    measured = {
        "array": np.array([1.5, np.nan, np.inf]),
        "matrix": np.eye(2),
        "scalar": np.float32(0.5),
        "count": np.int64(3),
        "flag": np.bool_(True),
        "list": [np.float64(0.25), 1],
    }
    _, _, run = record.load(sealed(measured=measured))
    assert run["measured"] == {
        "array": [1.5, "nan", "inf"],
        "matrix": [[1.0, 0.0], [0.0, 1.0]],
        "scalar": 0.5,
        "count": 3,
        "flag": True,
        "list": [0.25, 1],
    }


# -- writing


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


def test_exclusive_writing_never_replaces(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, b"old", exclusive=True)
    with pytest.raises(FileExistsError):
        write_atomically(path, b"new", exclusive=True)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.parametrize("step", ["os.fdopen", "os.fsync", "os.fchmod", "pathlib.Path.replace"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_of_any_step_leaves_the_old_file(
    step: str, failure: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, b"old")

    def fail(*arguments: Any, **options: Any) -> None:
        raise failure

    monkeypatch.setattr(step, fail)
    with pytest.raises((StorageError, KeyboardInterrupt)) as caught:
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]
    if isinstance(failure, OSError):
        assert str(caught.value) == f"{path}: cannot be written: No space left on device"


def test_the_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written: No such file or directory"):
        write_atomically(tmp_path / "nowhere" / "record.json", b"new")
