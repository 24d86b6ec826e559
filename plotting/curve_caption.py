"""What a reader must know of a learning curve: how its setting was chosen, what was left out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from plotting.curve_summary import Summary
from plotting.inference import in_words
from plotting.kinds import in_full
from plotting.phrases import chosen_by, sentence, setting, some

#: All seeds are drawn up to here; beyond, they would hide the mean.
MOST_SEED_LINES = 30

_CURVES = {
    "train": "Return is undiscounted; every {unit} carries the return of its training episode, "
    "averaged over {points} bins of {unit}s.",
    "eval": "Return is undiscounted, the mean over the episodes of an evaluation.",
    "reward": "Reward per step, the mean over the window that ends at each timestep.",
}


def general_note(summaries: Sequence[Summary]) -> str:
    """What is true of the whole figure: the curve's definition and what the lines are."""
    first = summaries[0]
    unit = first.axis.removesuffix("s")
    curve = _CURVES[first.metric.kind].format(points=len(first.seeds[0].curve.timestep), unit=unit)
    several = any(len(each.seeds) > 1 for each in summaries)
    lines = f"Thick line: {in_full(first.kind)}; band: interval; thin lines: seeds."
    smooth = (
        f"Smoothed: each point is the mean over the {first.smooth} {first.axis} before it."
        if first.smooth is not None
        else ""
    )
    return " ".join(each for each in (curve, lines if several else "", smooth) if each)


def experiment_note(summary: Summary) -> str:
    """The caption of one experiment, without its label."""
    sentences = [
        f"{setting(summary.choice.tally.setting, summary.params)}; {_interval(summary)}.",
        chosen_by(summary.choice, summary.metric, summary.stage),
        *left_out(summary),
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


def _interval(summary: Summary) -> str:
    seeds = len(summary.seeds)
    text = in_words(seeds, summary.kind)
    if seeds > MOST_SEED_LINES:
        text += ", of which the lowest, median and highest are drawn"
    return text


def left_out(summary: Summary) -> list[str]:
    """Everything that is not in the drawing although it was, or should have been, run."""
    tally = summary.choice.tally
    here = [
        some(tally.diverged, "diverged run"),
        some(tally.missing, "missing run"),
        some(summary.no_curve, _no_curve(summary)),
    ]
    elsewhere = [
        some(summary.diverged_elsewhere, "diverged run"),
        some(summary.missing_elsewhere, "missing run"),
    ]
    cut = sum(math.isnan(each.curve.final) for each in summary.seeds)
    return [
        sentence("Not in the mean: {}.", here),
        sentence("In the other settings: {}.", elsewhere),
        sentence(f"{{}} without a value in the last 10% of {summary.axis}.", [some(cut, "seed")]),
        _thinning(summary),
        ""
        if summary.as_measured
        else f"Seeds measured at different {summary.axis} are interpolated.",
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
    unit = summary.axis.removesuffix("s")
    return f"From {unit} {where} on, the mean is over fewer seeds (at least {fewest})."
