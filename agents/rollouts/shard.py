"""Writing one shard: an HDF5 file of several rollouts.

Frames of all rollouts lie one after another in one dataset, in compressed chunks of ten, and so do
actions and rewards. Every dataset is chunked and has HDF5's Fletcher-32 checksum after compression;
version 3 of the file's superblock gives its metadata checksums too. Each rollout has a hash of its
content besides, which does not depend on the shard that it lies in.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import socket
import warnings
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from agents.rollouts.contents import content_hash, hash_file, side_file
from agents.rollouts.files import Temporary, write_json
from agents.rollouts.rollout import LatentRollout, Rollout, check_rollout, frames_of
from agents.rollouts.sink import Sink
from agents.rollouts.spec import SCHEMA, FolderSpec

SUFFIX = ".h5"
CHUNK_FRAMES = 10
#: Frames are small where observations are vectors: a chunk has these bytes at least.
CHUNK_BYTES = 16384
FRAMES = {"raw": ("observations",), "latent": ("means", "log_variances")}
TERMINATED, TRUNCATED = 1, 2
_ZSTD = 32015  # of the HDF Group's registry of filters
_VERSION = ("v110", "v110")


class ShardWriter:
    """A shard that is being written, hidden until `close`.

    Use as a context manager: leaving it closes the shard, an exception discards it.

    Raises:
        OSError: the disk is full, the folder is read-only...; nothing is left of the shard.
        ValueError: a rollout is none, or has other shapes or dtypes than the first.
    """

    def __init__(self, path: Path, spec: FolderSpec) -> None:
        self.path, self.spec = path, spec
        self._names = FRAMES[spec.kind]
        self._numbers: list[int] = []
        self._lengths: list[int] = []
        self._ends: list[int] = []
        self._seeds: list[int] = []
        self._hashes: list[str] = []
        self._attributes: list[dict[str, Any]] = []
        self._file: h5py.File | None = None
        self._series: dict[str, h5py.Dataset] = {}  # kept open: closing one writes a partial chunk
        self._temporary = Temporary(path)
        self._sink = Sink(self._temporary.file)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the rollouts so far."""
        return tuple(self._numbers)

    @property
    def bytes_written(self) -> int:
        """Size on disk so far."""
        return self._sink.end

    def add(self, number: int, rollout: Rollout | LatentRollout) -> None:
        """Compresses and writes one rollout."""
        check_rollout(rollout)
        if isinstance(rollout, LatentRollout) != (self.spec.kind == "latent"):
            raise ValueError(f"this folder holds {self.spec.kind} rollouts")
        frames = tuple(self._stored(array) for array in frames_of(rollout))
        rewards = np.asarray(rollout.rewards, np.float32)
        if self._file is None:
            self._file = self._create(frames[0], rollout.actions)
        arrays = dict(zip(self._names, frames, strict=True)) | {"actions": rollout.actions}
        for name, array in arrays.items():
            _check_same(self._series[name], array)
        for name, array in (arrays | {"rewards": rewards}).items():
            _append(self._series[name], array)
        self._sink.check(self.path)
        self._numbers.append(int(number))
        self._lengths.append(len(rewards))
        self._ends.append(TERMINATED * rollout.terminated + TRUNCATED * rollout.truncated)
        self._seeds.append(int(rollout.seed))
        self._attributes.append(dict(rollout.attributes))
        self._hashes.append(
            content_hash(
                frames,
                rollout.actions,
                rewards,
                terminated=rollout.terminated,
                truncated=rollout.truncated,
                seed=rollout.seed,
            )
        )

    def close(self) -> Path:
        """Completes the shard, which is data from here on.

        Returns:
            where it is.
        """
        try:
            if self._file is None:
                raise ValueError("a shard has one rollout at least")
            file, self._file = self._file, None
            contents = self._complete(file)
            self._sink.check(self.path)
            size, xxh3, sha256 = hash_file(self._temporary.path)
            side = {"schema": SCHEMA, "size": size, "xxh3": xxh3, "sha256": sha256, **contents}
            os.fsync(self._temporary.file.fileno())
            write_json(side_file(self.path), side)
            self._temporary.publish()
        except BaseException:
            self.discard()
            if not self.path.exists():
                with contextlib.suppress(OSError):
                    side_file(self.path).unlink()
            raise
        return self.path

    def discard(self) -> None:
        """Leaves nothing of the shard."""
        if self._file is not None:
            self._sink.stop()
            self._file.close()
            self._file = None
        self._temporary.discard()

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _stored(self, frames: NDArray[Any]) -> NDArray[Any]:
        if self.spec.kind == "raw":
            return frames
        if (largest := np.abs(frames).max()) > np.finfo(self.spec.latent_dtype).max:
            raise ValueError(f"{largest:g} is too large for {self.spec.latent_dtype}")
        return frames.astype(self.spec.latent_dtype)

    def _create(self, frame: NDArray[Any], actions: NDArray[Any]) -> h5py.File:
        file = h5py.File(self._sink, "w", libver=_VERSION)
        kinds = dict.fromkeys(self._names, frame)
        kinds |= {"actions": actions, "rewards": np.zeros(0, np.float32)}
        for name, like in kinds.items():
            self._series[name] = _create_series(file, name, like)
        return file

    def _complete(self, file: h5py.File) -> dict[str, Any]:
        frames, actions = self._series[self._names[0]], self._series["actions"]
        index = file.create_group("rollouts")
        for name, values, dtype in (
            ("numbers", self._numbers, np.int64),
            ("lengths", self._lengths, np.int64),
            ("ends", self._ends, np.uint8),
            ("seeds", self._seeds, np.int64),
        ):
            _create_whole(index, name, np.array(values, dtype))
        _create_whole(index, "hashes", _text_array(self._hashes))
        _create_whole(index, "attributes", _text_array(self._attributes))
        _create_whole(file, "description", _text_array(self._description()))
        file.attrs["format"] = f"rollouts/{SCHEMA}"
        contents = {
            "rollout_count": len(self._numbers),
            "step_count": sum(self._lengths),
            "kind": self.spec.kind,
            "frame_shape": list(frames.shape[1:]),
            "frame_dtype": frames.dtype.str,
            "action_shape": list(actions.shape[1:]),
            "action_dtype": actions.dtype.str,
            "writer": f"{socket.gethostname()} {os.getpid()}",
            "numbers": self._numbers,
            "lengths": self._lengths,
            "hashes": self._hashes,
        }
        file.close()
        return contents

    def _description(self) -> dict[str, Any]:
        packages = ("gymnasium", "numpy", "h5py")
        versions = {name: metadata.version(name) for name in packages}
        return self.spec.to_json() | {"versions": {"python": platform.python_version(), **versions}}


def compression(dtype: np.dtype[Any]) -> Mapping[str, Any]:
    """Filters of a dataset: zstd where hdf5plugin is installed, or else gzip."""
    filters: dict[str, Any] = {"fletcher32": True, "shuffle": dtype.itemsize > 1}
    if zstd_is_there():
        return {**filters, "compression": _ZSTD, "compression_opts": (3,)}
    warnings.warn(
        "hdf5plugin is not installed: shards are compressed with gzip, which is slower",
        stacklevel=2,
    )
    return {**filters, "compression": "gzip", "compression_opts": 4}


def zstd_is_there() -> bool:
    """Whether shards that are compressed with zstd can be written and read."""
    try:
        import hdf5plugin  # noqa: F401  its import registers the filter
    except ImportError:
        return False
    return bool(h5py.h5z.filter_avail(_ZSTD))


def _create_series(file: h5py.File, name: str, like: NDArray[Any]) -> h5py.Dataset:
    """A dataset that grows, of the shape and dtype of the entries of `like`."""
    shape, dtype = like.shape[1:], like.dtype
    entry = max(1, dtype.itemsize * int(np.prod(shape)))
    chunk = max(CHUNK_FRAMES, CHUNK_BYTES // entry)
    return file.create_dataset(
        name,
        (0, *shape),
        dtype,
        maxshape=(None, *shape),
        chunks=(chunk, *shape),
        rdcc_nbytes=4 * chunk * entry,
        **compression(dtype),
    )


def _create_whole(group: h5py.Group, name: str, values: NDArray[Any]) -> None:
    group.create_dataset(name, data=values, chunks=values.shape, **compression(values.dtype))


def _check_same(dataset: h5py.Dataset, values: NDArray[Any]) -> None:
    if values.shape[1:] != dataset.shape[1:] or values.dtype != dataset.dtype:
        raise ValueError(
            f"{dataset.name[1:]} of {values.dtype} {values.shape[1:]} among those of "
            f"{dataset.dtype} {dataset.shape[1:]}"
        )


def _append(dataset: h5py.Dataset, values: NDArray[Any]) -> None:
    begin = len(dataset)
    dataset.resize(begin + len(values), axis=0)
    dataset[begin:] = values


def _text_array(content: Any) -> NDArray[np.uint8]:
    """JSON as bytes: HDF5 keeps text of varying length where no checksum covers it."""
    return np.frombuffer(json.dumps(content).encode(), np.uint8)
