"""What every setting came to by every metric: the numbers of the table and of most panels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from plotting.data_file import KINDS
from plotting.html_report.packed import pack
from plotting.html_report.readings import Readings
from plotting.hyperparameters import Axis
from plotting.importance_summary import OF_THE_VALUES, importance_of, name_of, note
from plotting.inference import in_words
from plotting.metric import SUFFIXES, Metric
from plotting.phrases import chosen_by
from plotting.second_stage import stage_of
from plotting.selection import Choice, Tally, choose, most_completed
from plotting.sensitivity_caption import experiment_note, general_note
from plotting.sensitivity_summary import Score, Sensitivity, look_around, scores_of
from plotting.settings_summary import Settings
from plotting.style import SCORE_LABELS
from plotting.view import view_of


def metrics_of(readings: Readings, label: str, axes: Sequence[Axis]) -> dict[str, Any]:
    """By the name of the metric; only those by which some setting can be chosen."""
    found = {}
    for kind in KINDS:
        if kind not in readings.experiment.kinds:
            continue
        for suffix in SUFFIXES:
            metric = Metric(kind, suffix)
            tallies = readings.tallies(metric)
            choice = choose(tallies)
            if choice is not None:
                found[str(metric)] = _of_metric(readings, label, metric, axes, tallies, choice)
    return found


def ranking(tallies: Sequence[Tally]) -> list[int]:
    """Positions of all settings, the chosen one first; then as `choose` would go on.

    Those that cannot be compared, since runs diverged or are missing, come last.
    """
    fullest = most_completed(tallies)

    def key(position: int) -> tuple[bool, int, float, int]:
        one = tallies[position]
        eligible = one.scored == len(one.scores) == fullest > 0 == one.diverged
        mean = one.mean_score if one.scored else -math.inf
        return not eligible, 0 if eligible else -one.scored, -mean, one.setting

    return sorted(range(len(tallies)), key=key)


def _of_metric(
    readings: Readings,
    label: str,
    metric: Metric,
    axes: Sequence[Axis],
    tallies: Sequence[Tally],
    choice: Choice,
) -> dict[str, Any]:
    scores = scores_of(tallies)
    seeds = len(readings.experiment.run_numbers)
    content = {
        "kind": metric.kind,
        "label": f"{metric.suffix} {SCORE_LABELS[metric.kind]}",
        "rank": ranking(tallies),
        "eligible": choice.candidates,
        "relaxed": choice.relaxed,
        "mean": [_rounded(score.mean) for score in scores],
        "low": [_rounded(score.low) for score in scores],
        "high": [_rounded(score.high) for score in scores],
        "n": [score.tally.scored for score in scores],
        "runs": [pack(tally.scores) for tally in tallies],
        "interval": in_words(seeds),
        "chosen": chosen_by(choice, metric, stage_of(readings.experiment)),
    }
    if axes:
        around = look_around(readings.experiment, label, metric, axes, tallies, choice)
        content |= _sensitivity(around, scores)
        content["importance"] = _importance(around, axes, tallies)
    return content


def _sensitivity(around: Sensitivity, scores: Sequence[Score]) -> dict[str, Any]:
    view = view_of(around)
    return {
        "panels": [[panel.at_best, panel.tuned] for panel in around.panels],
        "looks": "".join(_LOOKS[view.look(score)] for score in scores),
        "view": [_rounded(view.bottom), _rounded(view.top)],
        "edge": [_LOOKS[look] for look in view.edge],
        "note": f"{experiment_note(around, view)} {general_note([around])}",
    }


def _importance(
    around: Sensitivity, axes: Sequence[Axis], tallies: Sequence[Tally]
) -> dict[str, Any]:
    settings = Settings(
        around.label,
        around.env_name,
        around.metric,
        tuple(axes),
        tuple(tallies),
        around.choice,
        around.best,
        around.params,
        around.seeds,
        around.stage,
    )
    found = importance_of(settings)
    return {
        "effects": [
            [name_of(each), len(each.names)]
            + [_rounded(value) for value in (each.share, each.low, each.high, each.by_chance)]
            for each in found.drawn
        ],
        "note": f"{note(found)} {OF_THE_VALUES}",
    }


_LOOKS = {"dot": "d", "hollow": "h", "below": "b", "cross": "x"}


def _rounded(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
