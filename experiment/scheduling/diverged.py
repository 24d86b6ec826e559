"""Which finished runs diverged, without opening a record twice.

<results folder>/.status.index      a cache: status by index and inode
"""

from __future__ import annotations

import contextlib
import os
import re
from array import array

import xxhash

from experiment import columns, merge_index, record
from experiment.columns import Type
from experiment.errors import StorageError
from experiment.folder import ResultFolder
from experiment.manifest import FILE_NAME
from experiment.pruned import DATA_NAME

CACHE_NAME = ".status.index"
FORMAT = 1
_TYPES: tuple[Type, ...] = ("q", "Q", "B")
_SAVED_FROM = 256


def diverged(folder: ResultFolder) -> set[int]:
    """Indices of the runs that did; `folder.shards` as they were looked at last."""
    found = _in_files(folder)
    shards = folder.shards
    found.update(i for i, position in shards.at_home().items() if shards.line(position).diverged)
    return found | _pruned(folder)


def _in_files(folder: ResultFolder) -> set[int]:
    known: dict[tuple[int, int], int] = {}
    loaded = columns.load(folder.path / CACHE_NAME, _TYPES)
    if loaded is not None and loaded[0].get("format") == FORMAT:
        indices, inodes, statuses = loaded[1]
        known = dict(zip(zip(indices, inodes, strict=True), statuses, strict=True))
    now: dict[tuple[int, int], int] = {}
    named = re.compile(re.escape(folder.manifest.stem) + r"_data_(0|[1-9][0-9]{0,17})\.json")
    new = 0
    with contextlib.suppress(OSError), os.scandir(folder.path) as entries:
        for entry in entries:
            match = named.fullmatch(entry.name)
            if match:
                key = int(match[1]), entry.inode()
                status = known.get(key)
                if status is None:
                    status = _status(entry.path)
                    new += 1
                if status is not None:
                    now[key] = status
    if new >= _SAVED_FROM:
        with contextlib.suppress(StorageError):  # only a cache
            keys = now.keys()
            saved = (
                array("q", (i for i, _ in keys)),
                array("Q", (inode for _, inode in keys)),
                array("B", now.values()),
            )
            columns.save(folder.path / CACHE_NAME, {"format": FORMAT}, saved)
    return {index for (index, _), status in now.items() if status}


def _status(path: str) -> int | None:
    """1 of a record whose run diverged, 0 of another; None if it cannot be told."""
    with contextlib.suppress(OSError, record.BadRecord):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(file).st_size
            seal = record.seal_of(os.pread(file, record.TAIL, max(0, size - record.TAIL)))
            if seal is None:
                head = record.unseal(os.pread(file, size, 0)).head
            else:
                head = record.head_of(os.pread(file, record.HEAD, seal.run[0]))
            return int(head.status == "diverged")
        finally:
            os.close(file)
    return None


def _pruned(folder: ResultFolder) -> set[int]:
    pruned = folder.pruned()
    if not pruned:
        return set()
    data = folder.path / DATA_NAME
    with contextlib.suppress(OSError):
        digest = xxhash.xxh3_128_hexdigest((folder.path / FILE_NAME).read_bytes())
        indexed = merge_index.load(merge_index.path_of(data), digest, data.stat())
        if indexed is not None:
            both = zip(indexed.indices, indexed.diverged, strict=True)
            return {index for index, did in both if did and index in pruned}
    return set()
