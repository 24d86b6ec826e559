"""Intervals over seeds cover what they claim, or what the page on statistics says they cover."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotting.inference import KINDS, Floats, Interval, Kind, interval, iqm

nan, inf = math.nan, math.inf
PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"


def _interval(values: list[float] | Floats, kind: Kind = "mean-t", **more: object) -> Interval:
    rng = np.random.default_rng(0)
    return interval(np.asarray(values), kind, rng=rng, **more)  # type: ignore[arg-type]


# What the numbers are


def test_a_student_interval_by_hand() -> None:
    found = _interval([1.0, 2.0, 3.0])
    half_width = 4.3026527297494639 * 1.0 / math.sqrt(3)
    assert found.estimate == 2.0
    assert found.low == pytest.approx(2.0 - half_width, rel=1e-12)
    assert found.high == pytest.approx(2.0 + half_width, rel=1e-12)
    assert found.n == 3


def test_a_wanted_confidence() -> None:
    found = _interval([1.0, 2.0, 3.0], confidence=0.9)
    assert found.high - 2.0 == pytest.approx(2.9199855803537257 / math.sqrt(3), rel=1e-12)
    assert found.caption.startswith("mean and 90% Student-t interval over 3 seeds")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 6], 3.0),  # nothing is cut off
        ([1, 2, 3, 100], 2.5),
        ([1, 2, 3, 4, 100], 3.0),
        ([-100, 1, 2, 3, 4, 5, 6, 100], 3.5),
    ],
)
def test_the_interquartile_mean_leaves_out_a_quarter_on_either_side(
    values: list[float], expected: float
) -> None:
    assert iqm(np.array(values, dtype=float)) == expected


def test_a_basic_interval_is_the_percentile_interval_turned_around_the_estimate() -> None:
    scores = np.random.default_rng(1).lognormal(size=12)
    percentile, basic = _interval(scores, "iqm-percentile"), _interval(scores, "iqm-basic")
    assert basic.low == pytest.approx(2 * basic.estimate - percentile.high)
    assert basic.high == pytest.approx(2 * basic.estimate - percentile.low)


def test_a_percentile_interval_of_two_seeds_is_what_can_be_drawn_of_them() -> None:
    # both seeds are the same one in half of the resamples
    found = _interval([0.0, 1.0], "mean-percentile")
    assert found.low == 0.0
    assert found.high == 1.0


def test_each_column_has_its_own_interval() -> None:
    scores = np.random.default_rng(2).normal(size=(6, 2, 3))
    for kind in KINDS:
        found = _interval(scores, kind)
        assert found.low.shape == found.n.shape == (2, 3)
        alone = _interval(scores[:, 1, 2], kind)
        assert found.estimate[1, 2] == pytest.approx(float(alone.estimate), rel=1e-12)
        assert found.low[1, 2] == pytest.approx(float(alone.low), rel=1e-12)


def test_equal_generators_give_equal_intervals_and_none_is_refused() -> None:
    scores = np.random.default_rng(3).normal(size=9)
    one, other = (_interval(scores, "median-percentile") for _ in range(2))
    assert (one.low, one.high) == (other.low, other.high)
    with pytest.raises(ValueError, match="median-percentile needs a random generator"):
        interval(scores, "median-percentile")


@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_has_no_interval(kind: Kind) -> None:
    found = _interval([4.0], kind)
    assert found.estimate == 4.0
    assert np.isnan([found.low, found.high]).all()
    assert found.caption == "one seed, so no interval (caution: fewer than 5 seeds)"


# What has diverged


def test_a_diverged_run_counts_as_the_worst() -> None:
    found = _interval([5.0, 1.0, nan, 6.0, -inf])
    assert found.estimate == pytest.approx((5 + 1 + 1 + 6 + 1) / 5)
    assert found.caption == (
        "mean and 95% Student-t interval over 5 seeds; "
        "2 without a finite score, counted as 1, the worst of the others"
    )


def test_a_diverged_run_counts_as_the_score_that_is_given() -> None:
    found = _interval([5.0, inf, 6.0], diverged=-10.0)
    assert found.estimate == pytest.approx((5 - 10 + 6) / 3)
    assert found.caption.endswith("; 1 without a finite score, counted as -10")


@pytest.mark.parametrize("kind", KINDS)
def test_a_diverged_run_is_left_out_on_request_only_and_that_is_said(kind: Kind) -> None:
    found, whole = _interval([5.0, nan, 6.0], kind, diverged="exclude"), _interval([5.0, 6.0], kind)
    assert (found.estimate, found.low, found.high) == (whole.estimate, whole.low, whole.high)
    assert found.n == 2
    assert found.caption == f"{whole.caption}; 1 without a finite score, left out"


def test_the_worst_is_that_of_the_same_column() -> None:
    found = _interval(np.array([[1.0, nan], [nan, 30.0], [3.0, 20.0]]))
    assert found.estimate == pytest.approx([5 / 3, 70 / 3])
    assert found.caption.endswith("; 2 without a finite score, counted as the worst of the others")


def test_there_is_no_worst_where_all_have_diverged() -> None:
    with pytest.raises(ValueError, match="say what a diverged run counts as"):
        _interval([nan, inf])
    assert np.isnan(_interval([nan, inf], diverged="exclude").estimate)


@pytest.mark.parametrize("kind", KINDS)
def test_columns_may_have_different_numbers_of_seeds(kind: Kind) -> None:
    values = np.array([[1.0, 1.0, nan], [3.0, nan, nan]])
    found = _interval(values, kind, diverged="exclude")
    assert found.n.tolist() == [2, 1, 0]
    np.testing.assert_array_equal(found.estimate, [2.0, 1.0, nan])
    np.testing.assert_array_equal(np.isnan(found.low), [False, True, True])
    np.testing.assert_array_equal(np.isnan(found.high), [False, True, True])
    assert "over 2 seeds" in found.caption
    assert ", in places over 0 only" in found.caption


# What the caption says


@pytest.mark.parametrize(
    ("kind", "seeds", "caption"),
    [
        ("mean-t", 5, "mean and 95% Student-t interval over 5 seeds"),
        (
            "mean-t",
            4,
            "mean and 95% Student-t interval over 4 seeds (caution: fewer than 5 seeds)",
        ),
        (
            "mean-percentile",
            19,
            "mean and 95% percentile bootstrap interval over 19 seeds "
            "(caution: with fewer than 20 it covers less than that)",
        ),
        ("median-basic", 20, "median and 95% basic bootstrap interval over 20 seeds"),
        (
            "iqm-percentile",
            20,
            "interquartile mean and 95% percentile bootstrap interval over 20 seeds",
        ),
    ],
)
def test_the_caption_says_what_it_is(kind: Kind, seeds: int, caption: str) -> None:
    assert _interval([float(k) for k in range(seeds)], kind).caption == caption


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no interval 'bca': the kinds are mean-t, .*iqm-basic"):
        _interval([1.0, 2.0], "bca")  # type: ignore[arg-type]


# What is covered

Sample = Callable[[np.random.Generator, tuple[int, int]], Floats]
SAMPLES: dict[str, tuple[Sample, float]] = {
    "normal": (lambda rng, shape: rng.normal(size=shape), 0.0),
    "a fifth fails": (
        lambda rng, shape: np.where(rng.random(shape) < 0.2, 0.0, rng.normal(1.0, 0.1, shape)),
        0.8,
    ),
    "lognormal": (lambda rng, shape: rng.lognormal(size=shape), math.exp(0.5)),
}


def _coverage(sample: str, kind: Kind, seeds: int, experiments: int) -> float:
    draw, truth = SAMPLES[sample]
    scores = draw(np.random.default_rng(seeds), (seeds, experiments))
    found = _interval(scores, kind, resamples=600)
    return float(np.mean((found.low <= truth) & (truth <= found.high)))


@pytest.mark.parametrize("seeds", [2, 3, 5, 10, 30])
def test_students_interval_covers_the_true_mean_in_95_percent_of_experiments(seeds: int) -> None:
    assert _coverage("normal", "mean-t", seeds, 20_000) == pytest.approx(0.95, abs=0.0062)


def _documented() -> list[tuple[str, Kind, int, float]]:
    """The cells of the page's table of coverage."""
    text = PAGE.read_text().partition("## What the intervals cover")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \|(.*)\|$", text, re.MULTILINE)
    kinds: tuple[Kind, ...] = ("mean-t", "mean-percentile")
    cells = []
    for seeds, row in rows:
        for sample, pair in zip(SAMPLES, row.split("|"), strict=True):
            for kind, covered in zip(kinds, pair.split("/"), strict=True):
                cells.append((sample, kind, int(seeds), float(covered)))
    return cells


def test_the_page_has_coverage_from_three_to_thirty_seeds() -> None:
    assert sorted({seeds for _, _, seeds, _ in _documented()}) == [3, 5, 10, 20, 30]


@pytest.mark.parametrize(("sample", "kind", "seeds", "covered"), _documented())
def test_coverage_is_as_documented_also_where_it_is_bad(
    sample: str, kind: Kind, seeds: int, covered: float
) -> None:
    experiments = 5000 if kind == "mean-t" else 500
    deviation = math.sqrt(covered * (1 - covered) / experiments)
    assert _coverage(sample, kind, seeds, experiments) == pytest.approx(
        covered, abs=3.5 * deviation + 0.005
    )


@pytest.mark.parametrize("kind", ["mean-basic", "median-percentile", "iqm-percentile"])
def test_the_other_bootstraps_too_claim_too_much_at_five_seeds_but_not_at_thirty(
    kind: Kind,
) -> None:
    assert _coverage("normal", kind, 5, 1000) < 0.955
    assert _coverage("normal", kind, 30, 1000) == pytest.approx(0.94, abs=0.03)


# Laws

scores = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=2, max_size=12)


@given(values=scores, seed=st.integers(0, 99))
def test_the_order_of_seeds_is_of_no_account(values: list[float], seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(values)
    one, other = _interval(values), _interval(shuffled)
    for a, b in ((one.estimate, other.estimate), (one.low, other.low), (one.high, other.high)):
        assert a == pytest.approx(float(b), abs=1e-9)
    kinds: tuple[Kind, ...] = ("median-percentile", "iqm-percentile")
    for kind in kinds:  # whose borders are drawn by place
        estimates = [_interval(each, kind, resamples=2).estimate for each in (values, shuffled)]
        assert estimates[0] == pytest.approx(float(estimates[1]), abs=1e-9)


@given(
    kind=st.sampled_from(KINDS),
    values=scores,
    scale=st.floats(0.1, 10),
    shift=st.floats(-100, 100),
)
def test_intervals_move_and_grow_with_the_scores(
    kind: Kind, values: list[float], scale: float, shift: float
) -> None:
    plain = _interval(values, kind, resamples=50)
    moved = _interval(scale * np.array(values) + shift, kind, resamples=50)
    for a, b in (
        (plain.estimate, moved.estimate),
        (plain.low, moved.low),
        (plain.high, moved.high),
    ):
        assert b == pytest.approx(scale * float(a) + shift, abs=1e-6)


@given(kind=st.sampled_from(KINDS), values=scores)
def test_estimates_lie_among_the_scores_and_inside_their_intervals(
    kind: Kind, values: list[float]
) -> None:
    found = _interval(values, kind, resamples=200)
    room = 1e-9
    assert min(values) - room <= found.estimate <= max(values) + room
    assert found.low <= found.high
    if kind == "mean-t":
        assert found.low - room <= found.estimate <= found.high + room
    if kind.endswith("percentile"):
        assert min(values) - room <= found.low
        assert found.high <= max(values) + room
