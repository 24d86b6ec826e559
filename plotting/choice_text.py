"""A choice in words and as a table, each number with the kind of seeds that it is from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from plotting.choice_summary import Candidate, Selection
from plotting.phrases import count, ranges, setting, value
from plotting.second_stage import Finalist
from plotting.tables import as_csv

MOST_ROWS = 20
COLUMNS = ("metric", "seeds", "seed_numbers", "mean", "low", "high", "n", "diverged", "missing")
LAST_COLUMNS = ("p_best", "may_be_best", "best")


def in_words(selection: Selection) -> str:
    """What was found, and a Markdown table of the settings that may be the best."""
    best = selection.candidates[0]
    lines = [
        f"{selection.label} on {selection.env_name}, by {selection.metric}: "
        "mean and 95% Student-t interval over seeds",
        f"best: {setting(best.tally.setting, best.params)}: "
        f"{_score(best.mean, best.low, best.high)} on {_of_seeds(selection)}",
        *_remarks(selection),
        "",
        *_table(selection),
    ]
    return "\n".join(lines)


def _of_seeds(selection: Selection) -> str:
    text = f"{selection.kind_of_seeds} seeds {ranges(selection.seeds)}".strip()
    if selection.kind_of_seeds == "selection":
        return f"{text}, too good as they chose it"
    return text


def _remarks(selection: Selection) -> list[str]:
    choice, lines = selection.choice, []
    if (stage := selection.stage) is not None:
        lines.append(
            f"fresh: these {count(len(selection.candidates), 'setting')} of {stage.settings} were "
            f"found by {stage.metric} on seeds {ranges(stage.selection_seeds)}"
        )
    if choice.relaxed:
        lines.append(
            "no setting has all its runs completed with a value: compared are the "
            f"{choice.candidates} with the most ({choice.tally.scored})"
        )
    elif choice.candidates < choice.settings:
        lines.append(
            f"not compared: {count(choice.settings - choice.candidates, 'setting')} with runs "
            "missing, diverged or without a value"
        )
    if math.isnan(selection.candidates[0].probability):
        lines.append("one seed cannot tell settings apart")
    else:
        lines.append(
            f"{count(len(selection.possible), 'setting')} of {choice.candidates} may be the best: "
            "in 95% of resamples of the seeds one of these was"
        )
    return lines


def _table(selection: Selection) -> list[str]:
    rows = selection.possible
    names = list(rows[0].params)
    here = f"{selection.kind_of_seeds} seeds".strip()
    head = ["setting", *names, here, "n", "p(best)"]
    if selection.stage is not None:
        head += ["was setting", "selection seeds"]
    lines = [_row(head), _row(["---"] * len(head))]
    for each in rows[:MOST_ROWS]:
        cells = [str(each.tally.setting), *(value(each.params[name]) for name in names)]
        cells += [_score(each.mean, each.low, each.high), str(each.tally.scored)]
        cells.append("" if math.isnan(each.probability) else f"{each.probability:.2f}")
        if selection.stage is not None:
            cells += ["", ""] if each.before is None else _before(each.before)
        lines.append(_row(cells))
    if len(rows) > MOST_ROWS:
        lines.append(f"and {len(rows) - MOST_ROWS} more: -o FILE.csv has all")
    return lines


def _before(finalist: Finalist) -> list[str]:
    low = math.nan if finalist.low is None else finalist.low
    high = math.nan if finalist.high is None else finalist.high
    return [str(finalist.setting), _score(finalist.score, low, high)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _score(mean: float, low: float, high: float) -> str:
    """Rounded to where the interval begins."""
    spread = high - low
    size = spread if spread > 0 else abs(mean)
    digits = max(0, 2 - math.ceil(math.log10(size))) if size > 0 else 0
    text = f"{mean:.{digits}f}"
    return text if math.isnan(spread) else f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def choice_table(selections: Sequence[Selection]) -> str:
    """A row a setting and kind of seeds. Empty where there is no number."""
    names = list(dict.fromkeys(name for s in selections for name in s.candidates[0].params))
    rows = []
    for selection in selections:
        for each in selection.candidates:
            params = [value(each.params[name]) if name in each.params else "" for name in names]
            first = (selection.label, each.tally.setting, *params)
            rows += [(*first, *numbers) for numbers in _numbers(selection, each)]
    return as_csv(("experiment", "setting", *names, *COLUMNS, *LAST_COLUMNS), rows)


def _numbers(selection: Selection, each: Candidate) -> list[tuple[Any, ...]]:
    """Those of these seeds; then those of the selection seeds, if these are fresh."""
    tally, best = each.tally, each is selection.candidates[0]
    seeds = (selection.kind_of_seeds, ranges(selection.seeds))
    score = (each.mean, each.low, each.high, tally.scored, tally.diverged, tally.missing)
    rows: list[tuple[Any, ...]] = [
        (str(selection.metric), *seeds, *score, each.probability, int(each.possible), int(best))
    ]
    if selection.stage is not None and (before := each.before) is not None:
        of = (selection.stage.metric, "selection", ranges(selection.stage.selection_seeds))
        rows.append((*of, before.score, before.low, before.high, before.runs, *[""] * 5))
    return rows
