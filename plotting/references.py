"""Scores from elsewhere, to compare with: `NAME=SCORE`, or `NAME=LOW:HIGH` for a range."""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

import click


class Reference(NamedTuple):
    """A score, or a range of scores, and what it is of."""

    name: str
    low: float
    high: float


def parse_references(
    context: click.Context, option: click.Parameter, words: tuple[str, ...]
) -> tuple[Reference, ...]:
    """The callback of a click option that may be given several times."""
    return tuple(map(_parse, words))


def _parse(word: str) -> Reference:
    name, _, scores = word.rpartition("=")
    try:
        numbers = [float(number) for number in scores.split(":")]
    except ValueError:
        numbers = []
    if not name.strip() or len(numbers) not in (1, 2) or not all(map(isfinite, numbers)):
        raise click.BadParameter(f"{word!r} is not NAME=SCORE or NAME=SCORE:SCORE")
    return Reference(name.strip(), min(numbers), max(numbers))
