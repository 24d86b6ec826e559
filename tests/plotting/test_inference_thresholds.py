"""Scores from episodes: area, final performance, and times to a threshold that some never reach."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.curves import area_under_curve, final_performance
from plotting.thresholds import Reach, summarize_reaches, time_to_threshold


def test_area_and_final_performance_weigh_a_return_by_the_steps_of_its_episode() -> None:
    returns, steps = [0.0, 1.0, 3.0], [80, 15, 5]
    assert area_under_curve(returns, steps, 100) == pytest.approx((15 * 1 + 5 * 3) / 100)
    assert final_performance(returns, steps, 100) == pytest.approx((5 * 1 + 5 * 3) / 10)


def test_an_episode_that_never_ended_has_no_return() -> None:
    assert area_under_curve([2.0, 4.0], [30, 30], 100) == 3.0
    assert math.isnan(final_performance([2.0, 4.0], [30, 30], 100))


def test_the_threshold_is_reached_at_the_end_of_the_first_episode_that_does() -> None:
    returns, steps = [1.0, 5.0, 2.0, 9.0], [10, 20, 30, 40]
    assert time_to_threshold(returns, steps, 5.0, 100) == Reach(30, True)
    assert time_to_threshold(returns, steps, 5.1, 100) == Reach(100, True)


def test_a_run_that_never_does_is_censored_after_all_its_timesteps() -> None:
    assert time_to_threshold([1.0], [10], 2.0, 100) == Reach(100, False)
    assert time_to_threshold([], [], 2.0, 100) == Reach(100, False)
    assert time_to_threshold([math.nan], [10], 2.0, 100) == Reach(100, False)


def test_luck_in_one_episode_does_not_count_over_a_window() -> None:
    returns, steps = [0.0, 9.0, 0.0, 6.0, 6.0], [10] * 5
    assert time_to_threshold(returns, steps, 5.0, 50) == Reach(20, True)
    # means over 20 timesteps, from the second episode's end: 4.5, 4.5, 3, 6
    assert time_to_threshold(returns, steps, 5.0, 50, window=20) == Reach(50, True)
    assert time_to_threshold(returns, steps, 4.5, 50, window=20) == Reach(20, True)
    assert time_to_threshold(returns, steps, 5.0, 50, window=51) == Reach(50, False)


episodes = st.lists(st.tuples(st.integers(-100, 100), st.integers(1, 20)), min_size=1, max_size=20)


@given(episodes=episodes, threshold=st.integers(-100, 100), window=st.integers(1, 50))
def test_the_window_agrees_with_the_timestep_by_timestep_definition(
    episodes: list[tuple[int, int]], threshold: int, window: int
) -> None:
    returns, steps = zip(*episodes, strict=True)
    per_timestep = np.repeat(returns, steps).astype(float)
    ends = np.cumsum(steps)
    means = {int(end): per_timestep[end - window : end].mean() for end in ends if end >= window}
    expected = next((end for end, mean in means.items() if mean >= threshold), None)
    found = time_to_threshold(returns, steps, threshold, sum(steps), window)
    assert found == (Reach(sum(steps), False) if expected is None else Reach(expected, True))


def _reaches(*timesteps: int, never: int = 0) -> list[Reach]:
    return [Reach(t, True) for t in timesteps] + [Reach(1000, False)] * never


def test_the_median_is_when_half_of_all_runs_had_reached_it() -> None:
    found = summarize_reaches(_reaches(300, 100, 200, never=2))
    assert (found.n, found.reached, found.share, found.median) == (5, 3, 0.6, 300)
    assert found.caption == (
        "3 of 5 seeds reached it (95% Clopper-Pearson interval 14.66% to 94.73% of all), "
        "half of them all by timestep 300"
    )
    assert summarize_reaches(_reaches(100, 200, never=2)).median == 200


def test_there_is_no_median_when_fewer_than_half_did() -> None:
    found = summarize_reaches(_reaches(100, 200, never=3))
    assert found.median is None
    assert found.caption.endswith("fewer than half, so there is no median time")


def test_a_run_censored_early_cannot_make_the_median_earlier() -> None:
    early = [*_reaches(100, 200, 300), Reach(5, False), Reach(5, False)]
    assert summarize_reaches(early).median == 300


def test_nothing_cannot_be_summarised() -> None:
    with pytest.raises(ValueError, match="no run"):
        summarize_reaches([])
