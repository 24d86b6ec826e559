"""What `data.json` was made of, so that the next merge reads only the records that are new.

The index is a line of JSON (which manifest, which data.json, checksum) and five columns, a value a
record in the order of data.json. It is a cache: one that does not fit is left out of account.
"""

from __future__ import annotations

import mmap
import os
import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import xxhash

from experiment import columns, record
from experiment.columns import Type

FORMAT = 2
_TYPES: tuple[Type, ...] = ("q", "Q", "q", "q", "B")
_STAT = struct.Struct("<QQQQ")
_WORD = 0xFFFF_FFFF_FFFF_FFFF


def path_of(output: Path) -> Path:
    """Where the index of the merged file `output` lies."""
    return output.with_name(f".{output.name}.index")


def stamp(stat: os.stat_result) -> int:
    """A number that changes when a file is replaced, edited or touched.

    The time of the last change of the inode is in it: no program can set that one back.
    """
    # written out: it is asked for a hundred thousand files at a time
    return xxhash.xxh3_64_intdigest(
        _STAT.pack(
            stat.st_size & _WORD,
            stat.st_mtime_ns & _WORD,
            stat.st_ctime_ns & _WORD,
            stat.st_ino & _WORD,
        )
    )


def _identity(stat: os.stat_result) -> list[int]:
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


@dataclass(slots=True)
class Columns:
    """The runs of a data.json in its order: 33 bytes each.

    Attributes:
        indices: of the runs.
        stamps: of the record files that they came from.
        starts, lengths: where their bytes lie in data.json.
        diverged: 1 where that is the status.
    """

    indices: Sequence[int] = field(default_factory=lambda: array("q"))
    stamps: Sequence[int] = field(default_factory=lambda: array("Q"))
    starts: Sequence[int] = field(default_factory=lambda: array("q"))
    lengths: Sequence[int] = field(default_factory=lambda: array("q"))
    diverged: Sequence[int] = field(default_factory=lambda: array("B"))

    def __len__(self) -> int:
        return len(self.indices)

    def all(self) -> tuple[Any, ...]:
        """The five, in the order of the file."""
        return self.indices, self.stamps, self.starts, self.lengths, self.diverged

    def append(self, index: int, stamp: int, start: int, length: int, diverged: int) -> None:
        """One more run; only on columns that were not loaded."""
        values = (index, stamp, start, length, diverged)
        for column, value in zip(self.all(), values, strict=True):
            column.append(value)


class Earlier:
    """The runs of an earlier data.json, asked for in its order.

    Attributes:
        size: of that data.json in bytes; 0 when there is none.
    """

    def __init__(self, columns: Columns, size: int, grid_size: int) -> None:
        self.columns, self.size = columns, size
        self._grid_size = grid_size
        self._next = 0

    def find(self, index: int) -> int | None:
        """The position of run `index`, if it is there. Ask by setting, and then by run."""
        wanted = self._rank(index)
        indices = self.columns.indices
        while self._next < len(indices):
            found = indices[self._next]
            if found == index:
                return self._next
            if self._rank(found) > wanted:
                return None
            self._next += 1
        return None

    def _rank(self, index: int) -> tuple[int, int]:
        return index % self._grid_size, index

    def stamp(self, position: int) -> int:
        """Of the record file that the run came from."""
        return self.columns.stamps[position]

    def span(self, position: int) -> tuple[int, int]:
        """Where the run begins and ends in the file."""
        start = self.columns.starts[position]
        return start, start + self.columns.lengths[position]

    def end(self, position: int) -> int:
        """Where the run ends; before the first one that is where the file begins."""
        return 0 if position < 0 else self.span(position)[1]


def save(path: Path, runs: Columns, manifest: str, data: os.stat_result) -> None:
    """Writes the index.

    Args:
        manifest: digest of what the indices mean.
        data: the data.json that it describes.

    Raises:
        StorageError: the disk is full...
    """
    columns.save(path, _header(manifest, data), runs.all())


def load(path: Path, manifest: str, data: os.stat_result) -> Columns | None:
    """The index, if it is whole and describes just this manifest and this data.json."""
    found = columns.load(path, _TYPES)
    if found is None or found[0] != _header(manifest, data):
        return None
    return Columns(*found[1])


class _Setting(msgspec.Struct):
    runs: list[msgspec.Raw]


class _DataFile(msgspec.Struct):
    experiment_data: dict[str, _Setting]


def rebuild(file: int) -> Columns:
    """The index of an open data.json, by parsing it. Stamps are checksums of the runs' bytes.

    Raises:
        ValueError: it is no whole data.json.
    """
    found = Columns()
    with mmap.mmap(file, 0, access=mmap.ACCESS_READ) as content:
        tree = msgspec.json.decode(content, type=_DataFile)
        start = 0
        for setting in tree.experiment_data.values():
            for raw in setting.runs:
                run = bytes(raw)
                start = content.find(run[: record.HEAD], start)
                head = record.head_of(run)
                checksum = xxhash.xxh3_64_intdigest(run)
                found.append(head.index, checksum, start, len(run), head.status == "diverged")
                start += len(run)
        del tree, setting, raw  # they hold the map
    return found


def _header(manifest: str, data: os.stat_result) -> dict[str, Any]:
    return {"format": FORMAT, "manifest": manifest, "data": _identity(data)}
