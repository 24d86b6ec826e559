"""What is no whole record of this folder is left out, left where it is, and reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorded_sweep import RecordedSweep

Combine = Callable[..., Result]


def reason(sweep: RecordedSweep, index: int) -> str:
    """Why the record of `index` is left out of a merge that holds all others."""
    present = {int(path.stem.rpartition("_")[2]) for path in sweep.path.glob("*_data_*.json")}
    merged = sweep.merge()
    assert set(sweep.indices()) == present - {index}
    assert sweep.record(index).exists()
    (one,) = merged.set_aside
    assert one.file == sweep.record(index).name
    return one.reason


def test_truncated(sweep: RecordedSweep) -> None:
    sweep.add(0, 1)
    sweep.record(7).write_bytes(sweep.encoded(7)[:-40])
    assert "not a whole record" in reason(sweep, 7)


def test_empty(sweep: RecordedSweep) -> None:
    sweep.add(0, 1)
    sweep.record(7).write_bytes(b"")
    assert "not a whole record" in reason(sweep, 7)


def test_a_folder_in_its_place(sweep: RecordedSweep) -> None:
    sweep.add(0)
    sweep.record(7).mkdir()
    assert "cannot be read" in reason(sweep, 7)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0), st.integers(0, 7))
def test_any_flipped_bit(sweep: RecordedSweep, place: int, bit: int) -> None:
    """A flip is refused, or it left a record that says exactly the same run."""
    sweep.add(0)
    content = bytearray(sweep.encoded(7))
    content[place % len(content)] ^= 1 << bit
    sweep.record(7).write_bytes(content)
    merged = sweep.merge()
    if merged.set_aside:
        assert sweep.indices() == [0]
    else:
        run = json.loads(sweep.data.read_bytes())["experiment_data"]["1"]["runs"][0]
        assert run == sweep.run(7)


def test_the_record_of_another_index(sweep: RecordedSweep) -> None:
    sweep.add(0, 1)
    sweep.record(7).write_bytes(sweep.encoded(1))
    assert reason(sweep, 7) == "it is the record of index 1, not 7"


def test_of_another_problem(sweep: RecordedSweep) -> None:
    sweep.add(0, 1)
    other = RecordedSweep(sweep.path.parent / "other", gamma=0.5)
    sweep.record(7).write_bytes(other.encoded(7))
    assert "another setting or environment" in reason(sweep, 7)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("random_seed", 7, "its random_seed is 7, but that of run 1 is 101"),
        ("run_number", 2, "says setting 1, run 2, but index 7 is setting 1, run 1"),
        ("setting_id", "0123456789abcdef", "setting_id 0123456789abcdef"),
        ("status", "running", "does not begin with"),
    ],
)
def test_a_head_that_contradicts_the_index(
    sweep: RecordedSweep, field: str, value: Any, message: str
) -> None:
    sweep.add(0, 1)
    sweep.add(7, **{field: value})
    assert message in reason(sweep, 7)


def test_a_setting_number_that_contradicts_the_index(sweep: RecordedSweep) -> None:
    sweep.add(0, 1)
    record = json.loads(sweep.encoded(7))
    del record["seal"]
    record["experiment_data"]["2"] = record["experiment_data"].pop("1")
    sweep.record(7).write_text(json.dumps(record))
    assert "says setting 2, run 1, but index 7 is setting 1, run 1" in reason(sweep, 7)


@pytest.mark.parametrize(
    "name",
    ["{stem}_data_007.json", "Other-v1_linearAC_data_7.json", "{stem}_data_" + "9" * 30 + ".json"],
)
def test_misnamed(sweep: RecordedSweep, name: str) -> None:
    sweep.add(0, 7)
    misnamed = sweep.path / name.format(stem=sweep.manifest.stem)
    misnamed.write_bytes(sweep.encoded(7))
    merged = sweep.merge()
    assert sweep.indices() == [0, 7]
    assert [one.file for one in merged.set_aside] == [misnamed.name]
    assert f"{sweep.manifest.stem}_data_<index>.json" in merged.set_aside[0].reason


def test_they_are_reported_and_the_exit_code_says_so(
    sweep: RecordedSweep, combine: Combine
) -> None:
    sweep.add(0, 1)
    sweep.add(2, status="diverged")
    sweep.record(7).write_bytes(b"{}")
    result = combine(sweep.path)
    assert result.exit_code == 1
    assert f"left out: {sweep.record(7)}: it is not" in result.stderr
    report = json.loads((sweep.path / "combine_report.json").read_bytes())
    reasons = [one.pop("reason") for one in report["set_aside"]]
    assert all(reasons)
    assert report == {
        "combined": 3,
        "completed": 2,
        "diverged": 1,
        "orphaned_left_out": 0,
        "set_aside": [{"file": sweep.record(7).name}],
    }


def test_a_long_list_is_cut_on_the_terminal_only(sweep: RecordedSweep, combine: Combine) -> None:
    sweep.add(0)
    for index in range(1, 101):
        sweep.record(index).write_bytes(b"")
    result = combine(sweep.path)
    assert len(result.stderr.splitlines()) == 21
    assert "100 files left out, listed in" in result.stderr
    report = json.loads((sweep.path / "combine_report.json").read_bytes())
    assert len(report["set_aside"]) == 100


def test_a_report_of_before_goes_when_all_is_well(sweep: RecordedSweep, combine: Combine) -> None:
    sweep.add(0)
    sweep.record(7).write_bytes(b"{}")
    combine(sweep.path)
    sweep.add(7)
    assert combine(sweep.path).exit_code == 0
    assert not (sweep.path / "combine_report.json").exists()


def test_only_bad_records_make_an_empty_tree(sweep: RecordedSweep, combine: Combine) -> None:
    sweep.record(7).write_bytes(b"{}")
    assert combine(sweep.path).exit_code == 1
    tree = json.loads(sweep.data.read_bytes())
    assert tree == {"experiment": sweep.manifest.files, "experiment_data": {}}
    assert sweep.merge().untouched


def test_a_name_that_is_no_text_can_be_reported(sweep: RecordedSweep, combine: Combine) -> None:
    sweep.add(0)
    (sweep.path / "odd\udcff_data_3.json").write_bytes(b"")
    assert combine(sweep.path).exit_code == 1
    report = json.loads((sweep.path / "combine_report.json").read_bytes())
    assert report["set_aside"][0]["file"] == "odd\\udcff_data_3.json"


def test_orphans_are_counted_and_left_out(sweep: RecordedSweep, combine: Combine) -> None:
    sweep.add(0)
    (sweep.path / "orphaned").mkdir()
    for index in (1, 2, 7):
        (sweep.path / "orphaned" / f"{index}.json").write_bytes(sweep.encoded(index))
    (sweep.path / "orphaned" / "1.npz").write_bytes(b"")
    result = combine(sweep.path)
    assert result.exit_code == 0
    assert "1 run of 1 setting (1 new)" in result.stdout
    assert "3 orphaned records left out" in result.stdout
