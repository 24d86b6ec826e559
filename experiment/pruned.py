"""Runs that are in `data.json` only, since `combine.py --prune` has removed their records.

    <results folder>/pruned.index       which runs, and a checksum of each as it stands in data.json

The list is no cache: it is on disk before the first record goes.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiment import columns
from experiment.columns import Type
from experiment.errors import StorageError
from experiment.files import storage
from experiment.manifest import Manifest

FILE_NAME = "pruned.index"
DATA_NAME = "data.json"
FORMAT = 1
_TYPES: tuple[Type, ...] = ("q", "Q")


class Pruned(dict[int, int]):
    """Index -> XXH3 of its run's bytes in `data.json`."""


def read(folder: Path, manifest: Manifest) -> Pruned:
    """The pruned runs of a results folder; none if they are another configuration's.

    Raises:
        StorageError: the list is damaged, or `data.json` is gone.
    """
    header, pruned = _read(folder)
    return pruned if header.get("meaning") == manifest.digest() else Pruned()


def read_strictly(folder: Path, manifest: Manifest) -> Pruned:
    """As `read`, but another configuration's are an error."""
    header, pruned = _read(folder)
    if pruned and header["meaning"] != manifest.digest():
        raise StorageError(
            f"{folder / FILE_NAME}: made for another configuration than that of experiment.json; "
            "give main.py the files that it was made for, with --adopt"
        )
    return pruned


def _read(folder: Path) -> tuple[dict[str, Any], Pruned]:
    path = folder / FILE_NAME
    if not path.exists():
        return {}, Pruned()
    found = columns.load(path, _TYPES)
    if found is None or found[0].get("format") != FORMAT:
        raise StorageError(
            f"{path}: damaged; it lists the runs that only {DATA_NAME} holds. Keep a copy of both, "
            f"then remove {FILE_NAME} to have these runs done again"
        )
    header, (indices, checksums) = found
    pruned = Pruned(zip(indices, checksums, strict=True))
    if pruned and not (folder / DATA_NAME).exists():
        raise StorageError(
            f"{folder / DATA_NAME}: gone, and only there were {len(pruned):,} runs; put it back, "
            f"or remove {FILE_NAME} to have them done again"
        )
    return header, pruned


def write(folder: Path, manifest: Manifest, runs: Mapping[int, int]) -> None:
    """Makes `runs` the pruned ones.

    Raises:
        StorageError: the disk is full...; the list is as it was.
    """
    path = folder / FILE_NAME
    if not runs:
        with storage(f"{path}: cannot be removed"):
            path.unlink(missing_ok=True)
        return
    header = {"format": FORMAT, "meaning": manifest.digest()}
    columns.save(path, header, [array("q", runs.keys()), array("Q", runs.values())])
