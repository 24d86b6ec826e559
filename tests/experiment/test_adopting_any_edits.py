"""Whatever the edits, and in whatever order: a record follows its setting."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from edited_folders import (
    Parameters,
    adopt,
    assert_every_record_is_what_its_index_means,
    contents,
    experiment_of,
    snapshot,
    write_record,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from experiment import record
from experiment.prune import prune
from experiment.scheduling import missing

VALUES: Parameters = {
    "critic_lr": [0.005, 0.1, 0.3, 0.7],
    "actor_lr": [0.01, 0.1, 0.3],
    "tilings": [4, 8, 16],
    "scaled": [False, True],
}
parameters_strategy: st.SearchStrategy[Parameters] = (
    st.fixed_dictionaries(
        {},
        optional={
            name: st.lists(st.sampled_from(values), min_size=1, unique=True)
            for name, values in VALUES.items()
        },
    )
    .flatmap(lambda chosen: st.permutations(list(chosen.items())))
    .map(dict)
)


@settings(max_examples=40, deadline=None)
@given(st.lists(parameters_strategy, min_size=2, max_size=4), st.data())
def test_records_follow_their_settings_through_any_edits(
    edits: list[Parameters], data: st.DataObject
) -> None:
    follow_their_settings(edits, data, st.just(False))


@settings(max_examples=15, deadline=None)
@given(st.lists(parameters_strategy, min_size=2, max_size=3), st.data())
def test_records_in_shards_and_pruned_ones_follow_them_too(
    edits: list[Parameters], data: st.DataObject
) -> None:
    follow_their_settings(edits, data, st.booleans())


def follow_their_settings(
    edits: list[Parameters], data: st.DataObject, in_shards: st.SearchStrategy[bool]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "folder"
        first_records: dict[str, bytes] = {}
        known: Counter[tuple[Any, ...]] = Counter()
        for number, parameters in enumerate([*edits, edits[0]]):
            folder, _ = adopt(experiment_of(parameters), path)
            assert contents(path) == known
            assert_every_record_is_what_its_index_means(folder)
            for index in data.draw(st.sets(st.integers(0, 3 * folder.manifest.grid.size - 1))):
                if folder.finished(folder.run(index), pytest.fail) is None:
                    write_record(folder, index, shard=data.draw(in_shards))
            known = contents(path)
            whole = missing.records(folder).whole
            is_pruned = data.draw(in_shards)
            if whole and is_pruned:
                prune(path, lambda done, total: None)
                assert missing.records(folder).whole == whole
                continue
            if number == 0:
                first_records = {
                    name: content for name, content in snapshot(path).items() if "_data_" in name
                }
        # the first configuration is back, and all its records are where they were
        after = snapshot(path)
        for name, content in first_records.items():
            if name not in after:
                continue  # it was pruned in the meantime
            if name.endswith(".npz"):
                assert after[name] == content
            else:
                files, *rest = record.load(after[name])
                first_files, *first_rest = record.load(content)
                assert rest == first_rest
                # of two agent files that mean the same, the one that was adopted last is quoted
                assert files["environment"] == first_files["environment"]


def test_a_record_whose_shard_stays_for_another_is_held_once(tmp_path: Path) -> None:
    both: Parameters = {"tilings": [16, 4]}
    one: Parameters = {}
    for parameters, indices in ((both, (0, 1)), (one, ()), (both, ())):
        folder, _ = adopt(experiment_of(parameters), tmp_path)
        for index in indices:
            write_record(folder, index)
        held = contents(tmp_path)
        assert sorted(held.values()) == [1, 1]
        # of the second configuration's shard one record is at home, and the other nowhere
        prune(tmp_path, lambda done, total: None)
        assert contents(tmp_path) == held
