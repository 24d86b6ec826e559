"""Which runs have no whole record: one listing of the folder and the last bytes of each file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from experiment import record
from experiment.folder import ResultFolder
from experiment.lock import held

_TAIL = 160
_END = re.compile(rb',"xxh3":"[0-9a-f]{16}"\}\}\n\Z')
_SPAN = re.compile(rb'"run":\[\d+,(\d+)\],"xxh3"')


@dataclass
class Records:
    """What a results folder holds.

    Attributes:
        whole: indices with a whole record.
        torn: indices whose record is truncated or damaged; they count as missing.
    """

    whole: set[int] = field(default_factory=set)
    torn: list[int] = field(default_factory=list)


def records(folder: ResultFolder) -> Records:
    """Looks at every record of a folder.

    A record is taken for whole when it ends in its seal and is as long as the seal says; its
    checksum is for `combine.py`, which reads it all.
    """
    found = Records()
    prefix = f"{folder.manifest.stem}_data_"
    try:
        names = os.listdir(folder.path)  # noqa: PTH208 - names, a million of them
        place = os.open(folder.path, os.O_RDONLY)
    except FileNotFoundError:
        return found
    start = len(prefix)
    try:
        for name in names:
            number = name[start:-5]
            if name.startswith(prefix) and name.endswith(".json") and number.isdecimal():
                if _is_whole(name, place):
                    found.whole.add(int(number))
                else:
                    found.torn.append(int(number))
    finally:
        os.close(place)
    return found


def _is_whole(name: str, place: int) -> bool:
    descriptor = os.open(name, os.O_RDONLY, dir_fd=place)
    try:
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
        span = _SPAN.search(tail)
        if span is not None and _END.search(tail):
            # the seal follows the run and three closing brackets
            return size - len(tail) + tail.rindex(b',"seal":') == int(span[1]) + 3
        record.unseal(os.pread(descriptor, size, 0))  # written by another program
    except (record.BadRecord, ValueError):
        return False
    finally:
        os.close(descriptor)
    return True


def being_run(folder: ResultFolder) -> set[str]:
    """Names (`Run.name`) of the runs that a living process has in hand now."""
    return {path.stem for path in (folder.path / "running").glob("*.lock") if held(path)}


def without(wanted: Iterable[int], *known: set[int]) -> Iterator[int]:
    """The wanted indices that are in none of the sets."""
    return (index for index in wanted if not any(index in one for one in known))


def locked_indices(folder: ResultFolder, candidates: Iterable[int], names: set[str]) -> set[int]:
    """Those of the candidates whose `Run.name` is among the names."""
    if not names:
        return set()
    seeds = {int(name.rpartition("-")[2]) for name in names}
    offset, grid = folder.manifest.seed_offset, folder.manifest.grid
    found = set()
    for index in candidates:
        if index // grid.size + offset in seeds and folder.run(index).name in names:
            found.add(index)
            if len(found) == len(names):
                break
    return found
