"""Reading one shard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from agents.rollouts.contents import Contents, content_hash
from agents.rollouts.errors import BadShard, FolderRefused
from agents.rollouts.rollout import LatentRollout, Rollout
from agents.rollouts.shard import FRAMES, TERMINATED, TRUNCATED, zstd_is_there
from agents.rollouts.spec import FolderSpec


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """Turns what HDF5 says of a damaged file into a `BadShard`."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, BadShard | FolderRefused):
            raise
        if not zstd_is_there():
            raise FolderRefused(
                f"{path} is compressed with zstd: it takes the package hdf5plugin to read it"
            ) from None
        raise BadShard(path, f"cannot be read: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def check_beginning(path: Path) -> None:
    """Reads what an HDF5 file begins with, which says how long it is.

    Raises:
        BadShard: it is damaged.
    """
    with damage(path), h5py.File(path, "r", locking=False):
        pass


class OpenShard:
    """A shard, opened to read.

    Attributes:
        starts: where each rollout's steps begin among those of the shard.
        ends: bits of how each ended.
        seeds: of each.
        actions: of all steps, [steps, ...].
        rewards: of all steps, [steps].

    Raises:
        BadShard: it is damaged; so does every method.
    """

    def __init__(self, path: Path, contents: Contents) -> None:
        self.path, self.contents = path, contents
        zstd_is_there()  # makes HDF5 know the filter
        with damage(path):
            self._file = h5py.File(path, "r", locking=False, rdcc_nbytes=0)
            index = self._file["rollouts"]
            self.lengths: NDArray[np.int64] = index["lengths"][:]
            self.ends: NDArray[np.uint8] = index["ends"][:]
            self.seeds: NDArray[np.int64] = index["seeds"][:]
            numbers: NDArray[np.int64] = index["numbers"][:]
            text: NDArray[np.uint8] = index["attributes"][:]
            self._attributes: list[dict[str, Any]] = json.loads(text.tobytes())
            self.actions: NDArray[Any] = self._file["actions"][:]
            self.rewards: NDArray[np.float32] = self._file["rewards"][:]
            self.frames = [self._file[name] for name in FRAMES[contents.kind]]
        if (
            numbers.tolist() != contents.numbers
            or self.lengths.tolist() != contents.lengths
            or len(self.actions) != sum(contents.lengths)
            or any(len(f) != len(self.actions) + len(numbers) for f in self.frames)
        ):
            raise BadShard(path, "does not hold what its side file says")
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])[:-1]
        self._chunk = self.frames[0].chunks[0]

    def read(self, row: int, start: int, stop: int) -> tuple[NDArray[Any], ...]:
        """Frames `start` to `stop` of the shard's rollout `row`, as stored."""
        begin = int(self.starts[row]) + row  # a rollout has one frame more than it has steps
        with damage(self.path):
            return tuple(series[begin + start : begin + stop] for series in self.frames)

    def pick(self, row: int, wanted: NDArray[np.int64]) -> NDArray[Any]:
        """Observations of the shard's rollout `row`, in ascending order; each chunk is
        decompressed once."""
        series = self.frames[0]
        wanted = wanted + int(self.starts[row]) + row
        chunks = wanted // self._chunk
        firsts = np.flatnonzero(np.diff(chunks, prepend=-1))
        picked = np.empty((len(wanted), *series.shape[1:]), series.dtype)
        with damage(self.path):
            for first, last in zip(firsts, [*firsts[1:], len(wanted)], strict=True):
                begin = int(chunks[first]) * self._chunk
                frames = series[begin : begin + self._chunk]
                picked[first:last] = frames[wanted[first:last] - begin]
        return picked

    def steps(self, row: int, start: int, stop: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Actions and rewards of steps `start` to `stop` of the shard's rollout `row`."""
        begin = int(self.starts[row])
        return self.actions[begin + start : begin + stop], self.rewards[
            begin + start : begin + stop
        ]

    def terminated(self, row: int) -> bool:
        """Whether the shard's rollout `row` ended for good."""
        return bool(self.ends[row] & TERMINATED)

    def rollout(self, row: int) -> Rollout | LatentRollout:
        """The whole rollout, compared with its hash."""
        length, start = int(self.lengths[row]), int(self.starts[row])
        frames = self.read(row, 0, length + 1)
        actions, rewards = (a[start : start + length].copy() for a in (self.actions, self.rewards))
        end = int(self.ends[row])
        terminated, truncated = bool(end & TERMINATED), bool(end & TRUNCATED)
        seed = int(self.seeds[row])
        found = content_hash(
            frames, actions, rewards, terminated=terminated, truncated=truncated, seed=seed
        )
        if found != self.contents.hashes[row]:
            raise BadShard(self.path, f"rollout {self.contents.numbers[row]} has another hash")
        rest = (actions, rewards, terminated, truncated, seed, self._attributes[row])
        if len(frames) == 1:
            return Rollout(frames[0], *rest)
        return LatentRollout(frames[0].astype(np.float32), frames[1].astype(np.float32), *rest)

    def decode(self) -> None:
        """Reads everything and compares it with the hashes."""
        for row in range(len(self.lengths)):
            self.rollout(row)

    def spec(self) -> FolderSpec:
        """What the shard says it is of."""
        with damage(self.path):
            return FolderSpec.from_json(json.loads(self._file["description"][:].tobytes()))

    def close(self) -> None:
        self._file.close()
