"""What a reader must know to trust a figure: how settings were chosen, and what was left out."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from plotting.inference import CONFIDENCE
from plotting.summary import Summary

FEW_SEEDS = 5
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
#: All seeds are drawn up to here; beyond, they would hide the mean.
MOST_SEED_LINES = 30

_CURVES = {
    "train": "Return is undiscounted; every timestep carries the return of its training episode, "
    "averaged over {points} bins of timesteps.",
    "eval": "Return is undiscounted, the mean over the episodes of an evaluation.",
    "reward": "Reward per step, the mean over the window that ends at each timestep.",
}


def general_note(summaries: Sequence[Summary]) -> str:
    """What is true of the whole figure: the curve's definition and what the lines are."""
    first = summaries[0]
    curve = _CURVES[first.metric.kind].format(points=len(first.seeds[0].curve.timestep))
    several = any(len(each.seeds) > 1 for each in summaries)
    lines = "Thick line: mean; band: interval; thin lines: seeds." if several else ""
    return f"{curve} {lines}".strip()


def experiment_note(summary: Summary) -> str:
    """The caption of one experiment, without its label."""
    sentences = [
        f"{_setting(summary)}; {_interval(summary)}.",
        _chosen_by(summary),
        *_left_out(summary),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def drawn_seed_lines(summary: Summary) -> list[int]:
    """Positions of the seeds that get a thin line: all, or lowest, median and highest of many."""
    count = len(summary.seeds)
    if count <= MOST_SEED_LINES:
        return list(range(count))
    scores = [summary.metric.score(each.curve) for each in summary.seeds]
    ranked = sorted(
        range(count), key=lambda k: (-math.inf if math.isnan(scores[k]) else scores[k], k)
    )
    return [ranked[0], ranked[(count - 1) // 2], ranked[-1]]


def _setting(summary: Summary) -> str:
    number = f"setting {summary.choice.tally.setting}"
    if not summary.params:
        return number
    pairs = [f"{name} {_value(value)}" for name, value in summary.params.items()]
    return f"{number} ({', '.join(pair.replace(' ', NO_BREAK_SPACE) for pair in pairs)})"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _interval(summary: Summary) -> str:
    count = len(summary.seeds)
    if count == 1:
        return "one seed, so no interval (caution: fewer than 5 seeds)"
    text = f"mean and {CONFIDENCE:.0%} Student-t interval over {count} seeds"
    if count < FEW_SEEDS:
        text += f" (caution: fewer than {FEW_SEEDS} seeds)"
    if count > MOST_SEED_LINES:
        text += ", of which the lowest, median and highest are drawn"
    return text


def _chosen_by(summary: Summary) -> str:
    choice, metric = summary.choice, summary.metric
    if choice.by_hand:
        return f"Named by --setting, out of {_count(choice.settings, 'setting')}."
    if choice.settings == 1:
        return "The only setting."
    optimistic = "on these same selection seeds (an optimistic estimate)"
    if choice.relaxed:
        return (
            f"No setting has all its runs completed with a value of {metric}: best by {metric} "
            f"among the {choice.candidates} of {choice.settings} settings with the most such runs "
            f"({choice.tally.scored}), {optimistic}."
        )
    text = f"Best of {choice.settings} settings by {metric}, {optimistic}."
    ineligible = choice.settings - choice.candidates
    if ineligible:
        excluded = _count(ineligible, "setting was", "settings were")
        text += f" {excluded} not eligible (runs missing, diverged or without a value)."
    return text


def _left_out(summary: Summary) -> list[str]:
    """Everything that is not in the drawing although it was, or should have been, run."""
    tally = summary.choice.tally
    here = [
        _some(tally.diverged, "diverged run"),
        _some(tally.missing, "missing run"),
        _some(summary.no_curve, _no_curve(summary)),
    ]
    elsewhere = [
        _some(summary.diverged_elsewhere, "diverged run"),
        _some(summary.missing_elsewhere, "missing run"),
    ]
    cut = sum(math.isnan(each.curve.final) for each in summary.seeds)
    return [
        _sentence("Not in the mean: {}.", here),
        _sentence("In the other settings: {}.", elsewhere),
        _sentence("{} without a value in the last 10% of timesteps.", [_some(cut, "seed")]),
        _thinning(summary),
        "" if summary.as_measured else "Seeds measured at different timesteps are interpolated.",
    ]


def _no_curve(summary: Summary) -> str:
    return {
        "train": "completed run without a finished episode",
        "eval": "completed run without an evaluation",
        "reward": "completed run without rewards",
    }[summary.metric.kind]


def _thinning(summary: Summary) -> str:
    count = len(summary.seeds)
    fewest = int(summary.n.min())
    if fewest == count:
        return ""
    where = int(summary.timestep[(summary.n < count).argmax()])
    return f"From timestep {where} on, the mean is over fewer seeds (at least {fewest})."


def _sentence(template: str, parts: Sequence[str]) -> str:
    present = [part for part in parts if part]
    return template.format(", ".join(present)) if present else ""


def _some(number: int, noun: str) -> str:
    return _count(number, noun) if number else ""


def _count(number: int, one: str, many: str | None = None) -> str:
    if number == 1:
        return f"1 {one}"
    return f"{number} {many or _plural(one)}"


def _plural(noun: str) -> str:
    """The plural of a noun that may be followed by "without ..."."""
    head, without, tail = noun.partition(" without ")
    return f"{head}s{without}{tail}"
