"""Scalars survive the way into h-space and its bins and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.search.scalars import EPSILON, Support, compress, expand

finite = st.floats(-1e8, 1e8)


@given(x=finite)
def test_there_and_back_again(x: float) -> None:
    assert expand(compress(x)) == pytest.approx(x, rel=1e-10, abs=1e-300)
    single = np.float32(x)
    back = expand(compress(single))
    assert back.dtype == np.float32
    assert abs(back - single) <= 2e-6 * abs(single) + 1e-37  # where numbers are subnormal


@given(x=finite)
def test_h_is_the_published_formula(x: float) -> None:
    published = np.sign(x) * (np.sqrt(abs(x) + 1) - 1) + EPSILON * x
    assert compress(x) == pytest.approx(published, rel=1e-9, abs=1e-12)
    assert compress(-x) == -compress(x)


@given(x=st.lists(st.floats(-40, 40), min_size=1), compressed=st.booleans())
def test_two_bins_share_a_scalar(x: list[float], compressed: bool) -> None:
    support = Support.symmetric(40, compressed=compressed)
    hot = support.encode(x)
    assert hot.shape == (len(x), 81)
    np.testing.assert_allclose(hot.sum(axis=1), 1.0, rtol=1e-12)
    assert ((hot > 0).sum(axis=1) <= 2).all()
    np.testing.assert_allclose(support.decode(hot), x, rtol=1e-9, atol=1e-9)


def test_whole_and_outermost_numbers_have_one_bin() -> None:
    support = Support.symmetric(2, compressed=False)
    hot = support.encode([-2.0, 0.0, 2.0, 7.0, -9.0, 0.25])
    expected = [
        [1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1],
        [1, 0, 0, 0, 0],
        [0, 0, 0.75, 0.25, 0],
    ]
    np.testing.assert_array_equal(hot, expected)


def test_single_precision_stays_so() -> None:
    support = Support(-10.0, 10.0, 51, compressed=False)
    hot = support.encode(np.array([[0.1], [3.3]], np.float32))
    assert hot.dtype == np.float32
    assert hot.shape == (2, 1, 51)
    np.testing.assert_allclose(support.decode(hot), [[0.1], [3.3]], rtol=1e-5)


def test_logits_read_as_their_softmax() -> None:
    support = Support.symmetric(5)
    logits = np.random.default_rng(0).normal(size=(7, 11))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(support.decode_logits(logits + 1000), support.decode(p))


def test_a_support_that_would_saturate_is_refused() -> None:
    # the value of CartPole at discount 0.997 is about 259, 15.4 in h-space
    Support.symmetric(16).check(259.0)
    with pytest.raises(ValueError, match=r"values of 259, which are at 15\.38: let it reach to 16"):
        Support.symmetric(10).check(259.0)
