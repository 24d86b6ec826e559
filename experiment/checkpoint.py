"""Checkpoints: the whole state of an unfinished run, proved when read, one spare kept.

A file is a line of JSON (whose state, at which timestep, checksum) and a pickle. Two generations
are kept: a torn or damaged one falls back to the one before.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xxhash

from experiment.errors import StorageError
from experiment.files import fsync_folder, storage, write_atomically

FORMAT = 1


class Checkpoints:
    """The two generations of one run's checkpoint.

    Attributes:
        path: of the newest; the one before lies beside it with ".previous".
    """

    def __init__(self, path: Path, setting_id: str, seed: int) -> None:
        self.path = path
        self.previous = path.with_name(path.name + ".previous")
        self._owner = {"format": FORMAT, "setting_id": setting_id, "seed": seed}

    def save(self, timestep: int, state: dict[str, Any]) -> None:
        """Writes a new generation.

        Raises:
            StorageError: disk full, ...; both older generations are as they were.
        """
        payload = pickle.dumps(state, protocol=5)
        header = {
            **self._owner,
            "timestep": timestep,
            "bytes": len(payload),
            "xxh3": xxhash.xxh3_64_hexdigest(payload),
        }
        data = json.dumps(header).encode() + b"\n" + payload
        new = self.path.with_name(self.path.name + ".new")
        write_atomically(new, data)
        with storage(f"{self.path}: cannot be replaced"):
            if self.path.exists():
                self.path.replace(self.previous)
            new.replace(self.path)
            fsync_folder(self.path.parent)

    def load(self, report: Callable[[str], None]) -> dict[str, Any] | None:
        """The newest state that is whole, or None to start afresh. `report` hears of damage.

        Only for the holder of the run's lock.
        """
        # a kill between the two renames of `save` leaves the newest under its temporary name
        for path in (self.path.with_name(self.path.name + ".new"), self.path, self.previous):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StorageError(f"{path}: cannot be read: {error.strerror}") from error
            try:
                return self._open(data)
            except _Damaged as damage:
                report(f"{path}: {damage}; falling back to the checkpoint before it")
        return None

    def _open(self, data: bytes) -> dict[str, Any]:
        line, _, payload = data.partition(b"\n")
        try:
            header = json.loads(line)
            owner = {key: header[key] for key in self._owner}
            size, checksum = header["bytes"], header["xxh3"]
        except (ValueError, KeyError, TypeError):
            raise _Damaged("not a checkpoint") from None
        if owner != self._owner:
            raise _Damaged(f"belongs to {owner}, not to {self._owner}")
        if len(payload) != size:
            raise _Damaged(f"truncated ({len(payload)} of {size} bytes)")
        if xxhash.xxh3_64_hexdigest(payload) != checksum:
            raise _Damaged("its checksum is wrong")
        try:
            state: dict[str, Any] = pickle.loads(payload)
        except Exception as error:  # whatever a class of another code version raises
            raise _Damaged(f"cannot be read by this version ({error})") from None
        return state

    def delete(self) -> None:
        """Removes every generation: the record is written."""
        for path in (self.path.with_name(self.path.name + ".new"), self.path, self.previous):
            with storage(f"{path}: cannot be removed"):
                path.unlink(missing_ok=True)


class _Damaged(Exception):  # noqa: N818
    """Why a checkpoint cannot be used."""
