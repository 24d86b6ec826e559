"""Scores from elsewhere, to compare with: `NAME=SCORE`, or `NAME=LOW:HIGH` for a range."""

from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

import click


class Reference(NamedTuple):
    """A score, or a range of scores, and what it is of."""

    name: str
    low: float
    high: float


class _ReferenceType(click.ParamType):
    name = "reference"

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> Reference:
        if isinstance(value, Reference):
            return value
        name, _, scores = value.rpartition("=")
        try:
            numbers = [float(number) for number in scores.split(":")]
        except ValueError:
            numbers = []
        if not name.strip() or len(numbers) not in (1, 2) or not all(map(isfinite, numbers)):
            self.fail(f"{value!r} is not NAME=SCORE or NAME=SCORE:SCORE", param, ctx)
        return Reference(name.strip(), min(numbers), max(numbers))


REFERENCE = _ReferenceType()
