"""Which runs have no whole record: one look at every file, and what is not known yet of the
shards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import xxhash

from experiment import merge_index
from experiment.folder import ResultFolder
from experiment.lock import held
from experiment.manifest import FILE_NAME
from experiment.pruned import DATA_NAME
from experiment.scheduling.record_states import DIVERGED, TORN, record_states


@dataclass
class Records:
    """What a results folder holds.

    Attributes:
        whole: indices with a whole record.
        torn: indices whose record is truncated or damaged; they count as missing.
        diverged: of the whole, those whose run did.
    """

    whole: set[int] = field(default_factory=set)
    torn: set[int] = field(default_factory=set)
    diverged: set[int] = field(default_factory=set)


def records(folder: ResultFolder) -> Records:
    """Looks at every record of a folder.

    A record is taken for whole when it ends in its seal and is as long as the seal says; its
    checksum is for `combine.py`, which reads it all.

    Raises:
        StorageError: the folder or a record cannot be read.
    """
    files = record_states(folder)
    torn = {index for index, state in files.items() if state == TORN}
    whole = files.keys() - torn
    diverged = {index for index, state in files.items() if state == DIVERGED}
    folder.shards.look()
    # of a run that is in several places the file counts, and then the shards
    diverged |= folder.shards.diverged() - whole
    whole |= folder.shards.at_home().keys()
    diverged |= _diverged_of_pruned(folder) - whole
    whole |= folder.pruned().keys()
    return Records(whole, torn - whole, diverged)


def _diverged_of_pruned(folder: ResultFolder) -> set[int]:
    """By the index of `data.json`; none where it is another's."""
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


def being_run(folder: ResultFolder) -> set[str]:
    """Names (`Run.name`) of the runs that a living process has in hand now."""
    return {path.stem for path in (folder.path / "running").glob("*.lock") if held(path)}


def left_behind(folder: ResultFolder) -> set[str]:
    """Names (`Run.name`) of the runs whose last holder was killed."""
    return {path.stem for path in (folder.path / "running").glob("*.lock") if not held(path)}


def locked_indices(folder: ResultFolder, candidates: Iterable[int], names: set[str]) -> set[int]:
    """Those of the candidates whose `Run.name` is among the names."""
    seeds = {int(name.rpartition("-")[2]) for name in names}
    offset, size = folder.manifest.seed_offset, folder.manifest.grid.size
    found: set[int] = set()
    for index in candidates:
        if len(found) == len(names):
            break
        # the seed is cheap, and most candidates have another
        if index // size + offset in seeds and folder.run(index).name in names:
            found.add(index)
    return found
