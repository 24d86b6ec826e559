"""The columns of `runs.parquet` and `curves.parquet`, and how a run fills them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from experiment.arrow_arrays import column, numbers
from experiment.canonical import canonical
from experiment.curves import Curve
from experiment.draws import Draws
from experiment.grid import Grid
from experiment.manifest import Manifest
from experiment.run_content import KINDS, Kind, RunReader

if TYPE_CHECKING:
    import pyarrow as pa

#: Bins of the curve of training episodes; evaluations and rewards a step stand as measured.
BINS = 100
#: Columns of runs.parquet beside the hyperparameters: what a run is, and what came of it.
IDENTITY = ("setting", "run", "seed", "index", "setting_id", "status")
OUTCOME = (
    *("diverged_at", "total_timesteps", "train_episodes"),
    *(f"{kind}_{part}" for kind in KINDS for part in ("mean", "final")),
    *("train_time", "eval_time", "wall_time"),
)
_TEXTS = ("setting_id", "status")
_NUMBERS = (*OUTCOME[3:],)


def column_of(name: str) -> str:
    """The column of a hyperparameter."""
    taken = (*IDENTITY, *OUTCOME, "curve", "timestep", "value", "episode", "return", "length")
    return f"agent.{name}" if name in (*taken, "terminated") else name


def runs_schema(manifest: Manifest) -> pa.Schema:
    """Of runs.parquet: hyperparameters have the type of their values, lists and objects as JSON."""
    import pyarrow as pa

    values = values_of(manifest.grid)
    return pa.schema(
        [
            *((name, pa.string() if name in _TEXTS else pa.int64()) for name in IDENTITY),
            *((column_of(name), arrow_type(values[name])) for name in sorted(values)),
            *((name, pa.float64() if name in _NUMBERS else pa.int64()) for name in OUTCOME),
        ]
    )


def curves_schema() -> pa.Schema:
    """Of curves.parquet: a row a point."""
    import pyarrow as pa

    integers = ("setting", "run", "seed", "index")
    fields = [(name, pa.int64()) for name in integers]
    return pa.schema(
        [*fields, ("curve", pa.string()), ("timestep", pa.int64()), ("value", pa.float64())]
    )


def values_of(grid: Grid) -> dict[str, Sequence[Any]]:
    """Name -> values that tell the type of a hyperparameter."""
    values: dict[str, Sequence[Any]] = {name: [one] for name, one in grid.constants.items()}
    for axis in grid.axes:
        for place, name in enumerate(axis.names):
            if isinstance(axis.rows, Draws):
                ((kind, argument),) = axis.rows.parameters[name].items()
                values[name] = [float(one) for one in argument] if "uniform" in kind else argument
            else:
                values[name] = [row[place] for row in axis.rows]
    return values


def arrow_type(values: Iterable[Any]) -> pa.DataType:
    """The type that holds all of the values; text, of JSON, where none else does."""
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    for types, found in (
        ({bool}, pa.bool_()),
        ({int}, pa.int64()),
        ({int, float}, pa.float64()),
        ({str}, pa.string()),
    ):
        if kinds and kinds <= types:
            return found
    return pa.string()


class Rows:
    """Rows of both tables, column by column, as runs come."""

    def __init__(self, manifest: Manifest) -> None:
        self._grid = manifest.grid
        self._runs_schema, self._curves_schema = runs_schema(manifest), curves_schema()
        self._total = manifest.problem.get("total_timesteps")
        self._params: tuple[int, list[Any]] = (-1, [])  # of a setting
        self._clear()

    def _clear(self) -> None:
        self._runs: list[list[Any]] = []
        self._curves: list[tuple[tuple[int, int, int, int], Kind, Curve]] = []

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, identity: Sequence[Any], run: RunReader) -> int:
        """Adds a run; returns how many points its curves have.

        Args:
            identity: the values of IDENTITY.
        """
        total = int(self._total or run.field("total_timesteps", 0) or 1)
        curves = {kind: run.curve(kind, total, BINS) for kind in KINDS}
        scores: list[float | None] = []
        for curve in curves.values():
            scores += [None, None] if curve is None else [curve.mean, curve.final]
        diverged = run.field("diverged")
        train, evaluation = run.field("train_time"), run.field("eval_time")
        times = [None if one is None else float(one) for one in (train, evaluation)]
        wall = None if None in times else sum(filter(None, times))
        steps = (run.field("total_timesteps"), run.field("total_train_episodes"))
        at = diverged["timestep"] if isinstance(diverged, dict) else None
        self._runs.append(
            [*identity, *self._values(identity[0]), at, *steps, *scores, *times, wall]
        )
        points = 0
        for kind, curve in curves.items():
            if curve is not None:
                setting, number, seed, index = identity[:4]
                self._curves.append(((setting, number, seed, index), kind, curve))
                points += len(curve.value)
        return points

    def _values(self, setting: int) -> list[Any]:
        if self._params[0] != setting:
            params = self._grid.setting(setting)
            self._params = (setting, list(self._converted(params)))
        return self._params[1]

    def _converted(self, params: Mapping[str, Any]) -> Iterator[Any]:
        import pyarrow as pa

        for name in sorted(params):
            value = params[name]
            is_text = self._runs_schema.field(column_of(name)).type == pa.string()
            as_json = is_text and value is not None and not isinstance(value, str)
            yield canonical(value).decode() if as_json else value

    def take(self) -> tuple[pa.Table, pa.Table]:
        """The rows so far, which are then no longer here."""
        import numpy as np
        import pyarrow as pa

        columns = list(zip(*self._runs, strict=True)) or [()] * len(self._runs_schema)
        arrays = [
            column(values, field.type)
            for values, field in zip(columns, self._runs_schema, strict=True)
        ]
        runs = pa.Table.from_arrays(arrays, schema=self._runs_schema)
        lengths = np.array([len(curve.value) for *_, curve in self._curves], np.int64)
        identities = np.array([who for who, *_ in self._curves], np.int64).reshape(-1, 4)
        repeated = np.repeat(identities, lengths, axis=0)
        codes = np.array([KINDS.index(kind) for _, kind, _ in self._curves], np.int8)
        kinds = column(KINDS, pa.string()).take(numbers(np.repeat(codes, lengths)))
        timesteps = [curve.timestep for *_, curve in self._curves] or [np.empty(0, np.int64)]
        values = [curve.value for *_, curve in self._curves] or [np.empty(0)]
        points = [
            *(numbers(repeated[:, place]) for place in range(4)),
            kinds,
            numbers(np.concatenate(timesteps)),
            numbers(np.concatenate(values)),
        ]
        curves = pa.Table.from_arrays(points, schema=self._curves_schema)
        self._clear()
        return runs, curves
