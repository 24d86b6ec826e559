"""A damaged shard is found, set aside, and never read for a good one."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rollout_cases import a_folder, a_rollout, a_spec, flip, flip_a_picture, replace, same

from agents.rollouts.contents import hash_file, side_file
from agents.rollouts.errors import BadShard, FolderRefused
from agents.rollouts.files import read_json, write_json
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.rollouts.verifying import quarantine, verify


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one shard."""
    return a_folder(tmp_path_factory.mktemp("sound"), 4, 4).path


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> RolloutFolder:
    """A copy of it."""
    shutil.copytree(sound, tmp_path / "folder")
    return RolloutFolder(tmp_path / "folder")


def _each_flip(path: Path, count: int) -> Iterator[int]:
    """Has a random byte of the file changed, one after another."""
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(count):
        offset = int(rng.integers(len(whole)))
        flip(path, offset, int(rng.integers(1, 256)))
        yield offset
        replace(path, whole)


def test_each_of_a_hundred_flipped_bytes_is_found(folder: RolloutFolder) -> None:
    (shard,) = folder.shards()
    for offset in _each_flip(shard, 100):
        report = verify(folder)
        assert [damage.path for damage in report.damaged] == [shard], offset
        assert report.share_lost == 1.0
    assert verify(folder).is_good


def test_flipped_bytes_of_a_side_file_are_found_without_reading_the_shard(
    folder: RolloutFolder,
) -> None:
    (shard,) = folder.shards()
    for offset in _each_flip(side_file(shard), 40):
        assert len(verify(folder, "size").damaged) == 1, offset


def test_each_of_ten_truncations_is_found_by_size(folder: RolloutFolder) -> None:
    (shard,) = folder.shards()
    whole = shard.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 10).astype(int):
        shard.write_bytes(whole[:length])
        (damage,) = verify(folder, "size").damaged
        assert f"has {length:,} bytes instead of {len(whole):,}" in damage.problem


def test_with_a_flipped_byte_nothing_wrong_is_read(folder: RolloutFolder) -> None:
    """Whole rollouts, single observations and windows."""
    (shard,) = folder.shards()
    refused = 0
    for seed, _ in enumerate(_each_flip(shard, 100)):
        rng = np.random.default_rng(seed)
        try:
            data = Rollouts(folder.path)
            drawn = data.sample_observations(rng, 8, per_rollout=4)
            window: Any = data.sample_slices(rng, 4, 3)
            for number, read in data.good():
                assert same(read, a_rollout(number))
        except BadShard:
            refused += 1
            continue
        # rows below the first are 10 number + t all over, and actions 100 number + t
        seen = window.observations[:, :, 1]
        assert (seen == seen[:, :, :1, :1]).all()
        assert (drawn[:, 1:] == drawn[:, 1:2, :1, :1]).all()
        assert (window.actions[..., 0] % 100 == -window.rewards).all()
    assert refused > 50  # what HDF5 leaves unused in so small a file may change


@pytest.fixture
def damaged(tmp_path: Path) -> tuple[RolloutFolder, list[int]]:
    """Three shards, the second of them with a byte of its pictures changed; and its numbers."""
    folder = a_folder(tmp_path / "damaged")
    shard = folder.shards()[1]
    held = dict(folder.good_shards())[shard].numbers
    flip_a_picture(shard)
    return folder, held


def test_raise_stops_at_the_shard_and_says_what_helps(
    damaged: tuple[RolloutFolder, list[int]],
) -> None:
    folder, held = damaged
    data = Rollouts(folder.path)
    with pytest.raises(BadShard, match=r"cannot be read: .*world_models\.verify .* --repair"):
        data.rollout(held[0])
    with pytest.raises(BadShard):
        for _ in range(50):
            data.sample_observations(np.random.default_rng(0), 64, per_rollout=1)


def test_skip_reads_the_others(damaged: tuple[RolloutFolder, list[int]]) -> None:
    folder, held = damaged
    rng = np.random.default_rng(0)
    data = Rollouts(folder.path, bad="skip")
    window: Any = data.sample_slices(rng, 200, 3)
    numbers = set((window.actions[..., 0] // 100).astype(int).flat)
    assert numbers == set(range(6)) - set(held)
    assert {read.seed - 1000 for read in data} == numbers
    drawn = Rollouts(folder.path, bad="skip").sample_observations(rng, 500, per_rollout=10)
    assert not {number for number in held if (drawn[:, 1] == 10 * number).all((1, 2)).any()}
    with pytest.raises(BadShard):
        data.rollout(held[0])  # there is no other in its place


def test_warn_says_so_once(damaged: tuple[RolloutFolder, list[int]]) -> None:
    folder, _ = damaged
    data = Rollouts(folder.path, bad="warn")
    with pytest.warns(RuntimeWarning, match="skipped: .*cannot be read"):
        assert len(list(data)) == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.sample_slices(np.random.default_rng(0), 100, 3)


def test_a_torn_shard_is_seen_when_the_folder_is_opened(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    shard = folder.shards()[0]
    held = dict(folder.good_shards())[shard].numbers
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(BadShard, match="bytes instead of"):
        Rollouts(folder.path)
    data = Rollouts(folder.path, bad="skip")
    assert data.numbers.tolist() == [number for number in range(6) if number not in held]
    assert list(folder.missing()) == held


def test_nothing_left_is_an_error(folder: RolloutFolder) -> None:
    (shard,) = folder.shards()
    shard.write_bytes(b"")
    with pytest.raises(FolderRefused, match="holds no rollout"):
        Rollouts(folder.path, bad="skip")


def test_a_shard_that_was_damaged_before_it_was_hashed_is_found_by_decoding(
    folder: RolloutFolder,
) -> None:
    (shard,) = folder.shards()
    flip_a_picture(shard)
    size, xxh3, sha256 = hash_file(shard)
    side = read_json(side_file(shard))
    write_json(side_file(shard), side | {"size": size, "xxh3": xxh3, "sha256": sha256})
    assert verify(folder, "hash").is_good
    assert not verify(folder, "decode").is_good


def test_a_shard_of_other_rollouts_is_found_by_decoding(
    folder: RolloutFolder, tmp_path: Path
) -> None:
    other = RolloutFolder.create(tmp_path / "other", a_spec(4, seed=7))
    shard = other.write_shard([0], [a_rollout(0)])
    for file in (shard, side_file(shard)):
        shutil.copy(file, folder.path)
    (damage,) = verify(folder, "decode").damaged
    assert damage.problem == "belongs to other rollouts: seed is 7, not 0"


def test_quarantine_moves_shard_and_side_file_and_removes_nothing(
    damaged: tuple[RolloutFolder, list[int]],
) -> None:
    folder, held = damaged
    report = verify(folder, workers=2)
    assert report.missing == held and report.share_lost == pytest.approx(1 / 3)
    (shard,) = {damage.path for damage in report.damaged}
    before = {file.name: file.read_bytes() for file in (shard, side_file(shard))}
    quarantine(folder, report.damaged)
    moved = {file.name: file.read_bytes() for file in (folder.path / "quarantine").iterdir()}
    assert moved == before
    assert not shard.exists() and not side_file(shard).exists()
    again = verify(folder)
    assert not again.damaged and again.missing == held
    assert len(Rollouts(folder.path)) == 4


def test_a_second_damage_of_the_same_name_is_kept_beside_the_first(folder: RolloutFolder) -> None:
    (shard,) = folder.shards()
    for _ in range(2):
        shard.write_bytes(b"damaged")
        quarantine(folder, verify(folder).damaged)
    names = sorted(file.name for file in (folder.path / "quarantine").glob("*.h5"))
    assert names == sorted([shard.name, f"{shard.stem}.2.h5"])
