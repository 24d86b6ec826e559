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


class _ReferenceType(click.ParamType):  # type: ignore[type-arg]  # not generic in click 8.1
    name = "reference"

    def __init__(self, form: str, counts: tuple[int, ...]) -> None:
        self.form, self.counts = form, counts

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> Reference:
        if isinstance(value, Reference):
            return value
        name, _, scores = value.rpartition("=")
        try:
            numbers = [float(number) for number in scores.split(":")]
        except ValueError:
            numbers = []
        if not name.strip() or len(numbers) not in self.counts or not all(map(isfinite, numbers)):
            self.fail(f"{value!r} is not {self.form}", param, ctx)
        return Reference(name.strip(), min(numbers), max(numbers))


REFERENCE = _ReferenceType("NAME=SCORE or NAME=SCORE:SCORE", (1, 2))
#: What counts as 0 and as 1 on an environment.
BOUNDS = _ReferenceType("ENVIRONMENT=LOW:HIGH", (2,))
