"""Aggregates over tasks have the values that rliable has, and intervals that cover."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plotting import aggregates
from plotting.aggregates import (
    interquartile_mean,
    mean_score_distribution,
    optimality_gap,
    probability_of_improvement,
    resample,
    score_distribution,
    stratified_interval,
)
from plotting.inference import Floats

nan = math.nan


def _table(runs: int, shift: int) -> Floats:
    """Scores [run, 5 tasks] between 0 and 1.7, without pattern and with a few ties."""
    run, task = np.mgrid[:runs, :5]
    scores: Floats = ((17 * run + 29 * task + 7 * run * task + 5 * run**2 + shift) % 101) / 60
    return scores


A, B, C, D = _table(10, 0), _table(7, 13), _table(6, 3), _table(3, 50)

# What rliable 1.2.0 has for these tables.
AGGREGATES: list[tuple[Callable[[Floats], Floats], list[float]]] = [
    (
        aggregates.mean,
        [0.8523333333333334, 0.7866666666666667, 0.8838888888888888, 0.7722222222222221],
    ),
    (
        aggregates.median,
        [0.7883333333333333, 0.8023809523809524, 0.8944444444444444, 0.7722222222222223],
    ),
    (
        interquartile_mean,
        [0.8307692307692307, 0.7921052631578949, 0.8770833333333333, 0.7981481481481482],
    ),
    (
        optimality_gap,
        [0.28800000000000014, 0.33285714285714285, 0.28, 0.33666666666666656],
    ),
    (
        lambda scores: optimality_gap(scores, 0.5),
        [0.06733333333333336, 0.09666666666666668, 0.07222222222222219, 0.09888888888888892],
    ),
]
THRESHOLDS = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 0.35])


@pytest.mark.parametrize(("statistic", "expected"), AGGREGATES)
def test_aggregates_are_those_of_rliable(
    statistic: Callable[[Floats], Floats], expected: list[float]
) -> None:
    for table, value in zip((A, B, C, D), expected, strict=True):
        assert statistic(table) == pytest.approx(value, rel=1e-12)


def test_probabilities_of_improvement_are_those_of_rliable() -> None:
    for one, other, expected in (
        (A, B, 0.5071428571428572),
        (B, A, 0.49285714285714277),
        (C, D, 0.5722222222222222),
        (A, A, 0.5),
    ):
        assert probability_of_improvement(one, other) == pytest.approx(expected, rel=1e-12)


def test_performance_profiles_are_those_of_rliable() -> None:
    np.testing.assert_allclose(
        score_distribution(A, THRESHOLDS), [0.98, 0.88, 0.7, 0.54, 0.38, 0.16, 0.8], rtol=1e-12
    )
    np.testing.assert_allclose(
        score_distribution(B, THRESHOLDS),
        np.array([35, 27, 23, 18, 13, 3, 25]) / 35,
        rtol=1e-12,
    )
    for table, expected in ((A, [1, 1, 1, 1, 0, 0, 1]), (B, [1, 1, 1, 0.6, 0, 0, 1])):
        np.testing.assert_allclose(mean_score_distribution(table, THRESHOLDS), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("statistic", "tables", "low", "high"),
    [  # of 100,000 resamples (the last: 20,000) by rliable
        (aggregates.mean, (A,), 0.71966667, 0.98466667),
        (aggregates.median, (A,), 0.68166667, 1.01166667),
        (interquartile_mean, (A,), 0.66217949, 1.01474359),
        (optimality_gap, (A,), 0.20166667, 0.37866667),
        (probability_of_improvement, (A, B), 0.37428571, 0.64),
    ],
)
def test_stratified_intervals_are_those_of_rliable_but_for_chance(
    statistic: Callable[..., Floats], tables: tuple[Floats, ...], low: float, high: float
) -> None:
    found = stratified_interval(statistic, *tables, rng=np.random.default_rng(0), resamples=20_000)
    assert found.estimate == pytest.approx(float(statistic(*tables)))
    assert found.low == pytest.approx(low, abs=0.01)
    assert found.high == pytest.approx(high, abs=0.01)


def test_a_profile_has_an_interval_at_every_threshold() -> None:
    found = stratified_interval(
        lambda scores: score_distribution(scores, THRESHOLDS),
        A,
        rng=np.random.default_rng(0),
        resamples=500,
        name="performance profile",
    )
    assert found.low.shape == found.high.shape == THRESHOLDS.shape
    assert (found.low <= found.estimate).all()
    assert (found.estimate <= found.high).all()
    assert found.caption == (
        "performance profile and 95% percentile interval of 500 stratified bootstrap resamples "
        "over 5 tasks of 10 runs"
    )


# What is drawn


def test_resamples_draw_the_runs_of_each_task_alike_and_from_nowhere_else() -> None:
    table = np.arange(20.0).reshape(4, 5)
    drawn = resample(table, 4000, np.random.default_rng(0))
    for task in range(5):
        values, counts = np.unique(drawn[:, :, task], return_counts=True)
        np.testing.assert_array_equal(values, table[:, task])
        assert counts / counts.sum() == pytest.approx(0.25, abs=0.02)
    # runs of different tasks are drawn by themselves, not as rows
    assert np.corrcoef(drawn[:, 0, 0], drawn[:, 0, 1])[0, 1] == pytest.approx(0, abs=0.06)


def test_equal_generators_draw_equally_and_none_other_is_touched() -> None:
    before = np.random.default_rng(5)
    one, other = (
        stratified_interval(interquartile_mean, A, rng=np.random.default_rng(5), resamples=100)
        for _ in range(2)
    )
    assert (one.low, one.high) == (other.low, other.high)
    assert before.random() == np.random.default_rng(5).random()


def test_tasks_may_have_different_numbers_of_runs() -> None:
    table = np.array([[1.0, 10.0], [2.0, nan], [3.0, 30.0]])
    drawn = resample(table, 50, np.random.default_rng(0))
    assert np.isfinite(drawn[:, :, 0]).all()
    assert set(drawn[:, :2, 1].ravel()) == {10.0, 30.0}
    assert np.isnan(drawn[:, 2, 1]).all()
    found = stratified_interval(
        interquartile_mean, table, rng=np.random.default_rng(0), resamples=50, diverged="exclude"
    )
    assert found.estimate == iqm_of([1, 2, 3, 10, 30])
    assert found.caption.endswith(
        "over 2 tasks of 2 to 3 runs (caution: with fewer than 10 it covers less than that); "
        "1 without a finite score, left out"
    )
    assert aggregates.mean(table) == pytest.approx((2 + 20) / 2)
    assert probability_of_improvement(table, table) == 0.5


def iqm_of(values: list[float]) -> float:
    return float(interquartile_mean(np.array(values)[:, None]))


def test_a_diverged_run_counts_as_the_worst_of_its_task_in_any_table() -> None:
    good, bad = np.array([[5.0, 50.0], [nan, 60.0]]), np.array([[1.0, 10.0], [2.0, nan]])
    found = stratified_interval(
        lambda one, other: one.sum(axis=(-2, -1)) - other.sum(axis=(-2, -1)),
        good,
        bad,
        rng=np.random.default_rng(0),
        resamples=10,
    )
    assert found.estimate == (5 + 1 + 50 + 60) - (1 + 2 + 10 + 10)
    assert found.caption.endswith("2 without a finite score, counted as the worst of the others")


def test_a_task_of_one_run_has_no_spread_to_draw_from() -> None:
    table = np.array([[1.0, 2.0], [2.0, nan]])
    found = stratified_interval(
        interquartile_mean, table, rng=np.random.default_rng(0), diverged="exclude"
    )
    assert found.estimate == iqm_of([1, 2, 2])
    assert np.isnan([found.low, found.high]).all()
    assert found.caption.startswith("interquartile mean, without interval as a task has one run")


def test_a_task_without_any_score_is_refused() -> None:
    table = np.array([[1.0, nan], [2.0, nan]])
    with pytest.raises(ValueError, match="no score is left of task 1"):
        stratified_interval(
            interquartile_mean, table, rng=np.random.default_rng(0), diverged="exclude"
        )


# What is covered


@pytest.mark.parametrize(("runs", "covered"), [(3, 0.87), (5, 0.91), (10, 0.93)])
def test_intervals_over_five_tasks_cover_more_with_more_runs(runs: int, covered: float) -> None:
    # tasks of equal difficulty, so that the interquartile mean of normal scores is their mean
    rng = np.random.default_rng(runs)
    experiments = 600
    hits = 0
    for table in rng.normal(size=(experiments, runs, 5)):
        found = stratified_interval(interquartile_mean, table, rng=rng, resamples=400)
        hits += bool(found.low <= 0 <= found.high)
    assert hits / experiments == pytest.approx(covered, abs=0.04)


# Laws

tables = st.tuples(st.integers(1, 6), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-50, 50).map(float))
)


@given(table=tables, seed=st.integers(0, 99))
def test_the_order_of_runs_and_of_tasks_is_of_no_account(table: Floats, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(rng.permuted(table, axis=0), axis=1)
    for statistic, _ in AGGREGATES:
        assert statistic(shuffled) == pytest.approx(float(statistic(table)), abs=1e-9)


@given(table=tables, scale=st.floats(0.1, 10), shift=st.floats(-100, 100))
def test_aggregates_move_and_grow_with_the_scores(
    table: Floats, scale: float, shift: float
) -> None:
    for statistic in (aggregates.mean, aggregates.median, interquartile_mean):
        moved = float(statistic(scale * table + shift))
        assert moved == pytest.approx(scale * float(statistic(table)) + shift, abs=1e-6)
        assert table.min() - 1e-9 <= statistic(table) <= table.max() + 1e-9


@given(table=tables, target=st.floats(-50, 50))
def test_the_optimality_gap_is_never_negative_and_nothing_where_all_reach_the_target(
    table: Floats, target: float
) -> None:
    gap = float(optimality_gap(table, target))
    assert gap >= -1e-9
    assert (gap <= 1e-9) == bool((table >= target - 1e-9).all())


@given(one=tables, seed=st.integers(0, 99))
def test_what_one_does_not_win_the_other_does(one: Floats, seed: int) -> None:
    other = np.random.default_rng(seed).integers(-50, 50, (3, one.shape[1])).astype(float)
    wins = float(probability_of_improvement(one, other))
    assert 0 <= wins <= 1
    assert wins + float(probability_of_improvement(other, one)) == pytest.approx(1)


@given(table=tables)
def test_a_profile_is_what_counting_gives_and_stacks_of_tables_are_tables(table: Floats) -> None:
    thresholds = np.array([-20.0, 0.0, 5.5, 20.0])
    profile = score_distribution(table, thresholds)
    np.testing.assert_allclose(profile, [(table > each).mean() for each in thresholds])
    stack = np.stack((table, table + 1))
    np.testing.assert_allclose(score_distribution(stack, thresholds)[0], profile)
    for statistic, _ in AGGREGATES:
        assert statistic(stack)[1] == pytest.approx(float(statistic(table + 1)), abs=1e-9)
