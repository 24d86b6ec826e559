"""Estimates over seeds and their intervals, by name: `plotting/inference.py` computes them."""

from __future__ import annotations

from typing import Literal, get_args

#: An estimate, and how its interval is found.
Kind = Literal[
    "mean-t",
    "mean-percentile",
    "mean-basic",
    "median-percentile",
    "median-basic",
    "iqm-percentile",
    "iqm-basic",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


def statistic(kind: Kind) -> str:
    """What is estimated: mean, median or iqm."""
    return kind.partition("-")[0]


def in_full(kind: Kind) -> str:
    """The same as a caption has it."""
    return {"iqm": "interquartile mean"}.get(statistic(kind), statistic(kind))
