"""The one error that a bad environment file raises."""

from __future__ import annotations

from collections.abc import Iterable


class EnvironmentRefused(ValueError):  # noqa: N818
    """An environment file that cannot be built.

    ``field`` is the dotted path of the offending entry (``"start_state"``, ``"kwargs.foo"``) and
    ``problem`` says in one sentence part what is wrong with it.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The choice that looks most like ``name``, whatever its case; None when nothing does."""
    from difflib import get_close_matches

    by_folded = {choice.casefold(): choice for choice in choices}
    matches = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.5)
    return by_folded[matches[0]] if matches else None


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """``'; did you mean 'x'?'``, or nothing where no choice is near."""
    match = nearest(name, choices)
    return f"; did you mean {match!r}?" if match else ""
