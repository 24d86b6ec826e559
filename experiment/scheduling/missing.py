"""Which runs have no whole record: one listing of the folder, the last bytes of each file, and what
is not known yet of the shards."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from experiment import record
from experiment.errors import StorageError
from experiment.folder import ResultFolder
from experiment.lock import held


@dataclass
class Records:
    """What a results folder holds.

    Attributes:
        whole: indices with a whole record.
        torn: indices whose record is truncated or damaged; they count as missing.
    """

    whole: set[int] = field(default_factory=set)
    torn: set[int] = field(default_factory=set)


def records(folder: ResultFolder) -> Records:
    """Looks at every record of a folder.

    A record is taken for whole when it ends in its seal and is as long as the seal says; its
    checksum is for `combine.py`, which reads it all.

    Raises:
        StorageError: the folder or a record cannot be read.
    """
    found = Records()
    named = re.compile(re.escape(folder.manifest.stem) + r"_data_(0|[1-9][0-9]*)\.json")
    try:
        place = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return found
    except OSError as error:
        raise StorageError(f"{folder.path}: cannot be read: {error.strerror}") from None
    try:
        for name in os.listdir(place):  # noqa: PTH208 - names, a million of them
            match = named.fullmatch(name)
            if match:
                try:
                    (found.whole if _is_whole(name, place) else found.torn).add(int(match[1]))
                except FileNotFoundError:
                    continue  # moved since the folder was listed
                except OSError as error:
                    raise StorageError(
                        f"{folder.path / name}: cannot be read: {error.strerror}"
                    ) from None
    finally:
        os.close(place)
    folder.shards.look()
    found.whole.update(folder.shards.at_home(), folder.pruned())
    found.torn -= found.whole
    return found


def _is_whole(name: str, place: int) -> bool:
    descriptor = os.open(name, os.O_RDONLY, dir_fd=place)
    try:
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, record.TAIL, max(0, size - record.TAIL))
        whole = record.ends_whole(tail, size)
        if whole is None:
            record.unseal(os.pread(descriptor, size, 0))  # written by another program, or torn
        return whole is not False
    except record.BadRecord:
        return False
    finally:
        os.close(descriptor)


def being_run(folder: ResultFolder) -> set[str]:
    """Names (`Run.name`) of the runs that a living process has in hand now."""
    return {path.stem for path in (folder.path / "running").glob("*.lock") if held(path)}


def left_behind(folder: ResultFolder) -> set[str]:
    """Names (`Run.name`) of the runs whose last holder was killed."""
    return {path.stem for path in (folder.path / "running").glob("*.lock") if not held(path)}


def locked_indices(folder: ResultFolder, candidates: Iterable[int], names: set[str]) -> set[int]:
    """Those of the candidates whose `Run.name` is among the names."""
    seeds = {int(name.rpartition("-")[2]) for name in names}
    offset, grid = folder.manifest.seed_offset, folder.manifest.grid
    found: set[int] = set()
    for index in candidates:
        if len(found) == len(names):
            break
        # the seed is cheap, and most candidates have another
        if index // grid.size + offset in seeds and folder.run(index).name in names:
            found.add(index)
    return found
