"""What a reader must know of a sensitivity figure: what was chosen, missing, and optimistic."""

from __future__ import annotations

from collections.abc import Sequence

from plotting import style
from plotting.inference import in_words
from plotting.kinds import in_full
from plotting.phrases import chosen_by, count, sentence, setting, some
from plotting.sensitivity_summary import Score, Sensitivity
from plotting.view import View

_SCORES = {
    "train": "undiscounted return of the training episodes, each timestep carrying its episode's",
    "eval": "undiscounted return of the evaluations",
    "reward": "reward per step",
}
_PARTS = {"mean": "all timesteps", "final": "the last 10% of timesteps"}


def general_note(summaries: Sequence[Sensitivity]) -> str:
    """What is true of the whole figure: the score, and what dots and lines are."""
    metric = summaries[0].metric
    sentences = [
        f"Score ({metric}): {_SCORES[metric.kind]}, averaged over {_PARTS[metric.suffix]}.",
        f"Dot: a setting, the {in_full(summaries[0].kind)} over its seeds.",
    ]
    panels = [panel for each in summaries for panel in each.panels]
    if any(panel.has_neighbours for panel in panels):
        sentences.append(
            "Dashed line: one hyperparameter changes, the others stay at the best setting's values."
        )
    if any(panel.tuned for panel in panels):
        sentences.append(
            "Solid line: for each value the best of all settings that have it, chosen on the same "
            "seeds, so the maximum is an optimistic estimate."
        )
    if any(each.seeds > 1 for each in summaries):
        sentences.append("Bars: intervals of the best setting and of the lines.")
    return " ".join(sentences)


def experiment_note(summary: Sensitivity, view: View) -> str:
    """The caption of one experiment, without its label."""
    best = setting(summary.choice.tally.setting, summary.params)
    sentences = [
        f"{count(len(summary.scores), 'setting')}; {in_words(summary.seeds, summary.kind)}.",
        f"Star: {best}.",
        chosen_by(summary.choice, summary.metric, summary.stage),
        *_incomplete(summary, view),
        _no_lines(summary),
        _gaps(summary),
        _cut_intervals(summary, view),
    ]
    return " ".join(each for each in sentences if each)


def _incomplete(summary: Sensitivity, view: View) -> list[str]:
    """Every run that is not in a dot's mean."""
    by_look: dict[str, list[Score]] = {"hollow": [], "below": [], "cross": []}
    for score in summary.scores:
        if (look := view.look(score)) in by_look:
            by_look[look].append(score)
    hollow, below, crosses = by_look.values()
    diverged = [score for score in crosses if score.all_diverged]
    return [
        sentence(
            "Cross at the bottom: {}.",
            [
                _some_settings(len(diverged), "all of whose runs diverged"),
                _some_settings(len(crosses) - len(diverged), "without a score"),
            ],
        ),
        sentence(
            f"Triangle at the bottom: {{}}, the lowest at "
            f"{_rounded(min((score.mean for score in below), default=0.0))}.",
            [_some_settings(len(below), "below the axis")],
        ),
        sentence(
            "Hollow: {}; the mean is over their other runs.",
            [_some_settings(len(hollow), "with runs missing, diverged or without a score")],
        ),
        sentence(
            "In all settings: {}.",
            [
                some(sum(score.tally.diverged for score in summary.scores), "diverged run"),
                some(sum(score.tally.missing for score in summary.scores), "missing run"),
                some(_unscored(summary.scores), "completed run without a score"),
            ],
        ),
    ]


def _some_settings(number: int, which: str) -> str:
    return f"{count(number, 'setting')} {which}" if number else ""


def _rounded(value: float) -> str:
    return style.short_number(float(f"{value:.3g}"), 1e4)


def _unscored(scores: Sequence[Score]) -> int:
    return sum(len(score.tally.scores) - score.tally.scored for score in scores)


def _no_lines(summary: Sensitivity) -> str:
    if len(summary.panels) == 1:
        return ""
    names = [panel.axis.name for panel in summary.panels if panel.tuned is None]
    sentences = []
    if not any(panel.has_neighbours for panel in summary.panels):
        sentences.append("No setting differs from the best in one hyperparameter alone.")
    if names:
        sentences.append(
            f"Most settings have a value of their own, so nothing to re-tune: {', '.join(names)}."
        )
    return " ".join(sentences)


def _gaps(summary: Sensitivity) -> str:
    if not summary.not_tried:
        return ""
    missing = count(summary.not_tried, "combination")
    return f"{missing} of the values in no setting: lines have gaps there."


def _cut_intervals(summary: Sensitivity, view: View) -> str:
    cut = any(score.low < view.bottom or score.high > view.top for score in summary.on_lines)
    return "Intervals that leave the axis are cut off." if cut else ""
