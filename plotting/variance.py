"""How much of the differences between settings each hyperparameter makes: shares of variance.

On a full grid, every combination of values with one score, the shares are exact: Fisher's analysis
of variance (1925, Statistical methods for research workers), which fANOVA (Hutter, Hoos &
Leyton-Brown 2014, An efficient approach for assessing hyperparameter importance) estimates
elsewhere. They are of the grid that was run: other values would give other shares.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plotting.distributions import t_quantile
from plotting.hyperparameters import MOST_CATEGORIES, Axis
from plotting.inference import CONFIDENCE, Floats

GROUPS = 4  # of a hyperparameter with many values, as equally large as they can be
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one hyperparameter makes, or two beyond what each makes alone, or all the rest.

    names: of the hyperparameters; none for the rest.
    share: of the variance between settings' means.
    low, high: its interval over seeds; NaN with fewer than two.
    by_chance: the share that seeds alone are expected to make.
    """

    names: tuple[str, ...]
    share: float
    low: float
    high: float
    by_chance: float


def is_full_grid(axes: Sequence[Axis], means: Sequence[float]) -> bool:
    """Whether every combination of values has exactly one setting, and that a score."""
    combinations = set(zip(*(axis.position for axis in axes), strict=True))
    size = math.prod(len(axis.values) for axis in axes)
    return len(combinations) == size == len(means) and all(map(math.isfinite, means))


def main_shares(axes: Sequence[Axis], means: Sequence[float]) -> dict[str, float]:
    """Each hyperparameter's own share; of settings that have a score."""
    scores = np.asarray(means)
    known = np.isfinite(scores)
    total = _squares(scores[known])
    return {
        axis.name: _between(scores[known], groups(axis)[known]) / total if total > 0 else 0.0
        for axis in axes
    }


def effects(axes: Sequence[Axis], scores: Floats) -> list[Effect]:
    """From scores [setting, seed], NaN where a run has none: largest first, the rest last.

    Interactions are there on a full grid only: elsewhere hyperparameters are not independent, and
    shares of theirs may overlap. Intervals are by Tukey's jackknife (1958) over seeds.
    """
    means = _means(scores)
    full = is_full_grid(axes, means.tolist())
    names, found = _shares(axes, means, full)
    seeds = range(scores.shape[1]) if scores.shape[1] > 1 else ()
    left_out = [_means(np.delete(scores, seed, axis=1)) for seed in seeds]
    low, high = _jackknife(found, [_shares(axes, each, full)[1] for each in left_out])
    chance = _by_chance(axes, scores, names)
    order = sorted(range(len(names)), key=lambda k: (not names[k], -found[k]))
    return [
        Effect(names[k], float(found[k]), float(low[k]), float(high[k]), float(chance[k]))
        for k in order
    ]


def groups(axis: Axis) -> Ints:
    """Which of its values each setting has; of many values, which of four parts in order."""
    position = np.array(axis.position)
    if len(axis.values) <= MOST_CATEGORIES:
        return position
    ranks = np.argsort(np.argsort(position, kind="stable"), kind="stable")
    return ranks * GROUPS // len(ranks)


def _shares(
    axes: Sequence[Axis], means: Floats, full: bool
) -> tuple[list[tuple[str, ...]], Floats]:
    """Names of effects, and their shares."""
    known = np.isfinite(means)
    scores, total = means[known], _squares(means[known])
    of = [groups(axis)[known] for axis in axes]
    squares = [_between(scores, each) for each in of]
    names: list[tuple[str, ...]] = [(axis.name,) for axis in axes]
    rest = total - math.fsum(squares)
    if full and len(axes) > 2:
        for i, j in itertools.combinations(range(len(axes)), 2):
            pair = of[i] * len(axes[j].values) + of[j]
            squares.append(_between(scores, pair) - squares[i] - squares[j])
            names.append((axes[i].name, axes[j].name))
            rest -= squares[-1]
    if full:
        names.append(())
        squares.append(rest)
    shares = np.maximum(np.array(squares), 0.0)
    return names, shares / total if total > 0 else np.zeros(len(names))


def _by_chance(axes: Sequence[Axis], scores: Floats, names: Sequence[tuple[str, ...]]) -> Floats:
    """Every degree of freedom of an effect gets the same part of the seeds' variance."""
    runs = np.isfinite(scores).sum(axis=1)
    several = runs > 1
    if not several.any():
        return np.full(len(names), np.nan)
    of_mean = float(np.mean(np.nanvar(scores[several], axis=1, ddof=1) / runs[several]))
    means = _means(scores)
    means = means[np.isfinite(means)]
    total = _squares(means)
    if total == 0:
        return np.zeros(len(names))
    values = {axis.name: len(np.unique(groups(axis))) for axis in axes}
    freedom = [math.prod(values[name] - 1 for name in each) if each else 0 for each in names]
    spent = sum(freedom)
    freedom = [
        f if each else len(means) - 1 - spent for f, each in zip(freedom, names, strict=True)
    ]
    return np.minimum(np.array(freedom) * of_mean / total, 1.0)


def _jackknife(found: Floats, left_out: Sequence[Floats]) -> tuple[Floats, Floats]:
    seeds = len(left_out)
    if seeds < 2:
        unknown = np.full(len(found), np.nan)
        return unknown, unknown
    every = np.stack(left_out)
    error = np.sqrt((seeds - 1) / seeds * ((every - every.mean(axis=0)) ** 2).sum(axis=0))
    half_width = t_quantile(CONFIDENCE, seeds - 1) * error
    return np.maximum(found - half_width, 0.0), np.minimum(found + half_width, 1.0)


def _means(scores: Floats) -> Floats:
    known = np.isfinite(scores)
    counts = known.sum(axis=1)
    means: Floats = np.where(known, scores, 0.0).sum(axis=1) / np.where(counts, counts, np.nan)
    return means


def _squares(scores: Floats) -> float:
    return float(((scores - scores.mean()) ** 2).sum()) if scores.size else 0.0


def _between(scores: Floats, group: Ints) -> float:
    """Squared deviations of the groups' means, each as often as the group has settings."""
    if not scores.size:
        return 0.0
    counts = np.bincount(group)
    sums = np.bincount(group, weights=scores - scores.mean())
    return float((sums[counts > 0] ** 2 / counts[counts > 0]).sum())
