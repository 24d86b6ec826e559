"""Files of records and of their arrays: moved, freed, set aside; nothing is ever overwritten."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from experiment import record
from experiment.errors import StorageError
from experiment.files import fsync_folder, storage


def move(path: Path, target: Path) -> None:
    """Moves a record and its arrays. They have both names until the record itself has moved."""
    arrays = path.with_suffix(".npz")
    with storage(f"{path}: cannot be moved to {target}"):
        clear_arrays(target)
        if arrays.exists():
            os.link(arrays, target.with_suffix(".npz"))
        path.rename(target)
        arrays.unlink(missing_ok=True)
        fsync_folder(target.parent)
        fsync_folder(path.parent)


def clear_arrays(path: Path) -> None:
    """Frees the place of the arrays of a record that is yet to come to `path`.

    What lies there is left from a write or a move that was interrupted.
    """
    arrays = path.with_suffix(".npz")
    if not arrays.exists():
        return
    if arrays.stat().st_nlink > 1:  # a second name of arrays that were on their way
        arrays.unlink()
    else:
        move_damaged_aside(arrays)


def head_at(path: Path, report: Callable[[str], None]) -> record.Head | None:
    """The head of the record at `path`; None when there is none or it had to be moved aside."""
    try:
        return record.unseal(path.read_bytes()).head
    except FileNotFoundError:
        return None
    except record.BadRecord as bad:
        report(f"{path}: {bad}; kept as {move_damaged_aside(path).name}, the run is done again")
        return None
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from None


def move_damaged_aside(path: Path) -> Path:
    """Renames a file that is no whole record; nothing is deleted."""
    aside = free_name(path.with_name(path.name + ".damaged"))
    with storage(f"{path}: cannot be moved aside"):
        path.rename(aside)
    return aside


def free_name(path: Path) -> Path:
    """`path`, or a numbered one beside it: nothing is ever overwritten."""
    candidate, number = path, 2
    while candidate.exists():
        candidate = path.with_name(f"{path.stem}.{number}{path.suffix}")
        number += 1
    return candidate
