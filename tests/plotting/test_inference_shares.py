"""Tolerance intervals hold the share of runs that they say, and shares have exact intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotting.distributions import binomial_cdf
from plotting.shares import least_share, share_interval, tolerance_interval, tolerance_ranks


def test_the_ranks_are_the_narrowest_that_reach_the_confidence() -> None:
    for n in (46, 60, 77, 100):
        first, last = tolerance_ranks(n, 0.9, 0.95)
        assert binomial_cdf(last - first - 1, n, 0.9) >= 0.95
        assert binomial_cdf(last - first - 2, n, 0.9) < 0.95
        assert first + last in (n, n + 1)


def test_ninety_percent_of_runs_need_46_seeds() -> None:
    caption = "95% tolerance interval for 90% of runs (seed 1 to 46 of 46 in order)"
    assert tolerance_interval(np.arange(46.0)).caption == caption
    assert tolerance_interval(np.arange(46.0)).confidence == pytest.approx(0.9520, abs=5e-5)
    assert tolerance_interval(np.arange(45.0)).share < 0.9


@pytest.mark.parametrize("seeds", [46, 60, 93, 100])
def test_the_interval_holds_ninety_percent_of_runs_in_95_percent_of_experiments(
    seeds: int,
) -> None:
    # of scores that are uniform between 0 and 1 an interval holds the share that is its length
    experiments = 20_000
    scores = np.random.default_rng(seeds).random((seeds, experiments))
    found = tolerance_interval(scores)
    held = np.mean(found.high - found.low >= 0.9)
    assert found.share == 0.9
    assert found.confidence >= 0.95
    assert held == pytest.approx(found.confidence, abs=0.006)


@pytest.mark.parametrize(
    ("seeds", "share"), [(3, 0.14), (5, 0.34), (10, 0.61), (20, 0.78), (30, 0.85)]
)
def test_too_few_seeds_say_what_their_extremes_do_hold(seeds: int, share: float) -> None:
    scores = np.random.default_rng(seeds).random((seeds, 20_000))
    found = tolerance_interval(scores)
    np.testing.assert_array_equal(found.low, scores.min(axis=0))
    np.testing.assert_array_equal(found.high, scores.max(axis=0))
    assert found.share == pytest.approx(share, abs=0.005)
    assert np.mean(found.high - found.low >= found.share) == pytest.approx(0.95, abs=0.006)


def test_the_caption_of_too_few_seeds() -> None:
    assert tolerance_interval(np.arange(5.0)).caption == (
        "95% tolerance interval for 34.26% of runs (lowest to highest of 5 seeds, too few for more)"
    )
    assert "fewer than 2 seeds" in tolerance_interval(np.array([1.0])).caption


def test_diverged_runs_are_the_lowest_ranks_or_left_out() -> None:
    scores = np.append(np.arange(46.0), math.nan)
    assert tolerance_interval(scores, diverged=-5.0).n == 47
    assert tolerance_interval(scores, diverged=-5.0).low == -5.0
    excluded = tolerance_interval(scores, diverged="exclude")
    assert excluded.low == 0.0
    assert excluded.n == 46
    assert excluded.caption.endswith("; 1 without a finite score, left out")


def test_a_run_is_left_out_of_all_columns() -> None:
    found = tolerance_interval(np.array([[1, 2], [3, 4], [5, math.nan]]), diverged="exclude")
    assert (found.low.tolist(), found.high.tolist(), found.n) == ([1, 2], [3, 4], 2)


@given(
    n=st.integers(2, 300),
    share=st.sampled_from([0.5, 0.8, 0.9, 0.99]),
    confidence=st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_what_is_claimed_is_always_true(n: int, share: float, confidence: float) -> None:
    found = tolerance_interval(np.arange(float(n)), share, confidence)
    assert 0 <= found.low < found.high <= n - 1
    width = int(found.high - found.low)
    assert binomial_cdf(width - 1, n, found.share) >= confidence - 1e-9
    assert found.share == share or found.share == least_share(n, confidence) < share


# How many runs did something


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [  # closed forms at none and all; the others computed with 40 digits
        (0, 10, 0.0, 1 - 0.025 ** (1 / 10)),
        (10, 10, 0.025 ** (1 / 10), 1.0),
        (5, 10, 0.18708602844739855, 0.8129139715526014),
        (7, 10, 0.3475471499400027, 0.9332604888222655),
        (1, 3, 0.008403758659612637, 0.9057006759497539),
    ],
)
def test_the_interval_of_a_share_is_clopper_and_pearsons(
    count: int, n: int, low: float, high: float
) -> None:
    assert share_interval(count, n) == pytest.approx((low, high), rel=1e-9)


@pytest.mark.parametrize("n", [1, 3, 10, 30])
def test_it_never_covers_a_true_share_less_often_than_it_claims(n: int) -> None:
    intervals = [share_interval(count, n) for count in range(n + 1)]
    for truth in np.linspace(0.01, 0.99, 99):
        covered = sum(
            math.comb(n, count) * truth**count * (1 - truth) ** (n - count)
            for count, (low, high) in enumerate(intervals)
            if low <= truth <= high
        )
        assert covered >= 0.95 - 1e-12


def test_a_share_of_more_than_all_is_refused() -> None:
    with pytest.raises(ValueError, match="4 of 3 is no share"):
        share_interval(4, 3)
