"""What is done, under way, failed and missing, and why: as the page shows it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from plotting.html_report.origin import Origin, diverged_kinds

if TYPE_CHECKING:
    from experiment.scheduling.sweep import Sweep
    from plotting.html_report.sources import Source

_LOG_LINES = 20
_WHY_MISSING = {
    "": "not begun",
    "saved": "interrupted and saved; they go on from there",
    "locked": "another process had them",
}


def standing(source: Source, origin: Origin) -> dict[str, Any]:
    """Counts that add up to all runs, and what went wrong, the commonest first."""
    if source.sweep is None:
        counts, wanted = _counted(source)
        reasons: dict[str, int] = {}
        troubles = []
    else:
        counts, wanted = _scheduled(source.sweep)
        reasons = _reasons(source.sweep)
        troubles = _troubles(source.sweep)
    diverged = min(len(origin.diverged), counts["done"])
    counts = {"completed": counts.pop("done") - diverged, "diverged": diverged, **counts}
    return {
        "wanted": wanted,
        "counts": counts,
        "missing": reasons,
        "troubles": troubles,
        "diverged": diverged_kinds(origin),
        "setAside": [[one.file, one.reason] for one in source.set_aside],
        "remark": source.remark,
    }


def _counted(source: Source) -> tuple[dict[str, int], int]:
    """By the file alone: missing is what some settings have and others have not."""
    experiment = source.experiment
    done = sum(len(setting.runs) for setting in experiment.settings)
    wanted = len(experiment.settings) * len(experiment.run_numbers)
    return {"done": done, "missing": wanted - done}, wanted


def _scheduled(sweep: Sweep) -> tuple[dict[str, int], int]:
    from experiment.scheduling.report import counts

    numbers = counts(sweep)
    wanted = numbers.pop("runs")
    return numbers, wanted


def _reasons(sweep: Sweep) -> dict[str, int]:
    """Why runs are missing that have not failed."""
    reasons: Counter[str] = Counter()
    for index in [*sweep.to_send, *sweep.held_back]:
        history = sweep.histories.get(index)
        if history is None:
            reasons[_WHY_MISSING[""]] += 1
        elif not history.failed:
            reasons[_WHY_MISSING.get(history.last, history.what)] += 1
    if sweep.torn:
        reasons["their record is damaged"] = sweep.torn
    return dict(reasons.most_common())


def _troubles(sweep: Sweep) -> list[dict[str, Any]]:
    from experiment.scheduling.ranges import brief
    from experiment.scheduling.report import troubles

    return [
        {
            "kind": one.kind,
            "error": one.error,
            "count": len(one.indices),
            "indices": brief(one.indices, 200),
            "example": one.indices[0],
            "log": one.log[-_LOG_LINES:],
        }
        for one in troubles(sweep)
    ]
