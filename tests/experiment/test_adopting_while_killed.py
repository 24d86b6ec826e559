"""An adoption that is killed anywhere loses nothing, and is finished by the next one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
from sweep_runs import new_folder

from experiment.configuration import Experiment
from experiment.prune import prune
from experiment.scheduling import missing

EDITS: dict[str, tuple[Parameters, Parameters]] = {
    "appended": ({"critic_lr": [0.1, 0.3], "actor_lr": [0.1]}, {"critic_lr": [0.1, 0.3, 0.7]}),
    "removed": ({"critic_lr": [0.1, 0.3, 0.7]}, {"critic_lr": [0.3, 0.7]}),
    "values swapped": ({"critic_lr": [0.1, 0.3]}, {"critic_lr": [0.3, 0.1]}),
    "keys swapped": (
        {"critic_lr": [0.1, 0.3], "tilings": [4, 8]},
        {"tilings": [4, 8], "critic_lr": [0.1, 0.3]},
    ),
    "key with its default": ({"critic_lr": [0.1, 0.3]}, {"tilings": [8, 16], "critic_lr": [0.1]}),
    "key with another value": ({"critic_lr": [0.1, 0.3]}, {"tilings": [4], "critic_lr": [0.1]}),
}


class Killed(BaseException):
    """The process ended here."""


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], bool]]:
    """Ends the block at the `step`th change of the disk; yields whether it came that far."""
    done = 0

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal done
            done += 1
            if done == step:
                raise Killed
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for owner, name in (
            (Path, "rename"),
            (Path, "replace"),
            (Path, "unlink"),
            (Path, "mkdir"),
            (os, "link"),
            (os, "fsync"),
            (tempfile, "mkstemp"),
        ):
            patch.setattr(owner, name, counting(getattr(owner, name)))
        yield lambda: done >= step


def killed_everywhere(
    after: Experiment, old: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[int, Path]]:
    """(step, folder): copies of `old` whose adoption was killed at each of its steps, and one
    whose adoption came to its end."""
    step, reached = 0, True
    while reached:
        step += 1
        path = old.with_name(f"killed-{step}")
        shutil.copytree(old, path)
        with killed_at(step, monkeypatch) as came_so_far:
            with suppress(Killed):
                adopt(after, path)
            reached = came_so_far()
        # this process lives on: the lock that the killed one leaves would count as held
        shutil.rmtree(path / "running", ignore_errors=True)
        yield step, path
        shutil.rmtree(path)


@pytest.mark.parametrize("edit", EDITS)
def test_adopting_killed_anywhere_and_done_again_ends_the_same(
    edit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = map(experiment_of, EDITS[edit])
    old = new_folder(tmp_path / "old", before)
    for index in range(2 * before.grid.size):
        write_record(old, index)
    (old.path / "experiment.json.note").write_text("not ours")
    expected_path = tmp_path / "expected"
    shutil.copytree(old.path, expected_path)
    adopt(after, expected_path)
    expected = snapshot(expected_path)

    for step, path in killed_everywhere(after, old.path, monkeypatch):
        folder, _ = adopt(after, path)
        assert contents(path) == contents(old.path), step
        assert_every_record_is_what_its_index_means(folder)
        left = {name: content for name, content in snapshot(path).items() if ".tmp" not in name}
        assert left == expected, step
    assert step > 5


@pytest.mark.parametrize("edit", ["removed", "key with its default"])
def test_killed_anywhere_no_record_in_a_shard_or_in_data_json_is_lost(
    edit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = map(experiment_of, EDITS[edit])
    old = new_folder(tmp_path / "old", before)
    for index in range(before.grid.size):
        write_record(old, index, shard=index % 2 == 0)
    prune(old.path, lambda done, total: None)
    for index in range(before.grid.size, 3 * before.grid.size):
        write_record(old, index, shard=index % 2 == 0)
    payloads = {payload for _, _, payload, _ in contents(old.path)}
    expected_path = tmp_path / "expected"
    shutil.copytree(old.path, expected_path)
    expected = missing.records(adopt(after, expected_path)[0]).whole
    assert expected

    for step, path in killed_everywhere(after, old.path, monkeypatch):
        assert {payload for _, _, payload, _ in contents(path)} == payloads, step
        folder, _ = adopt(after, path)
        assert missing.records(folder).whole == expected, step
        assert {payload for _, _, payload, _ in contents(path)} == payloads, step
    assert step > 10
