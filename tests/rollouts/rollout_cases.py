"""Small rollouts to keep."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np

from agents.rollouts.folder import RolloutFolder
from agents.rollouts.rollout import LatentRollout, Rollout
from agents.rollouts.spec import FolderSpec

SHAPE = (8, 200, 3)


def a_spec(rollouts: int = 6, **changed: Any) -> FolderSpec:
    values: dict[str, Any] = {
        "environment": {"env_name": "CarRacing-v3", "total_timesteps": 10},
        "observation_space": gymnasium.spaces.Box(0, 255, SHAPE, np.uint8),
        "action_space": gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32),
        "policy": {"name": "random"},
        "rollouts": rollouts,
    }
    return FolderSpec(**values | changed)


def a_rollout(number: int, length: int | None = None) -> Rollout:
    """Every number in it says which rollout and step it is of: observation t has the pixels
    10 number + t, action t the values 100 number + t, and reward t is -t."""
    length = 3 + 2 * number if length is None else length
    rng = np.random.default_rng(number)
    observations = np.empty((length + 1, *SHAPE), np.uint8)
    observations[:] = (10 * number + np.arange(length + 1))[:, None, None, None]
    observations[:, 0] = rng.integers(0, 256, (length + 1, *SHAPE[1:]))  # not all compresses well
    actions = np.repeat(100.0 * number + np.arange(length), 2).reshape(length, 2)
    return Rollout(
        observations,
        actions.astype(np.float32),
        -np.arange(length, dtype=np.float32),
        terminated=number % 2 == 0,
        truncated=number % 2 == 1,
        seed=1000 + number,
        attributes={"number": number},
    )


def a_latent_rollout(number: int, length: int, size: int = 4) -> LatentRollout:
    raw, rng = a_rollout(number, length), np.random.default_rng(number)
    means = rng.normal(size=(length + 1, size)).astype(np.float16).astype(np.float32)
    return LatentRollout(means, -means, *raw[1:])


def a_folder(path: Path, rollouts: int = 6, per_shard: int = 2) -> RolloutFolder:
    """Complete, of shards of `per_shard` rollouts each."""
    folder = RolloutFolder.create(path, a_spec(rollouts))
    for begin in range(0, rollouts, per_shard):
        numbers = range(begin, min(begin + per_shard, rollouts))
        folder.write_shard(numbers, map(a_rollout, numbers))
    return folder


def same(one: Rollout | LatentRollout, other: Rollout | LatentRollout) -> bool:
    """To the bit, dtypes included."""
    pairs: Iterable[tuple[Any, Any]] = zip(one, other, strict=True)
    return type(one) is type(other) and all(
        (mine.dtype, mine.shape, mine.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())
        if isinstance(mine, np.ndarray)
        else mine == theirs
        for mine, theirs in pairs
    )


def flip(path: Path, offset: int, bits: int = 1) -> None:
    """Changes one byte of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= bits
    replace(path, bytes(data))


def flip_a_picture(shard: Path) -> None:
    """Changes one byte of the compressed observations."""
    with h5py.File(shard, "r", locking=False) as file:
        chunk = file["observations"].id.get_chunk_info(0)
    flip(shard, chunk.byte_offset + chunk.size // 2)


def replace(path: Path, data: bytes) -> None:
    """Another file in its place: HDF5 would go on with what it has read of the old one."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.replace(path)
