"""Indices as a person writes them: "0-35,72"."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator


def write_ranges(indices: Iterable[int]) -> str:
    """Increasing indices as text; `read_ranges` gives them back."""
    parts = []
    # a run of consecutive integers keeps its distance to its own position
    for _, run in itertools.groupby(enumerate(indices), lambda pair: pair[1] - pair[0]):
        members = [index for _, index in run]
        first, last = members[0], members[-1]
        parts.append(str(first) if first == last else f"{first}-{last}")
    return ",".join(parts)


def read_ranges(text: str) -> Iterator[int]:
    """The indices of a text that `write_ranges` wrote."""
    return itertools.chain.from_iterable(_ranges(text))


def brief(indices: Iterable[int], length: int = 60) -> str:
    """Increasing indices as text for a person, who does not want to read a page of them."""
    text = write_ranges(indices)
    return (
        text
        if len(text) <= length
        else f"{text[: length - 10]}... ({text.count(',') + 1:,} ranges)"
    )


def holds(text: str, index: int) -> bool:
    """Whether the index is one of `read_ranges(text)`."""
    return any(index in one for one in _ranges(text))


def _ranges(text: str) -> Iterator[range]:
    for part in text.split(",") if text else []:
        first, _, last = part.partition("-")
        yield range(int(first), int(last or first) + 1)
