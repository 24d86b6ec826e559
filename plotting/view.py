"""The part of the scores that an axis shows, and how each setting appears there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from plotting.sensitivity_summary import Score, Sensitivity

#: dot: all runs have a score; hollow: some have; below: lower than the axis; cross: none has.
Look = Literal["dot", "hollow", "below", "cross"]

_MARK_ROOM = 0.08  # of the axis, for each kind of mark at its bottom edge


@dataclass(frozen=True, slots=True)
class View:
    """What is drawn of the scores.

    bottom, top: of the axis.
    lowest: scores below this are marked at the bottom edge instead.
    edge: the marks there, lowest first, each kind at a height of its own.
    """

    bottom: float
    top: float
    lowest: float
    edge: tuple[Look, ...]

    def look(self, score: Score) -> Look:
        """How a setting appears."""
        if not score.tally.scored:
            return "cross"
        if score.mean < self.lowest:
            return "below"
        return "dot" if score.tally.whole else "hollow"

    def edge_height(self, look: Look) -> float:
        """Where the marks of this kind stand, in heights of the axis."""
        return (self.edge.index(look) + 0.5) * _MARK_ROOM


def view_of(summary: Sensitivity) -> View:
    """The axis of all its panels.

    Every dot fits, except far outliers below. The lines' intervals fit unless that would take
    more than a third of the axis: those of two seeds can be ten times as long as all else.
    """
    means = sorted(score.mean for score in summary.scores if score.tally.scored)
    lowest = _lowest(means)
    low, high = next(mean for mean in means if mean >= lowest), means[-1]
    span = (high - low) or abs(high) or 1.0
    lows = [s.low for s in summary.on_lines if s.mean >= lowest and math.isfinite(s.low)]
    highs = [s.high for s in summary.on_lines if math.isfinite(s.high)]
    low = max(min([low, *lows]), low - span / 4)
    high = min(max([high, *highs]), high + span / 4)
    span = (high - low) or span
    edge: list[Look] = []
    if len(means) < len(summary.scores):
        edge.append("cross")
    if means[0] < lowest:
        edge.append("below")
    room = 0.07 * span
    height = (span + 2 * room) / (1 - _MARK_ROOM * len(edge))
    return View(high + room - height, high + room, lowest, tuple(edge))


def _lowest(means: Sequence[float]) -> float:
    """Where a far tail is cut off: if the lowest tenth would take three quarters of the axis."""
    start = means[math.ceil(0.1 * (len(means) - 1))]
    tail, rest = start - means[0], means[-1] - start
    return start - rest if tail > 3 * rest > 0 else means[0]
