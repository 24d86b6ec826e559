"""A folder that any number of processes fill with rollouts, without a lock.

A shard is data once its file and its side file are there under their own names. Both are written
under hidden names, synced and renamed, the side file first: what a kill leaves is a hidden file
or a side file without a shard, and neither is taken for data. Names are random until `finalize`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from agents.rollouts.contents import Contents, read_contents
from agents.rollouts.errors import BadShard, FolderRefused
from agents.rollouts.files import clear_leftovers, read_json, write_json
from agents.rollouts.finalizing import MANIFEST, finalize
from agents.rollouts.rollout import LatentRollout, Rollout
from agents.rollouts.shard import SUFFIX, ShardWriter
from agents.rollouts.spec import FolderSpec, difference

SPEC_FILE = "folder.json"
SHARD_BYTES = 128_000_000
_SIDE_FILE_SECONDS = 60.0  # after which its shard is not merely late


class FolderWriter:
    """Where rollouts are added one after another. See `RolloutFolder.writer`."""

    def __init__(self, folder: RolloutFolder, shard_bytes: int) -> None:
        self._folder, self._shard_bytes = folder, shard_bytes
        self._shard: ShardWriter | None = None

    @property
    def pending(self) -> tuple[int, ...]:
        """Numbers of the rollouts that a kill would lose: those of the shard being written."""
        return () if self._shard is None else self._shard.numbers

    def add(self, number: int, rollout: Rollout | LatentRollout) -> Path | None:
        """Writes a rollout.

        Returns:
            the shard, where this completed one.

        Raises:
            OSError: it cannot be written; the shard being written is discarded.
            ValueError: it is none, or of other shapes than the first.
        """
        if self._shard is None:
            self._shard = self._folder.new_shard()
        try:
            self._shard.add(number, rollout)
        except OSError:
            self._shard.discard()
            self._shard = None
            raise
        return self.close() if self._shard.bytes_written >= self._shard_bytes else None

    def close(self) -> Path | None:
        """Completes the shard being written."""
        shard, self._shard = self._shard, None
        if shard is None:
            return None
        if not shard.numbers:
            shard.discard()
            return None
        return shard.close()


class RolloutFolder:
    """An existing folder of rollouts.

    Attributes:
        path: of the folder.
        spec: what it is of.

    Raises:
        FolderRefused: it is not one, or its description is damaged.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.spec = _read_spec(self.path)

    @classmethod
    def create(cls, path: Path | str, spec: FolderSpec, exist_ok: bool = True) -> RolloutFolder:
        """A new folder, or the one that is there when it is of the same specification.

        More rollouts may be wanted than before: the folder then wants that many.

        Raises:
            FolderRefused: it is of another specification, or wants more rollouts than this.
            OSError: it cannot be made.
        """
        path = Path(path)
        file = path / SPEC_FILE
        path.mkdir(parents=True, exist_ok=True)
        if file.exists():
            if not exist_ok:
                raise FolderRefused(f"{path} holds rollouts already")
            folder = cls(path)
            if differs := difference(spec, folder.spec):
                raise FolderRefused(f"{path} holds other rollouts: {differs}; use another folder")
            if spec.rollouts < folder.spec.rollouts:
                raise FolderRefused(
                    f"{path} is for {folder.spec.rollouts:,} rollouts, not for {spec.rollouts:,}; "
                    "more can be asked for, not fewer"
                )
            if spec.rollouts == folder.spec.rollouts:
                return folder
        write_json(file, spec.to_json())
        return cls(path)

    def shards(self) -> list[Path]:
        """All files that have a shard's name, in the order of their names."""
        return sorted(self.path.glob(f"{self.spec.name}-*{SUFFIX}"))

    def scan(self) -> list[tuple[Path, Contents | BadShard]]:
        """Each shard with what its side file says, or with what is wrong."""
        while True:
            found = [(path, _contents(path)) for path in self.shards()]
            # what is gone by now was renamed by `finalize` in another process
            if all(path.exists() for path, contents in found if isinstance(contents, BadShard)):
                return found

    def good_shards(self) -> Iterator[tuple[Path, Contents]]:
        """Those whose side file is right and whose size is."""
        for path, contents in self.scan():
            if not isinstance(contents, BadShard):
                yield path, contents

    def missing(self) -> Sequence[int]:
        """Numbers of the rollouts, 0 to N - 1, that no good shard holds; ascending."""
        held = np.zeros(self.spec.rollouts, bool)
        for _, contents in self.good_shards():
            numbers = np.array(contents.numbers)
            held[numbers[numbers < len(held)]] = True
        return [int(number) for number in np.flatnonzero(~held)]

    def write_shard(
        self, numbers: Iterable[int], rollouts: Iterable[Rollout | LatentRollout]
    ) -> Path:
        """Writes one shard of all these rollouts, which may be made as they are asked for.

        Raises:
            OSError: it cannot be written; nothing is left of it.
            ValueError: a rollout is none, or of other shapes than the first.
        """
        with ShardWriter(self._new_name(), self.spec) as writer:
            for number, rollout in zip(numbers, rollouts, strict=True):
                writer.add(number, rollout)
        return writer.path

    @contextmanager
    def writer(self, shard_bytes: int = SHARD_BYTES) -> Iterator[FolderWriter]:
        """Where rollouts are added one after another; a shard that reaches `shard_bytes` on disk
        is closed and the next begun. An exception closes the last one too."""
        writer = FolderWriter(self, shard_bytes)
        try:
            yield writer
        finally:
            writer.close()

    def new_shard(self) -> ShardWriter:
        """A shard of a name that no other has."""
        return ShardWriter(self._new_name(), self.spec)

    def _new_name(self) -> Path:
        return self.path / f"{self.spec.name}-{secrets.token_hex(8)}{SUFFIX}"

    def finalize(self) -> dict[str, Any]:
        """Gives the shards of a complete folder their names in order, NAME-00003-of-00074, and
        writes the manifest. Readers may read meanwhile, and after a kill; call it again then.

        Returns:
            the manifest.

        Raises:
            FolderRefused: rollouts are missing, or a shard is damaged.
            OSError: a file cannot be written or renamed.
        """
        return finalize(self)

    @property
    def manifest(self) -> dict[str, Any] | None:
        """What `finalize` wrote; None: it was not called, or the file is damaged."""
        try:
            return read_json(self.path / MANIFEST)
        except (OSError, ValueError):
            return None

    def clear_leftovers(self) -> int:
        """Removes what killed writers left.

        Returns:
            how many files.
        """
        removed = clear_leftovers(self.path)
        for side in self.path.glob(f"{self.spec.name}-*.json"):
            if self._is_left_over(side):
                side.unlink(missing_ok=True)
                removed += 1
        return removed

    def _is_left_over(self, side: Path) -> bool:
        """Whether a side file waits for no shard: one that is being written is still hidden."""
        shard = side.with_suffix(SUFFIX)
        try:
            old = time.time() - side.stat().st_mtime > _SIDE_FILE_SECONDS
        except FileNotFoundError:
            return False
        return old and not any(self.path.glob(f".{shard.name}.*")) and not shard.exists()


def _contents(path: Path) -> Contents | BadShard:
    try:
        return read_contents(path)
    except BadShard as damaged:
        return damaged


def _read_spec(folder: Path) -> FolderSpec:
    file = folder / SPEC_FILE
    try:
        return FolderSpec.from_json(read_json(file))
    except FileNotFoundError:
        what = "is no folder of rollouts" if folder.is_dir() else "no such folder"
        raise FolderRefused(f"{folder}: {what}: there is no {SPEC_FILE} in it") from None
    except ValueError as error:
        raise FolderRefused(f"{file} {error}") from None
    except OSError as error:
        raise FolderRefused(f"{file} cannot be read: {error.strerror}") from None
