"""Synthetic sweeps: a grid of values, a score for every setting and seed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from learning_curve_data import Tree, flat_run, make_tree

#: The score of a run, given its setting and its number; None where it diverged.
Score = Callable[[Mapping[str, Any], int], float | None]


def grid(values: Mapping[str, Sequence[Any]]) -> list[Tree]:
    """All combinations; the first list varies fastest, as in an agent file."""
    product = itertools.product(*reversed(list(values.values())))
    return [dict(zip(values, reversed(each), strict=True)) for each in product]


def sweep(settings: Sequence[Tree], score: Score, seeds: int = 1, **more: Any) -> Tree:
    """A data.json tree in which setting k has the hyperparameters `settings[k]`."""

    def run(params: Tree, number: int) -> Tree:
        value = score(params, number)
        if value is None:
            return flat_run(number, 0.0, status="diverged")
        return flat_run(number, value)

    runs = {k: [run(each, number) for number in range(seeds)] for k, each in enumerate(settings)}
    tree = make_tree(runs, params=dict(enumerate(settings)), **more)
    tree["experiment"]["agent"]["parameters"] = {name: [] for name in settings[0]}
    return tree
