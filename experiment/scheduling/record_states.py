"""How the record files of a folder stand: whole, diverged or torn, and none is opened twice.

<results folder>/.status.index      a cache: index, stamp and state of each file

A file is looked at (`stat`) every time, and opened when anything of that is new. So what the cache
says is what opening the file would say, whoever replaced, edited or truncated it. Without it, or
with one that is torn, all are opened.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from array import array
from collections.abc import Mapping
from typing import Literal

from experiment import columns, record
from experiment.columns import Type
from experiment.errors import StorageError
from experiment.folder import ResultFolder
from experiment.merge_index import stamp

CACHE_NAME = ".status.index"
FORMAT = 2
_TYPES: tuple[Type, ...] = ("q", "Q", "B")
_SAVED_FROM = 256
_LARGEST = 2**63 - 1
#: What changed so shortly before it was read may change again without another stamp: clocks of
#: file systems tick every few milliseconds, some every two seconds.
_SETTLED_NS = 3 * 10**9

State = Literal[0, 1, 2]
COMPLETED: State = 0
DIVERGED: State = 1
TORN: State = 2
_STATES: dict[int, State] = {0: COMPLETED, 1: DIVERGED, 2: TORN}

#: (index by the file's name, stamp of the file) -> state.
_Known = dict[tuple[int, int], State]


def record_states(folder: ResultFolder) -> dict[int, State]:
    """Index by its name -> state, of every file that is named as a record.

    Raises:
        StorageError: the folder or a record cannot be read.
    """
    try:
        place = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"{folder.path}: cannot be read: {error.strerror}") from None
    known = _load(folder)
    found: dict[int, State] = {}
    seen: _Known = {}
    new = 0
    settled = time.time_ns() - _SETTLED_NS
    named = re.compile(re.escape(folder.manifest.stem) + r"_data_(0|[1-9][0-9]*)\.json").fullmatch
    try:
        for name in os.listdir(place):  # noqa: PTH208 - names, a million of them
            match = named(name)
            if match is None:
                continue
            index = int(match[1])
            try:
                key = index, stamp(os.stat(name, dir_fd=place))
                state = known.get(key)
                if state is None:
                    lies, state = _read(name, place)
                    key = index, stamp(lies)
                    if max(lies.st_mtime_ns, lies.st_ctime_ns) < settled:
                        seen[key] = state
                        new += 1
                else:
                    seen[key] = state
            except FileNotFoundError:
                continue  # moved since the folder was listed
            except OSError as error:
                raise StorageError(
                    f"{folder.path / name}: cannot be read: {error.strerror}"
                ) from None
            found[index] = state
    finally:
        os.close(place)
    if new >= _SAVED_FROM:
        _save(folder, seen)
    return found


def _read(name: str, place: int) -> tuple[os.stat_result, State]:
    """How the file stands, and what it was when that was read."""
    file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=place)
    try:
        lies = os.fstat(file)
        return lies, _state(file, lies.st_size)
    except record.BadRecord:
        return lies, TORN
    finally:
        os.close(file)


def _state(file: int, size: int) -> State:
    seal = record.seal_of(os.pread(file, record.TAIL, max(0, size - record.TAIL)))
    if seal is None:  # written by another program, or torn
        head = record.unseal(os.pread(file, size, 0)).head
    elif seal.length != size or seal.run[0] > size:
        return TORN
    else:
        head = record.head_of(os.pread(file, record.HEAD, seal.run[0]))
    return DIVERGED if head.status == "diverged" else COMPLETED


def _load(folder: ResultFolder) -> _Known:
    found = columns.load(folder.path / CACHE_NAME, _TYPES)
    if found is None or found[0] != {"format": FORMAT}:
        return {}
    indices, stamps, states = found[1]
    if max(states, default=0) not in _STATES:
        return {}
    return dict(
        zip(zip(indices, stamps, strict=True), map(_STATES.__getitem__, states), strict=True)
    )


def _save(folder: ResultFolder, seen: Mapping[tuple[int, int], State]) -> None:
    kept = {key: state for key, state in seen.items() if key[0] <= _LARGEST}
    saved = (
        array("q", (index for index, _ in kept)),
        array("Q", (stamp for _, stamp in kept)),
        array("B", kept.values()),
    )
    with contextlib.suppress(StorageError):  # only a cache
        columns.save(folder.path / CACHE_NAME, {"format": FORMAT}, saved)
