"""What is given on the command line: results folders, combined on the way, or data.json files."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plotting.data_file import BadInput, Experiment, read_experiment

if TYPE_CHECKING:
    from experiment.merge import Merged
    from experiment.merge_folder import SetAside
    from experiment.scheduling.sweep import Sweep


@dataclass(frozen=True)
class Source:
    """One of them.

    path: as it was given.
    set_aside: records that could not be combined.
    sweep: how its runs stand; None for a data.json by itself.
    remark: why the standing is not all that could be known; "" when it is.
    """

    path: Path
    experiment: Experiment
    set_aside: Sequence[SetAside] = ()
    sweep: Sweep | None = None
    remark: str = ""


def open_source(path: Path, runs: int | None) -> Source:
    """Combines the records of a results folder as combine.py does, and reads the result.

    Args:
        runs: of every setting, that were meant.

    Raises:
        BadInput: there is nothing to read.
    """
    from experiment.errors import ConfigError, SweepError
    from experiment.manifest import FILE_NAME

    if not (path / FILE_NAME).is_file():
        return Source(path, read_experiment(path))
    from experiment.scheduling.standing import look, sweep_in

    try:
        merged, experiment = _combined(path)
    except SweepError as error:
        raise BadInput(str(error)) from None
    try:
        sweep = sweep_in(path, runs)
        remark = look(sweep) or ""
    except ConfigError as error:
        if runs is not None:
            raise BadInput(str(error)) from None
        return Source(path, experiment, merged.set_aside, None, str(error))
    except SweepError as error:
        return Source(path, experiment, merged.set_aside, None, str(error))
    return Source(path, experiment, merged.set_aside, sweep, remark)


def _combined(path: Path) -> tuple[Merged, Experiment]:
    """Into the folder's data.json; where that cannot be written, into a file of the moment."""
    from experiment.errors import StorageError
    from experiment.merge import merge

    try:
        merged = merge(path, None, _silent)
        return merged, read_experiment(merged.output)
    except StorageError:
        with tempfile.TemporaryDirectory() as folder:
            merged = merge(path, Path(folder) / "data.json", _silent)
            return merged, read_experiment(merged.output)  # stays mapped when its name is gone


def _silent(done: int, total: int) -> None:
    pass
