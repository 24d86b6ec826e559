"""Tests of a difference reject as seldom as they say, one by one and all together."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotting.differences import (
    MOST_EXACT,
    compare_pairwise,
    effect_size,
    holm,
    permutation_test,
    welch,
)
from plotting.inference import Floats

nan = math.nan


def _sample(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


# Student's data on the extra hours of sleep by two drugs (1908), as in R's `sleep`
FIRST = _sample(0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
SECOND = _sample(1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


def test_welchs_test_of_the_sleep_data_is_the_published_one() -> None:
    found = welch(FIRST, SECOND)
    assert found.estimate == pytest.approx(-1.58)
    assert (found.low, found.high) == pytest.approx((-3.3654832, 0.2054832), abs=1e-7)
    assert found.p == pytest.approx(0.07939414018735820, rel=1e-9)


def test_two_equal_samples_do_not_differ() -> None:
    found = welch(_sample(1, 2), _sample(1, 2))
    assert (found.estimate, found.p) == (0.0, 1.0)
    # Student's quantile at 2 degrees of freedom, and a standard error of sqrt(1/2)
    assert found.high == -found.low == pytest.approx(4.3026527297494639 * math.sqrt(0.5))


def test_without_any_variance_nothing_can_be_tested() -> None:
    for one, other in (
        (_sample(1, 1), _sample(2, 2)),
        (_sample(0.1, 0.1, 0.1), _sample(0.7, 0.7, 0.7)),  # whose means are not quite these
        (_sample(1), _sample(2, 3)),
    ):
        found = welch(one, other)
        assert found.estimate < 0
        assert np.isnan([found.low, found.high, found.p]).all()


@pytest.mark.parametrize("deviation", [1.0, 5.0])
def test_welch_rejects_one_true_hypothesis_in_twenty_and_covers_the_rest(deviation: float) -> None:
    rng = np.random.default_rng(int(deviation))
    found = [welch(rng.normal(size=5), rng.normal(0, deviation, 12)) for _ in range(1000)]
    assert np.mean([each.p <= 0.05 for each in found]) == pytest.approx(0.05, abs=0.02)
    for each in found:
        assert (each.p <= 0.05) == (not each.low < 0 < each.high)


def test_a_permutation_test_by_hand() -> None:
    rng = np.random.default_rng(0)
    # of the 6 ways to divide 1, 2, 3, 4 into two pairs, two are as extreme as this one
    assert permutation_test(_sample(1, 2), _sample(3, 4), rng) == pytest.approx(2 / 6)
    assert permutation_test(_sample(1, 4), _sample(2, 3), rng) == 1.0
    assert permutation_test(_sample(1, 1), _sample(1, 1, 1), rng) == 1.0


def test_a_small_permutation_test_is_exact_and_draws_nothing() -> None:
    rng = np.random.default_rng(0)
    permutation_test(FIRST[:8], SECOND[:8], rng)
    assert rng.random() == np.random.default_rng(0).random()


def test_random_permutations_come_near_to_all_of_them() -> None:
    assert math.comb(20, 10) > MOST_EXACT
    pooled = np.concatenate((FIRST, SECOND))
    ways = np.array(list(itertools.combinations(range(20), 10)))
    sums = np.abs(pooled[ways].sum(axis=1) - pooled.sum() / 2)
    exact = np.mean(sums >= abs(FIRST.sum() - pooled.sum() / 2) - 1e-9)
    found = permutation_test(FIRST, SECOND, np.random.default_rng(0))
    assert found == pytest.approx(exact, abs=0.01)


def test_random_permutations_never_give_nothing() -> None:
    far = permutation_test(FIRST, SECOND + 1e6, np.random.default_rng(1), permutations=99)
    assert far == pytest.approx(1 / 100)


@pytest.mark.parametrize(("runs", "experiments"), [(4, 2000), (10, 400)])
def test_permutation_rejects_no_more_than_one_true_hypothesis_in_twenty(
    runs: int, experiments: int
) -> None:
    rng = np.random.default_rng(runs)
    p = np.array(
        [
            permutation_test(rng.lognormal(size=runs), rng.lognormal(size=runs), rng, 299)
            for _ in range(experiments)
        ]
    )
    assert np.mean(p <= 0.05) <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / experiments)
    assert np.mean(p <= 0.5) == pytest.approx(0.5, abs=0.07)


def test_the_effect_size_is_hedges() -> None:
    one, other = _sample(1, 2, 3), _sample(2, 4, 6, 8)
    pooled = math.sqrt((2 * 1 + 3 * (20 / 3)) / 5)
    correction = math.gamma(5 / 2) / (math.sqrt(5 / 2) * math.gamma(2))
    assert effect_size(one, other) == pytest.approx((2 - 5) / pooled * correction)
    assert math.isnan(effect_size(_sample(0.1, 0.1, 0.1), _sample(0.7, 0.7, 0.7)))


def test_the_effect_size_is_right_on_average() -> None:
    rng = np.random.default_rng(0)
    effects = [effect_size(rng.normal(1, 1, 3), rng.normal(0, 1, 3)) for _ in range(8000)]
    assert np.mean(effects) == pytest.approx(1.0, abs=0.05)


# Many at once


def test_holms_adjustment_by_hand() -> None:
    # 4 * 0.005, 3 * 0.01, then 2 * 0.03 and 1 * 0.04, which may not be smaller
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, nan, 0.01]), [1.0, nan, 0.03])
    assert holm([]).size == 0


@pytest.mark.parametrize("false_ones", [0, 5])
@pytest.mark.parametrize("dependent", [False, True])
def test_holm_finds_something_untrue_in_no_more_than_one_family_in_twenty(
    false_ones: int, dependent: bool
) -> None:
    families, true_ones = 8000, 5
    rng = np.random.default_rng(false_ones)
    p = rng.random((families, 1 if dependent else true_ones))
    p = np.broadcast_to(p, (families, true_ones))
    p = np.concatenate((p, np.full((families, false_ones), 1e-9)), axis=1)
    rejected = np.array([holm(family) for family in p]) <= 0.05
    assert rejected[:, true_ones:].all()
    wrong = rejected[:, :true_ones].any(axis=1).mean()
    assert wrong <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / families)
    if not dependent:  # and it gives nothing away
        assert wrong >= 0.04


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_adjusted_p_lie_between_p_and_bonferronis_in_the_same_order(p: list[float]) -> None:
    adjusted, values = holm(p), np.array(p)
    assert (adjusted >= values).all()
    assert (adjusted <= np.minimum(values * len(p), 1)).all()
    order = np.argsort(values)
    assert (np.diff(adjusted[order]) >= 0).all()


samples = st.lists(st.integers(-99, 99).map(float), min_size=2, max_size=5).map(np.array)


@given(one=samples, other=samples, scale=st.floats(0.1, 10), shift=st.floats(-99, 99))
def test_tests_see_neither_order_nor_unit_and_turn_around_with_the_agents(
    one: Floats, other: Floats, scale: float, shift: float
) -> None:
    rng = np.random.default_rng(0)
    plain, turned = welch(one, other), welch(other, one)
    moved = welch(scale * one[::-1] + shift, scale * other + shift)
    assert turned.estimate == -plain.estimate
    assert turned.p == pytest.approx(plain.p, nan_ok=True)
    assert turned.low == pytest.approx(-plain.high, nan_ok=True)
    if plain.p == plain.p and np.var(one) + np.var(other) > 0:
        assert moved.p == pytest.approx(plain.p, rel=1e-6, abs=1e-9)
        assert effect_size(one, other) == pytest.approx(-effect_size(other, one))
    p = permutation_test(one, other, rng)
    assert 0 < p <= 1
    assert permutation_test(other[::-1], one, rng) == pytest.approx(p)
    assert permutation_test(scale * one + shift, scale * other + shift, rng) == pytest.approx(p)


# All agents


def test_every_pair_of_agents_is_compared() -> None:
    scores = {"a": FIRST, "b": SECOND, "c": FIRST + 10}
    rows, caption = compare_pairwise(scores)
    assert [(row.first, row.second) for row in rows] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert rows[0].difference == welch(FIRST, SECOND)
    np.testing.assert_allclose([row.p_holm for row in rows], holm([row.p for row in rows]))
    assert rows[0].effect == effect_size(FIRST, SECOND)
    assert rows[1].improvement == 0.0
    assert caption == (
        "differences of means with 95% Welch intervals, each for itself; Welch's t tests, "
        "two-sided, p adjusted for 3 pairs by Holm's method"
    )


def test_by_permutation_with_a_generator_only() -> None:
    scores = {"a": FIRST[:4], "b": SECOND[:4]}
    rng = np.random.default_rng(0)
    ((row,), caption) = compare_pairwise(scores, "permutation", rng=rng)
    assert row.p == row.p_holm == permutation_test(FIRST[:4], SECOND[:4], rng)
    assert "permutation tests, two-sided" in caption
    with pytest.raises(ValueError, match="needs a random generator"):
        compare_pairwise(scores, "permutation")


def test_a_diverged_run_is_the_worst_of_all_agents_or_left_out_and_that_is_said() -> None:
    scores = {"a": _sample(5, nan, 6), "b": _sample(1, 2, 3)}
    ((row,), caption) = compare_pairwise(scores)
    assert row.difference.estimate == pytest.approx((5 + 1 + 6) / 3 - 2)
    assert caption.endswith("; 1 without a finite score, counted as 1, the worst of the others")
    ((row,), caption) = compare_pairwise(scores, diverged="exclude")
    assert row.difference.estimate == pytest.approx(5.5 - 2)
    assert caption.endswith("; 1 without a finite score, left out")
    with pytest.raises(ValueError, match="no score is left of a"):
        compare_pairwise({"a": _sample(nan), "b": _sample(1)}, diverged="exclude")
