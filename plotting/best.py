"""Which settings may be the best one, as far as their seeds can tell."""

from __future__ import annotations

import numpy as np

from plotting.inference import CONFIDENCE, Floats

RESAMPLES = 10_000
#: How much is borrowed: as if so many more seeds of a setting had the spread that is common.
BORROWED = 4
_CHUNK = 1 << 16  # scores at a time: they stay in the processor's cache


def probabilities_of_being_best(
    scores: Floats, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Floats:
    """How often each setting has the highest mean when all seeds are drawn anew. [S, seed] -> [S]

    A bootstrap of the whole choice (Efron & Tibshirani 1993, chapter 13, of the argmax): in every
    resample each setting's mean gets the mean of deviations drawn from its own seeds. Two or three
    seeds often look alike by chance, and their setting would be certain of its place; so some
    deviations are drawn from all settings together, which is what moderating their variances does
    (Smyth 2004, Linear models and empirical Bayes methods for assessing differential expression).

    Returns:
        NaN where there is one seed only, which says nothing of a spread.
    """
    settings, seeds = scores.shape
    if seeds < 2:
        return np.full(settings, np.nan)
    means = scores.mean(axis=1)
    # n seeds deviate from their own mean by less than from the true one
    deviations = (scores - means[:, None]) * np.sqrt(seeds / (seeds - 1))
    own_share = (seeds - 1) / (seeds - 1 + BORROWED)
    wins = np.zeros(settings)
    chunk = max(1, _CHUNK // scores.size)
    for start in range(0, resamples, chunk):
        shape = (min(chunk, resamples - start), settings, seeds)
        own = rng.integers(seeds, size=shape) + seeds * np.arange(settings)[:, None]
        anyones = rng.integers(scores.size, size=shape)
        places = np.where(rng.random(shape) < own_share, own, anyones)
        drawn = means + deviations.take(places).mean(axis=-1)
        wins += np.bincount(drawn.argmax(axis=-1), minlength=settings)
    return wins / resamples


def possible_bests(probabilities: Floats, confidence: float = CONFIDENCE) -> list[int]:
    """The fewest settings, likeliest first, one of which wins in that share of resamples.

    All of them where nothing is known of the probabilities.
    """
    if np.isnan(probabilities).any():
        return list(range(len(probabilities)))
    order = np.argsort(-probabilities, kind="stable")
    reached = np.cumsum(probabilities[order]) >= confidence - 1e-9
    return [int(k) for k in order[: int(reached.argmax()) + 1]]
