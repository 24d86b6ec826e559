"""The side file of a shard: its checksums, and what it holds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from agents.rollouts.errors import BadShard, FolderRefused
from agents.rollouts.files import read_json
from agents.rollouts.spec import SCHEMA


class Contents(NamedTuple):
    """What a side file says of its shard.

    Attributes:
        size: bytes of the shard.
        xxh3, sha256: of its bytes, in hexadecimal.
        numbers: of its rollouts.
        lengths: T of each.
        hashes: of each one's content, in hexadecimal.
        kind: "raw" or "latent".
        frame_shape, frame_dtype: of one frame, as stored.
        action_shape, action_dtype: of one action.
    """

    size: int
    xxh3: str
    sha256: str
    numbers: list[int]
    lengths: list[int]
    hashes: list[str]
    kind: str
    frame_shape: list[int]
    frame_dtype: str
    action_shape: list[int]
    action_dtype: str


def side_file(shard: Path) -> Path:
    """Where the checksums of a shard stand."""
    return shard.with_suffix(".json")


def read_contents(shard: Path) -> Contents:
    """The side file of a shard whose size is right.

    Raises:
        BadShard: it is missing or damaged, or the shard has another size.
    """
    path = side_file(shard)
    try:
        content = read_json(path)
        if content["schema"] != SCHEMA:
            raise FolderRefused(
                f"{path} has version {content['schema']} of the format; this program reads {SCHEMA}"
            )
        contents = Contents(**{name: content[name] for name in Contents._fields})
    except FileNotFoundError:
        raise BadShard(shard, f"its side file {path.name} is missing") from None
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, FolderRefused):
            raise
        raise BadShard(shard, f"its side file {path.name} {error}") from None
    try:
        size = shard.stat().st_size
    except OSError:
        raise BadShard(shard, "the file is missing") from None
    if size != contents.size:
        raise BadShard(shard, f"has {size:,} bytes instead of {contents.size:,}")
    return contents


def content_hash(
    frames: tuple[NDArray[Any], ...],
    actions: NDArray[Any],
    rewards: NDArray[np.float32],
    *,
    terminated: bool,
    truncated: bool,
    seed: int,
) -> str:
    """Of one rollout, as stored, wherever it is stored."""
    digest = xxhash.xxh3_128()
    arrays = (*frames, actions, rewards)
    head = [[array.dtype.str, array.shape] for array in arrays]
    digest.update(json.dumps([head, bool(terminated), bool(truncated), int(seed)]).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def hash_file(path: Path) -> tuple[int, str, str]:
    """Bytes, XXH3 (128 bits) and SHA-256 of a file."""
    fast, slow, size = xxhash.xxh3_128(), hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(1 << 20):
            fast.update(block)
            slow.update(block)
            size += len(block)
    return size, fast.hexdigest(), slow.hexdigest()
