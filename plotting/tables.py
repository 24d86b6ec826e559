"""The numbers of a figure as CSV, so that nobody has to read them off the drawing."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from plotting.curve_summary import Summary

MEAN_COLUMNS = ("experiment", "setting", "timestep", "mean", "low", "high", "n")
SEED_COLUMNS = ("experiment", "setting", "run", "seed", "timestep", "value")


def mean_table(summaries: Iterable[Summary]) -> str:
    """One row a point of a mean line. `low` and `high` are empty where there is no interval."""
    rows = []
    for each in summaries:
        numbers = zip(
            each.timestep.tolist(),
            each.mean.tolist(),
            each.low.tolist(),
            each.high.tolist(),
            each.n.tolist(),
            strict=True,
        )
        rows += [(each.label, each.choice.tally.setting, *row) for row in numbers]
    return _csv(MEAN_COLUMNS, rows)


def seed_table(summaries: Iterable[Summary]) -> str:
    """One row a point of a seed's line, for all seeds of the drawn settings."""
    rows = [
        (each.label, each.choice.tally.setting, seed.run, seed.seed, timestep, value)
        for each in summaries
        for seed in each.seeds
        for timestep, value in zip(
            seed.curve.timestep.tolist(), seed.curve.value.tolist(), strict=True
        )
        if not math.isnan(value)
    ]
    return _csv(SEED_COLUMNS, rows)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if cell != cell else cell for cell in row])  # NaN is no number
    return text.getvalue()
