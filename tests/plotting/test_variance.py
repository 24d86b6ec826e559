"""Shares of variance: exact on a full grid, and what seeds alone would make."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plotting.hyperparameters import Axis
from plotting.inference import Floats
from plotting.variance import effects, groups, is_full_grid, main_shares

nan = math.nan


def _grid(*sizes: int) -> tuple[Axis, ...]:
    """Axes a, b, ... of these many values, the first varying fastest."""
    rows = [row[::-1] for row in itertools.product(*map(range, sizes[::-1]))]
    return tuple(
        Axis("abcd"[k], tuple(range(size)), tuple(row[k] for row in rows))
        for k, size in enumerate(sizes)
    )


def _share(axes: tuple[Axis, ...], scores: Floats, *names: str) -> float:
    return next(each.share for each in effects(axes, scores) if each.names == names)


def test_what_adds_up_has_no_interaction() -> None:
    axes = _grid(2, 3)
    a, b = (np.array(axis.position) for axis in axes)
    scores = (3.0 * a + b)[:, None]  # variances 9/4 and 2/3
    assert _share(axes, scores, "a") == pytest.approx(2.25 / (2.25 + 2 / 3))
    assert _share(axes, scores, "b") == pytest.approx((2 / 3) / (2.25 + 2 / 3))
    assert _share(axes, scores) == pytest.approx(0.0)


def test_what_depends_on_two_together_only_is_their_interaction() -> None:
    axes = _grid(2, 2, 2)
    a, b, _ = (np.array(axis.position) for axis in axes)
    scores = ((a == b) * 1.0)[:, None]
    assert _share(axes, scores, "a", "b") == pytest.approx(1.0)
    assert _share(axes, scores, "a") == pytest.approx(0.0)
    first, *_ = effects(axes, scores)
    assert first.names == ("a", "b")


@given(scores=arrays(np.float64, (12, 2), elements=st.integers(-9, 9).map(float)))
def test_shares_of_a_full_grid_add_up_to_one(scores: Floats) -> None:
    found = effects(_grid(2, 3, 2), scores)
    total = sum(each.share for each in found)
    assert total == pytest.approx(1.0 if np.ptp(scores.mean(axis=1)) > 0 else 0.0)
    for each in found:
        assert 0 <= each.low <= each.high <= 1


def test_elsewhere_there_are_main_effects_of_the_settings_with_a_score_only() -> None:
    axes = _grid(2, 2)
    scores = np.array([[0.0], [4.0], [nan], [8.0]])
    assert not is_full_grid(axes, scores[:, 0].tolist())
    assert {each.names for each in effects(axes, scores)} == {("a",), ("b",)}
    # a: 0 against 4 and 8; b: 0 and 4 against 8; about the mean 4
    assert _share(axes, scores, "a") == pytest.approx((16 + 2 * 4) / 32)
    assert main_shares(axes, scores[:, 0].tolist())["b"] == pytest.approx((2 * 4 + 16) / 32)


def test_a_grid_is_full_when_every_combination_is_there_once() -> None:
    axes = _grid(2, 2)
    assert is_full_grid(axes, [1.0, 2.0, 3.0, 4.0])
    assert not is_full_grid(axes, [1.0, 2.0, 3.0, nan])
    twice = (Axis("a", (0, 1), (0, 1, 1)), Axis("b", (0, 1), (0, 0, 1)))
    assert not is_full_grid(twice, [1.0, 2.0, 3.0])


def test_seeds_alone_make_what_is_said_of_them() -> None:
    rng = np.random.default_rng(0)
    axes = _grid(5, 6)
    found = [effects(axes, rng.normal(size=(30, 5))) for _ in range(150)]
    for name in (("a",), ("b",), ()):
        shares = [e.share for each in found for e in each if e.names == name]
        chance = [e.by_chance for each in found for e in each if e.names == name]
        assert np.mean(shares) == pytest.approx(np.mean(chance), rel=0.2)


def test_equal_seeds_leave_no_doubt_and_one_seed_says_nothing_of_it() -> None:
    axes, column = _grid(2, 2), np.array([[1.0], [2.0], [3.0], [7.0]])
    for each in effects(axes, np.repeat(column, 3, axis=1)):
        assert each.low == pytest.approx(each.share) == pytest.approx(each.high)
        assert each.by_chance == 0.0
    for each in effects(axes, column):
        assert np.isnan([each.low, each.high, each.by_chance]).all()


def test_many_values_are_four_groups_in_order() -> None:
    axis = Axis("a", tuple(range(20)), tuple(reversed(range(20))))
    found = groups(axis)
    assert found[0] == 3
    assert np.bincount(found).tolist() == [5, 5, 5, 5]
