"""Training curves are exact integrals over timesteps, whatever the episodes look like."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.curves import bin_edges, point_curve, train_curve
from plotting.curves import smoothed, stack

nan = math.nan


def test_a_bin_is_the_mean_over_its_timesteps_of_the_return_of_their_episode() -> None:
    # returns 10 on timesteps 1..3, 20 on 4..8, and then an episode that never ended
    curve = train_curve([10.0, 20.0], [3, 5], total_timesteps=10, bins=5)
    assert curve.timestep.tolist() == [2, 4, 6, 8, 10]
    np.testing.assert_allclose(curve.value, [10.0, 15.0, 20.0, 20.0, nan])
    assert curve.mean == pytest.approx((3 * 10 + 5 * 20) / 8)
    assert math.isnan(curve.final)


def test_a_bin_that_an_unfinished_episode_began_in_is_the_mean_of_the_rest() -> None:
    curve = train_curve([1.0], [3], total_timesteps=4, bins=2)
    np.testing.assert_allclose(curve.value, [1.0, 1.0])


def test_final_is_the_last_tenth_of_the_timesteps_whatever_the_bins() -> None:
    for bins in (1, 3, 7, 100, 1000):
        curve = train_curve([0.0, 1.0, 3.0], [80, 15, 5], total_timesteps=100, bins=bins)
        assert curve.final == pytest.approx((5 * 1 + 5 * 3) / 10)
        assert curve.mean == pytest.approx((80 * 0 + 15 * 1 + 5 * 3) / 100)


def test_long_episodes_weigh_more_than_short_ones() -> None:
    curve = train_curve([0.0] * 9 + [100.0], [1] * 9 + [91], total_timesteps=100, bins=1)
    assert curve.value[0] == pytest.approx(91.0)


def test_there_are_never_more_bins_than_timesteps() -> None:
    curve = train_curve([1.0], [3], total_timesteps=3, bins=100)
    assert curve.timestep.tolist() == [1, 2, 3]


episodes = st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(1, 50)), min_size=1, max_size=40)


@given(episodes=episodes, unfinished=st.integers(0, 60), bins=st.integers(1, 120))
def test_the_integral_of_the_curve_is_the_sum_of_return_times_steps(
    episodes: list[tuple[float, int]], unfinished: int, bins: int
) -> None:
    returns, steps = zip(*episodes, strict=True)
    finished = sum(steps)
    total = finished + unfinished
    curve = train_curve(returns, steps, total, bins)
    borders = np.minimum(np.concatenate(([0], curve.timestep)), finished)
    covered = np.diff(borders)
    assert np.array_equal(np.isnan(curve.value), covered == 0)
    integral = np.nansum(curve.value * covered)
    expected = math.fsum(value * length for value, length in episodes)
    assert integral == pytest.approx(expected, abs=1e-6)
    assert curve.mean * finished == pytest.approx(expected, abs=1e-6)


@given(episodes=episodes, bins=st.integers(1, 60))
def test_the_curve_agrees_with_the_timestep_by_timestep_definition(
    episodes: list[tuple[float, int]], bins: int
) -> None:
    returns, steps = zip(*episodes, strict=True)
    per_timestep = np.repeat(returns, steps)
    curve = train_curve(returns, steps, sum(steps), bins)
    borders = np.concatenate(([0], curve.timestep))
    slow = [per_timestep[a:b].mean() for a, b in pairwise(borders)]
    np.testing.assert_allclose(curve.value, slow, atol=1e-7)


@given(total=st.integers(1, 10**7), bins=st.integers(1, 500))
def test_bins_cover_all_timesteps_and_differ_by_one_at_most(total: int, bins: int) -> None:
    edges = bin_edges(total, bins)
    assert edges[0] == 0
    assert edges[-1] == total
    assert np.ptp(np.diff(edges)) <= 1


def test_a_point_stands_for_the_timesteps_since_the_one_before() -> None:
    curve = point_curve([50, 80, 100], [1.0, 2.0, 4.0], total_timesteps=100)
    assert curve.mean == pytest.approx((50 * 1 + 30 * 2 + 20 * 4) / 100)
    assert curve.final == pytest.approx(4.0)


def test_an_evaluation_before_training_is_drawn_but_stands_for_no_timestep() -> None:
    curve = point_curve([0, 100], [-50.0, 2.0], total_timesteps=100)
    assert curve.value.tolist() == [-50.0, 2.0]
    assert curve.mean == pytest.approx(2.0)
    assert point_curve([0], [-50.0], total_timesteps=100).mean == -50.0


def test_without_a_point_in_the_last_tenth_the_last_point_is_final() -> None:
    assert point_curve([30, 60, 90], [1.0, 2.0, 3.0], total_timesteps=100).final == 3.0


def test_infinite_and_unknown_values_give_no_score() -> None:
    for value in (math.inf, -math.inf, nan):
        curve = point_curve([50, 100], [1.0, value], total_timesteps=100)
        assert math.isnan(curve.mean)
        assert math.isnan(curve.final)
        np.testing.assert_array_equal(curve.value, [1.0, nan])


def test_seeds_measured_at_different_timesteps_are_interpolated_inside_their_ranges() -> None:
    first = point_curve([0, 20], [0.0, 20.0], 20)
    second = point_curve([10, 30], [1.0, 3.0], 30)
    timestep, values, as_measured = stack([first, second])
    assert timestep.tolist() == [0, 10, 20, 30]
    np.testing.assert_allclose(values, [[0, 10, 20, nan], [nan, 1, 2, 3]])
    assert not as_measured
    assert stack([first, first])[2]


@given(episodes=episodes, window=st.integers(1, 300))
def test_smoothing_agrees_with_the_timestep_by_timestep_definition(
    episodes: list[tuple[float, int]], window: int
) -> None:
    values, steps = zip(*episodes, strict=True)
    per_timestep = np.repeat(values, steps)
    at = np.cumsum(steps)
    found = smoothed(point_curve(at.tolist(), values, int(at[-1])), window)
    slow = [per_timestep[max(0, end - window) : end].mean() for end in at]
    np.testing.assert_allclose(found.value, slow, atol=1e-7)


def test_smoothing_leaves_out_what_is_unknown_and_keeps_what_was_before_training() -> None:
    curve = smoothed(point_curve([0, 10, 20, 30], [9.0, 1.0, nan, 4.0], 30), 20)
    np.testing.assert_allclose(curve.value, [9.0, 1.0, 1.0, 4.0])
    alone = smoothed(point_curve([10, 20], [1.0, nan], 30), 10)
    np.testing.assert_allclose(alone.value, [1.0, nan])
