"""Random observations and windows come evenly, and never from two rollouts at once."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollout_cases import a_folder, a_latent_rollout, a_rollout, a_spec

from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    window=st.integers(1, 12),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25)
def test_a_window_lies_within_one_rollout(lengths: list[int], window: int, seed: int) -> None:
    rollouts = [a_rollout(number, length) for number, length in enumerate(lengths)]
    with tempfile.TemporaryDirectory() as place:
        folder = RolloutFolder.create(place, a_spec(len(lengths)))
        folder.write_shard(range(0, len(lengths), 2), rollouts[::2])
        if len(lengths) > 1:
            folder.write_shard(range(1, len(lengths), 2), rollouts[1::2])
        slices: Any = Rollouts(place).sample_slices(np.random.default_rng(seed), 20, window)
    for observations, actions, rewards, terminated, mask in zip(*slices, strict=True):
        number, start = divmod(int(actions[0, 0]), 100)
        steps = int(mask.sum())
        rollout = rollouts[number]
        stop = start + steps
        assert steps == min(window, rollout.length) and mask[:steps].all()
        assert (observations[: steps + 1] == rollout.observations[start : stop + 1]).all()
        assert (actions[:steps] == rollout.actions[start:stop]).all()
        assert (rewards[:steps] == rollout.rewards[start:stop]).all()
        assert not observations[steps + 1 :].any() and not actions[steps:].any()
        ended = np.flatnonzero(terminated).tolist()
        at_the_end = stop == rollout.length and rollout.terminated
        assert ended == ([steps - 1] if at_the_end else [])


def test_windows_of_latents_have_means_and_log_variances(tmp_path: Path) -> None:
    folder = RolloutFolder.create(tmp_path, a_spec(3, kind="latent"))
    written = [a_latent_rollout(number, 10) for number in range(3)]
    folder.write_shard(range(3), written)
    slices: Any = Rollouts(tmp_path).sample_slices(np.random.default_rng(0), 12, 4)
    assert slices.means.shape == slices.log_variances.shape == (12, 5, 4)
    assert slices.means.dtype == np.float32
    for means, log_variances, actions in zip(*slices[:3], strict=True):
        number, start = divmod(int(actions[0, 0]), 100)
        assert (means == written[number].means[start : start + 5]).all()
        assert (log_variances == -means).all()


def test_every_window_is_as_likely_as_any_other(tmp_path: Path) -> None:
    folder = RolloutFolder.create(tmp_path, a_spec(3))
    folder.write_shard(range(3), [a_rollout(n, length) for n, length in enumerate((2, 4, 11))])
    slices: Any = Rollouts(tmp_path).sample_slices(np.random.default_rng(0), 2600, 4)
    _, counts = np.unique(slices.actions[:, 0, 0], return_counts=True)
    assert len(counts) == 1 + 1 + 8
    assert (abs(counts - 260) < 5 * np.sqrt(260)).all()


def test_every_observation_is_as_likely_as_any_other(tmp_path: Path) -> None:
    folder = RolloutFolder.create(tmp_path, a_spec(2))
    folder.write_shard(range(2), [a_rollout(0, 4), a_rollout(1, 14)])
    drawn = Rollouts(tmp_path).sample_observations(np.random.default_rng(0), 4000, per_rollout=2)
    counts = np.bincount(drawn[:, 1, 0, 0])
    assert set(np.flatnonzero(counts)) == {*range(5), *range(10, 25)}
    assert (abs(counts[counts > 0] - 200) < 7 * np.sqrt(200)).all()  # pairs: a little wider


def test_equal_generators_draw_equal_samples(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    before = Rollouts(folder.path).sample_observations(np.random.default_rng(5), 50, per_rollout=7)
    folder.finalize()
    again = Rollouts(folder.path).sample_observations(np.random.default_rng(5), 50, per_rollout=7)
    assert before.tobytes() == again.tobytes()


def test_a_part_of_a_rollout_is_read(tmp_path: Path) -> None:
    data = Rollouts(a_folder(tmp_path).path)
    assert (data.observations(4, 2, 9) == a_rollout(4).observations[2:9]).all()
    with pytest.raises(IndexError, match="rollout 4 has observations 0 to 11, not 2 to 13"):
        data.observations(4, 2, 13)


def test_held_out_rollouts_are_no_training_rollouts(tmp_path: Path) -> None:
    data = Rollouts(a_folder(tmp_path, 6).path)
    train, held_out = data.split(1 / 3, seed=4)
    assert sorted([*train.numbers, *held_out.numbers]) == list(range(6))
    assert len(held_out) == 2 and held_out.frames == held_out.lengths.sum() + 2
    again = data.split(1 / 3, seed=4)[1]
    assert again.content_hash == held_out.content_hash != train.content_hash
    slices: Any = train.sample_slices(np.random.default_rng(0), 100, 3)
    assert set((slices.actions[..., 0] // 100).astype(int).flat) == set(train.numbers.tolist())
    with pytest.raises(ValueError, match=r"0.01 of 6 rollouts cannot be held out"):
        data.split(0.01, seed=0)


def test_more_shards_than_may_be_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Rollouts(a_folder(tmp_path, 6, 1).path)
    monkeypatch.setattr(data.shards, "_max_open", 2)
    for _ in range(2):
        assert [read.seed for read in data] == [1000 + number for number in range(6)]
    assert len(data.shards._open) == 2


def test_threads_share_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Rollouts(a_folder(tmp_path, 6, 1).path)
    monkeypatch.setattr(data.shards, "_max_open", 1)

    def read(seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        return b"".join(
            data.sample_observations(rng, 4, per_rollout=2).tobytes() for _ in range(20)
        )

    alone = [read(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(4))) == alone
