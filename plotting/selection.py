"""Which setting of a sweep is drawn: the best by a stated metric, among comparable ones only."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tally:
    """What the runs of one setting came to.

    scores: one a completed run; NaN where the run has no value of the metric.
    missing: runs that other settings of the experiment have and this one has not.
    """

    setting: int
    scores: tuple[float, ...]
    diverged: int = 0
    missing: int = 0

    @property
    def scored(self) -> int:
        """Completed runs with a score."""
        return len(self.scores) - sum(map(math.isnan, self.scores))

    @property
    def whole(self) -> bool:
        """Every run was completed and has a score."""
        return self.scored == len(self.scores) and not self.diverged and not self.missing

    @property
    def mean_score(self) -> float:
        """Over the completed runs that have a score."""
        return math.fsum(itertools.filterfalse(math.isnan, self.scores)) / self.scored


@dataclass(frozen=True, slots=True)
class Choice:
    """The setting to draw and how it was found.

    candidates: how many settings it was compared with, itself included.
    settings: how many the experiment has.
    relaxed: no setting was eligible, so the fullest ones were compared.
    by_hand: named by the user, compared with none.
    """

    tally: Tally
    candidates: int
    settings: int
    relaxed: bool = False
    by_hand: bool = False


def choose(tallies: Sequence[Tally], fullest: int | None = None) -> Choice | None:
    """The setting with the highest mean score; the lowest number among equals.

    A setting is eligible only with as many completed runs as the fullest setting, a score for each
    of them, and no diverged run: otherwise a setting that fails on its hard seeds would win by the
    easy ones. When none is eligible, those with the most scored runs are compared instead. None
    when no run of any setting has a score.

    Args:
        fullest: completed runs of the fullest setting, when it may not be among these.
    """
    candidates, relaxed = comparable(tallies, fullest)
    if not candidates:
        return None
    return Choice(candidates[0], len(candidates), len(tallies), relaxed)


def finalists(tallies: Sequence[Tally], count: int) -> list[Tally]:
    """The `count` best of those that `choose` compares, best first: to be run on fresh seeds.

    The best of many settings on few seeds owes much to luck, so its score is too high; the best of
    these few, chosen and reported on many seeds that they were not found by, hardly is.
    """
    return comparable(tallies)[0][:count]


def comparable(tallies: Sequence[Tally], fullest: int | None = None) -> tuple[list[Tally], bool]:
    """The eligible settings, best first; or else, True, those with the most scored runs."""
    if fullest is None:
        fullest = most_completed(tallies)
    candidates = [
        tally
        for tally in tallies
        if tally.scored == len(tally.scores) == fullest > 0 == tally.diverged
    ]
    relaxed = not candidates
    if relaxed:
        most = max(tally.scored for tally in tallies)
        candidates = [tally for tally in tallies if tally.scored == most > 0]
    return sorted(candidates, key=lambda tally: (-tally.mean_score, tally.setting)), relaxed


def most_completed(tallies: Sequence[Tally]) -> int:
    """Completed runs of the fullest setting."""
    return max(len(tally.scores) for tally in tallies)


def choose_by_hand(tallies: Sequence[Tally], setting: int) -> Choice | None:
    """The setting that the user asked for; None when the experiment has no such setting."""
    for tally in tallies:
        if tally.setting == setting:
            return Choice(tally, 1, len(tallies), by_hand=True)
    return None
