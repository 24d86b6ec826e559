"""The numbers of a figure as CSV, so that nobody has to read them off the drawing."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from plotting.curve_summary import Summary
from plotting.kinds import Kind, statistic
from plotting.phrases import value
from plotting.sensitivity_summary import Sensitivity

MEAN_COLUMNS = ("experiment", "setting", "timestep", "mean", "low", "high", "n")
SEED_COLUMNS = ("experiment", "setting", "run", "seed", "timestep", "value")


LINE_COLUMNS = (
    *("experiment", "hyperparameter", "value", "line", "setting", "mean", "low", "high", "n"),
)
SETTING_COLUMNS = (
    *("experiment", "hyperparameter", "value", "setting", "best"),
    *("mean", "n", "diverged", "missing"),
)


def mean_table(summaries: Sequence[Summary]) -> str:
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
    columns = _named(MEAN_COLUMNS, [each.kind for each in summaries])
    return as_csv(_on_axis(columns, summaries), rows)


def seed_table(summaries: Sequence[Summary]) -> str:
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
    return as_csv(_on_axis(SEED_COLUMNS, summaries), rows)


def line_table(summaries: Sequence[Sensitivity]) -> str:
    """One row a point of a line. Numbers are empty where no run has a score, or no setting is."""
    rows: list[tuple[object, ...]] = []
    for each in summaries:
        for panel in each.panels:
            for name, line in (("at best", panel.at_best), ("re-tuned", panel.tuned or ())):
                for of_axis, k in zip(panel.axis.values, line, strict=False):
                    point = (each.label, panel.axis.name, value(of_axis), name)
                    if k is None:
                        rows.append((*point, "", "", "", "", 0))
                        continue
                    score = each.scores[k]
                    numbers = (score.mean, score.low, score.high, score.tally.scored)
                    rows.append((*point, score.tally.setting, *numbers))
    return as_csv(_named(LINE_COLUMNS, [each.kind for each in summaries]), rows)


def setting_table(summaries: Sequence[Sensitivity]) -> str:
    """One row a dot: every setting in the panel of every hyperparameter."""
    rows = []
    for each in summaries:
        for panel in each.panels:
            axis = panel.axis
            for k, (score, place) in enumerate(zip(each.scores, axis.position, strict=True)):
                tally = score.tally
                of_panel = (each.label, axis.name, value(axis.values[place]))
                counts = (tally.scored, tally.diverged, tally.missing)
                rows.append((*of_panel, tally.setting, int(k == each.best), score.mean, *counts))
    return as_csv(_named(SETTING_COLUMNS, [each.kind for each in summaries]), rows)


def _named(columns: Sequence[str], kinds: Sequence[Kind]) -> list[str]:
    """The column of the mean is named after what is estimated instead."""
    (name,) = {statistic(kind) for kind in kinds}
    return [name if column == "mean" else column for column in columns]


def _on_axis(columns: Sequence[str], summaries: Sequence[Summary]) -> list[str]:
    """The column of timesteps is named after what is on the axis instead."""
    (axis,) = {each.axis for each in summaries}
    return [axis.removesuffix("s") if column == "timestep" else column for column in columns]


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; NaN becomes nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if cell != cell else cell for cell in row])
    return text.getvalue()
