"""Shards get their names in order, and the folder can be read at every moment of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rollout_cases import a_folder, a_rollout, a_spec, flip, same

from agents.rollouts import files, finalizing
from agents.rollouts.errors import FolderRefused
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.rollouts.verifying import verify


def _names(folder: RolloutFolder) -> list[str]:
    return [path.name for path in folder.shards()]


def test_shards_are_named_in_the_order_of_their_rollouts(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, 6, 2)
    assert RolloutFolder(tmp_path).manifest is None
    manifest = folder.finalize()
    assert _names(folder) == [f"rollouts-{place:05}-of-00003.h5" for place in range(3)]
    assert [contents.numbers for _, contents in folder.good_shards()] == [[0, 1], [2, 3], [4, 5]]
    assert folder.manifest == manifest
    assert manifest["rollouts"] == 6 and manifest["steps"] == Rollouts(tmp_path).lengths.sum()
    assert [shard["file"] for shard in manifest["shards"]] == _names(folder)
    assert verify(folder, "decode").is_good
    assert len(list(tmp_path.iterdir())) == 8
    assert folder.finalize() == manifest


def test_an_open_data_set_follows_the_names(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, 6, 2)
    data = Rollouts(tmp_path)
    folder.finalize()
    assert same(data.rollout(3), a_rollout(3))


def test_an_incomplete_or_damaged_folder_is_not_finalized(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, 4, 2)
    more = RolloutFolder.create(tmp_path, a_spec(9))
    with pytest.raises(FolderRefused, match="5 of 9 rollouts are missing yet"):
        more.finalize()
    shard = folder.shards()[0]
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(FolderRefused, match="1 of its shards are damaged"):
        folder.finalize()


@pytest.mark.parametrize("moment", range(9))
def test_interrupted_at_any_moment_it_can_be_read_and_finalized_again(
    moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = a_folder(tmp_path, 6, 2)
    expected = Rollouts(tmp_path).content_hash
    left = moment

    def interrupting(real: Any) -> Any:
        def call(*arguments: Any, **keywords: Any) -> Any:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return real(*arguments, **keywords)

        return call

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(finalizing, "copy_atomically", interrupting(files.copy_atomically))
        patch.setattr(Path, "rename", interrupting(Path.rename))
        patch.setattr(Path, "unlink", interrupting(Path.unlink))
        folder.finalize()
    data = Rollouts(tmp_path)
    assert data.content_hash == expected
    for number, read in enumerate(data):
        assert same(read, a_rollout(number))
    assert verify(folder).is_good
    folder.finalize()
    assert _names(folder) == [f"rollouts-{place:05}-of-00003.h5" for place in range(3)]
    assert Rollouts(tmp_path).content_hash == expected
    assert verify(folder, "decode").is_good


def test_a_shard_that_another_process_renames_meanwhile_is_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = a_folder(tmp_path, 6, 2)
    real, calls = files.copy_atomically, []

    def meanwhile(source: Path, target: Path) -> None:
        calls.append(source)
        if len(calls) == 1:
            RolloutFolder(tmp_path).finalize()
        real(source, target)

    monkeypatch.setattr(finalizing, "copy_atomically", meanwhile)
    folder.finalize()
    assert _names(folder) == [f"rollouts-{place:05}-of-00003.h5" for place in range(3)]
    assert verify(folder, "decode").is_good


def test_what_is_collected_after_a_repair_takes_the_free_place(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, 6, 2)
    folder.finalize()
    lost = folder.shards()[1]
    lost.unlink()
    report = verify(folder)
    assert [damage.problem for damage in report.damaged] == ["the file is missing"]
    assert report.missing == [2, 3]
    folder.write_shard([2, 3], [a_rollout(2), a_rollout(3)])
    folder.finalize()
    assert _names(folder) == [f"rollouts-{place:05}-of-00003.h5" for place in range(3)]
    assert verify(folder).is_good


def test_a_damaged_manifest_counts_for_none(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, 2)
    folder.finalize()
    flip(tmp_path / "manifest.json", 30)
    assert folder.manifest is None
    assert verify(folder).is_good
