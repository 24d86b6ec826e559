"""The interval over seeds holds its level, and its quantile is Student's."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plotting.inference import mean_interval, t_quantile


@pytest.mark.parametrize(
    ("degrees_of_freedom", "published"),
    [
        (1, 12.706204736432095),
        (2, 4.302652729911275),
        (3, 3.182446305284263),
        (4, 2.776445105197793),
        (5, 2.570581835636314),
        (9, 2.2621571628540993),
        (29, 2.045229642132703),
        (99, 1.9842169515086827),
    ],
)
def test_the_quantile_is_the_published_one(degrees_of_freedom: int, published: float) -> None:
    assert t_quantile(0.95, degrees_of_freedom) == pytest.approx(published, rel=1e-10)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99, 0.999])
def test_the_quantile_has_its_closed_form_for_one_and_two_degrees_of_freedom(
    confidence: float,
) -> None:
    p = (1 + confidence) / 2
    assert t_quantile(confidence, 1) == pytest.approx(math.tan(math.pi * (p - 0.5)), rel=1e-10)
    two = (2 * p - 1) * math.sqrt(2 / (4 * p * (1 - p)))
    assert t_quantile(confidence, 2) == pytest.approx(two, rel=1e-10)


def test_with_many_seeds_the_quantile_is_the_normal_one() -> None:
    assert t_quantile(0.95, 100_000) == pytest.approx(1.959963984540054, rel=3e-5)


@pytest.mark.parametrize("seeds", [2, 3, 5, 10, 30])
def test_the_interval_covers_the_true_mean_in_95_percent_of_experiments(seeds: int) -> None:
    experiments = 20_000
    scores = np.random.default_rng(seeds).normal(3.0, 2.0, (seeds, experiments))
    interval = mean_interval(scores)
    covered = np.mean((interval.low <= 3.0) & (interval.high >= 3.0))
    assert covered == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / experiments))


def test_an_interval_by_hand() -> None:
    interval = mean_interval(np.array([[1.0], [2.0], [3.0]]))
    half_width = 4.302652729911275 * 1.0 / math.sqrt(3)
    assert interval.mean[0] == 2.0
    assert interval.low[0] == pytest.approx(2.0 - half_width)
    assert interval.high[0] == pytest.approx(2.0 + half_width)
    assert interval.n[0] == 3


def test_unknown_values_do_not_count_and_one_seed_has_no_interval() -> None:
    nan = math.nan
    interval = mean_interval(np.array([[1.0, 1.0, nan], [3.0, nan, nan]]))
    assert interval.n.tolist() == [2, 1, 0]
    np.testing.assert_array_equal(interval.mean, [2.0, 1.0, nan])
    np.testing.assert_array_equal(np.isnan(interval.low), [False, True, True])
    np.testing.assert_array_equal(np.isnan(interval.high), [False, True, True])
