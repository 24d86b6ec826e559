"""data.json: all runs, in an order that depends on nothing but what they are."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_sweep import RecordedSweep, plain_merge

from experiment.record import unseal

INDICES = st.sets(st.integers(0, 40), min_size=1, max_size=12)


def test_it_is_the_tree_that_parsing_and_merging_gives(sweep: RecordedSweep) -> None:
    sweep.add(13, 0, 7, 1, 6, 5, 12)
    sweep.add(19, status="diverged", rewards=[float("nan"), 1e300])
    merged = sweep.merge()
    assert json.loads(sweep.data.read_bytes()) == plain_merge(sweep.path)
    assert (merged.runs, merged.settings, merged.new, merged.diverged) == (8, 3, 8, 1)
    assert merged.size == sweep.data.stat().st_size


def test_settings_ascend_and_runs_ascend_within_them_as_numbers(sweep: RecordedSweep) -> None:
    sweep.add(*range(0, 120, 6), 65, 5, 2)
    sweep.merge()
    assert sweep.indices() == [*range(0, 120, 6), 2, 5, 65]


def test_runs_are_spliced_byte_for_byte(sweep: RecordedSweep) -> None:
    sweep.add(3, rewards=[1e-7, 1e22, 0.1 + 0.2])
    run = bytes(unseal(sweep.record(3).read_bytes()).run)
    assert b"1e-7," in run  # which json.dump would write as 1e-07
    sweep.merge()
    assert run in sweep.data.read_bytes()


def test_the_parameters_come_from_the_manifest(sweep: RecordedSweep) -> None:
    sweep.add(4)
    sweep.merge()
    tree = json.loads(sweep.data.read_bytes())
    assert tree["experiment_data"]["4"]["agent_params"] == sweep.manifest.grid.setting(4)
    assert tree["experiment"] == sweep.manifest.files


def test_records_without_a_seal_are_merged_too(sweep: RecordedSweep) -> None:
    sweep.add(0, 1, 2)
    record = json.loads(sweep.record(1).read_bytes())
    del record["seal"]
    sweep.record(1).write_text(json.dumps(record, indent=1))
    sweep.merge()
    assert json.loads(sweep.data.read_bytes()) == plain_merge(sweep.path)


def test_other_files_are_no_records(sweep: RecordedSweep) -> None:
    sweep.add(0)
    name = sweep.record(1).name
    for other in (
        f".{name}.abc.tmp",
        f"{name}.damaged",
        f"{sweep.record(0).stem}.npz",
        "notes.json",
        "figure.pdf",
    ):
        (sweep.path / other).write_bytes(b"not a record")
    merged = sweep.merge()
    assert (merged.runs, merged.set_aside) == (1, [])


@settings(max_examples=30, deadline=None)
@given(INDICES.flatmap(lambda indices: st.permutations(sorted(indices))))
def test_the_order_of_the_listing_leaves_no_trace(order: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        sweep = RecordedSweep(Path(folder))
        sweep.add(*order)
        expected = sweep.merged_from_scratch()
        rank = {sweep.record(index).name: place for place, index in enumerate(order)}
        patch.setattr(os, "scandir", _listing_by(rank))
        assert sweep.merged_from_scratch() == expected


def _listing_by(rank: dict[str, int]) -> Any:
    scandir = os.scandir

    @contextlib.contextmanager
    def listing(path: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
        with scandir(path) as entries:
            yield iter(sorted(entries, key=lambda entry: rank.get(entry.name, -1)))

    return listing
