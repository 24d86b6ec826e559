"""Results in Python: ``from experiment.results import load``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from experiment.errors import ConfigError, StorageError, nearest
from experiment.merge_folder import read_manifest
from experiment.table_columns import column_of, values_of
from experiment.tables import CURVES, RUNS, Tabled, episodes, write_tables

if TYPE_CHECKING:
    import pandas as pd

Level = Literal["runs", "curves", "episodes"]
LEVELS: tuple[Level, ...] = ("runs", "curves", "episodes")


def load(folder: str | Path, level: Level = "runs") -> pd.DataFrame:
    """All results of a folder as one tidy table, up to date, wherever its records lie.

    The tables that `combine.py --to parquet` makes are brought up to date first, so the next
    call reads only what is new.

    Args:
        folder: where `main.py` wrote experiment.json.
        level: "runs", a row a run, with status and scores; "curves", a row a point of a learning
            curve; "episodes", a row a training episode, which is parsed anew each time.

    Returns:
        Setting, run and seed, the hyperparameters that vary in columns of their own types, and
        what was measured. `attrs` holds the others as "constants", and "environment", "agent",
        "left_out": (file, reason) of what is no whole record.

    Raises:
        ConfigError: no results folder, no record in it, or no such level.
        StorageError: it cannot be read.
    """
    import pandas as pd

    if level not in LEVELS:
        raise ConfigError(f"level {level!r}: {nearest(str(level), LEVELS)}")
    folder = Path(folder)
    manifest, _ = read_manifest(folder)
    with tempfile.TemporaryDirectory() as scratch:
        tabled, place = _up_to_date(folder, Path(scratch))
        runs = pd.read_parquet(place / RUNS)
        constants = {
            name: values[0]
            for name, values in values_of(manifest.grid).items()
            if name in manifest.grid.constants
        }
        axes = (name for axis in manifest.grid.axes for name in axis.names)
        varied = []
        for name in axes:
            if len(runs) and runs[column_of(name)].nunique(dropna=False) == 1:
                constants[name] = runs[column_of(name)].iloc[0]
            else:
                varied.append(column_of(name))
        runs = runs.drop(columns=[column_of(name) for name in constants])
        if level == "curves":
            table = _with_settings(pd.read_parquet(place / CURVES), runs, varied)
            table["curve"] = table["curve"].astype("category")
        else:
            table = runs if level == "runs" else _with_settings(_episodes(folder), runs, varied)
    table.attrs = {
        "environment": dict(manifest.files["environment"]),
        "agent": manifest.agent_name,
        "constants": constants,
        "left_out": [(one.file, one.reason) for one in tabled.set_aside],
    }
    return table


def _up_to_date(folder: Path, scratch: Path) -> tuple[Tabled, Path]:
    """Where the tables are; in `scratch` if nothing can be written to the folder."""
    try:
        return write_tables(folder, folder, lambda done, total: None), folder
    except StorageError:
        return write_tables(folder, scratch, lambda done, total: None), scratch


def _with_settings(table: pd.DataFrame, runs: pd.DataFrame, varied: Iterable[str]) -> pd.DataFrame:
    """`table` with the hyperparameters of each row's setting after its first columns."""
    settings = runs.drop_duplicates("setting").set_index("setting")
    for place, name in enumerate(varied, start=list(table).index("seed") + 1):
        table.insert(place, name, settings[name].reindex(table["setting"]).to_numpy())
    return table


def _episodes(folder: Path) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    columns: dict[str, list[Any]] = {
        name: [] for name in ("run", "seed", "index", "episode", "timestep")
    }
    columns |= {name: [] for name in ("return", "length", "terminated", "finished")}
    for head, found in episodes(folder):
        count = len(found.returns)
        finished = np.ones(count, bool)
        finished[count - found.last_unfinished :] = False
        identity = (head.run_number, head.random_seed, head.index)
        every = [np.full(count, value, np.int64) for value in identity]
        every += [np.arange(count), np.cumsum(found.lengths)]
        every += [found.returns, found.lengths, found.terminated, finished]
        for column, values in zip(columns.values(), every, strict=True):
            column.append(values)
    table = pd.DataFrame({name: np.concatenate(parts) for name, parts in columns.items() if parts})
    grid_size = read_manifest(folder)[0].grid.size
    table.insert(0, "setting", table["index"] % grid_size)
    return table
