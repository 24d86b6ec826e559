"""Tails and quantiles agree with published tables and with exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotting.distributions import binomial_cdf, incomplete_beta, t_quantile, t_two_sided


@pytest.mark.parametrize(
    ("degrees_of_freedom", "published"),
    [
        (1, 12.706204736174705),
        (2, 4.3026527297494639),
        (3, 3.1824463052837096),
        (4, 2.7764451051977944),
        (5, 2.5705818356363155),
        (9, 2.2621571627982055),
        (29, 2.0452296421327043),
        (99, 1.9842169515864175),
    ],
)
def test_the_quantile_is_the_published_one(degrees_of_freedom: int, published: float) -> None:
    assert t_quantile(0.95, degrees_of_freedom) == pytest.approx(published, rel=1e-12)
    assert t_two_sided(published, degrees_of_freedom) == pytest.approx(0.05, rel=1e-12)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99, 0.999])
def test_the_quantile_has_its_closed_form_for_one_and_two_degrees_of_freedom(
    confidence: float,
) -> None:
    p = (1 + confidence) / 2
    assert t_quantile(confidence, 1) == pytest.approx(math.tan(math.pi * (p - 0.5)), rel=1e-12)
    two = (2 * p - 1) * math.sqrt(2 / (4 * p * (1 - p)))
    assert t_quantile(confidence, 2) == pytest.approx(two, rel=1e-12)


def test_with_many_seeds_the_quantile_is_the_normal_one() -> None:
    assert t_quantile(0.95, 1e6) == pytest.approx(1.959963984540054, rel=3e-6)


def test_degrees_of_freedom_need_not_be_whole() -> None:
    assert t_quantile(0.95, 2) > t_quantile(0.95, 2.5) > t_quantile(0.95, 3)
    assert t_two_sided(t_quantile(0.9, 7.3), 7.3) == pytest.approx(0.1, rel=1e-12)


def test_far_tails_keep_their_digits() -> None:
    # the tail of one degree of freedom is 2 / pi * atan(1 / t)
    for t in (1e-9, 1e3, 1e8, 1e15):
        assert t_two_sided(t, 1) == pytest.approx(2 / math.pi * math.atan(1 / t), rel=1e-12)
    assert t_two_sided(1e200, 3) == t_two_sided(math.inf, 3) == 0.0
    assert t_two_sided(-2.0, 3) == t_two_sided(2.0, 3)
    assert t_two_sided(0.0, 3) == 1.0


@pytest.mark.parametrize(
    ("x", "a", "b", "published"),
    [  # NIST Digital Library of Mathematical Functions, closed forms of 8.17.7 and 8.17.8
        (0.3, 1.0, 1.0, 0.3),
        (0.3, 4.0, 1.0, 0.3**4),
        (0.3, 1.0, 4.0, 1 - 0.7**4),
        (0.25, 0.5, 0.5, 1 / 3),
        (0.5, 123.5, 123.5, 0.5),
    ],
)
def test_the_incomplete_beta_has_its_closed_forms(
    x: float, a: float, b: float, published: float
) -> None:
    assert incomplete_beta(x, a, b) == pytest.approx(published, rel=1e-12)


@given(thousandths=st.integers(0, 1000), a=st.floats(0.1, 500), b=st.floats(0.1, 500))
def test_the_two_tails_of_the_beta_are_one(thousandths: int, a: float, b: float) -> None:
    x = thousandths / 1000
    assert 0 <= incomplete_beta(x, a, b) <= 1
    assert incomplete_beta(x, a, b) + incomplete_beta(1 - x, b, a) == pytest.approx(1, abs=1e-10)


@given(n=st.integers(1, 60), k=st.integers(-1, 61), percent=st.integers(1, 99))
def test_the_binomial_tail_is_the_exact_sum(n: int, k: int, percent: int) -> None:
    p = Fraction(percent, 100)
    exact = sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(min(k, n) + 1))
    assert binomial_cdf(k, n, percent / 100) == pytest.approx(float(exact), rel=1e-11)


def test_the_binomial_tail_of_many_trials() -> None:
    exact = Fraction(sum(math.comb(2000, i) for i in range(951)), 2**2000)
    assert binomial_cdf(950, 2000, 0.5) == pytest.approx(float(exact), rel=1e-11)
