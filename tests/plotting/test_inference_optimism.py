"""What choosing the best of many settings does to its score, and what two stages do against it."""

from __future__ import annotations

import numpy as np
import pytest

from plotting.inference import Floats
from plotting.selection import Tally, choose, finalists

# 100 settings whose true means have a standard deviation of 0.5, and seeds one of 1
SETTINGS, SPREAD, EXPERIMENTS = 100, 0.5, 400


def _tallies(truth: Floats, seeds: int, rng: np.random.Generator) -> list[Tally]:
    scores = truth[:, None] + rng.normal(size=(len(truth), seeds))
    return [Tally(number, tuple(row)) for number, row in enumerate(scores.tolist())]


@pytest.mark.parametrize(
    ("seeds", "reported", "true"),
    [(1, 2.80, 0.55), (3, 1.92, 0.82), (5, 1.68, 0.94), (10, 1.49, 1.06), (30, 1.34, 1.18)],
)
def test_the_best_of_a_hundred_settings_on_few_seeds_is_reported_too_high(
    seeds: int, reported: float, true: float
) -> None:
    rng = np.random.default_rng(seeds)
    scores, truths = [], []
    for _ in range(EXPERIMENTS):
        truth = rng.normal(0, SPREAD, SETTINGS)
        choice = choose(_tallies(truth, seeds, rng))
        assert choice is not None
        scores.append(choice.tally.mean_score)
        truths.append(truth[choice.tally.setting])
    assert np.mean(scores) == pytest.approx(reported, abs=0.07)
    assert np.mean(truths) == pytest.approx(true, abs=0.07)
    optimism = np.mean(scores) - np.mean(truths)
    assert optimism == pytest.approx(reported - true, abs=0.07)  # in standard deviations of a seed
    assert seeds != 3 or optimism > 1.05


def test_five_finalists_on_thirty_fresh_seeds_are_reported_nearly_right() -> None:
    rng = np.random.default_rng(0)
    scores, truths = [], []
    for _ in range(EXPERIMENTS):
        truth = rng.normal(0, SPREAD, SETTINGS)
        few = [tally.setting for tally in finalists(_tallies(truth, 3, rng), 5)]
        choice = choose(_tallies(truth[few], 30, rng))
        assert choice is not None
        scores.append(choice.tally.mean_score)
        truths.append(truth[few][choice.tally.setting])
    assert np.mean(scores) == pytest.approx(1.17, abs=0.07)
    assert np.mean(truths) == pytest.approx(1.08, abs=0.07)
    assert 0 < np.mean(scores) - np.mean(truths) < 0.15


def test_finalists_are_the_best_of_those_that_could_be_chosen_best_first() -> None:
    whole = [Tally(number, (float(number),)) for number in range(4)]
    diverged = Tally(9, (99.0,), diverged=1)
    assert [each.setting for each in finalists([*whole, diverged], 2)] == [3, 2]
    choice = choose([*whole, diverged])
    assert choice is not None
    assert choice.tally == finalists([*whole, diverged], 1)[0]
    assert len(finalists(whole, 10)) == 4
