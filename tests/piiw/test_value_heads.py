"""A value as a distribution over bins: two-hot targets, and the number that comes back."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from agents.piiw.values import CategoricalValue, ScalarValue

HEAD = CategoricalValue(301, -300.0, 300.0)


@given(st.lists(st.floats(-400, 400), min_size=1, max_size=20))
def test_the_mean_of_a_target_is_the_return(returns: list[float]) -> None:
    target = HEAD.two_hot(torch.tensor(returns, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(target.sum(1), 1.0, rtol=1e-6)
    assert ((target > 0).sum(1) <= 2).all()
    mean = target @ np.linspace(-300, 300, 301)
    np.testing.assert_allclose(mean, np.clip(returns, -300, 300), atol=1e-3)


@given(st.floats(-300, 300))
def test_a_confident_head_says_the_number(value: float) -> None:
    target = HEAD.two_hot(torch.tensor([value]))[0].numpy()
    with np.errstate(divide="ignore"):
        assert abs(HEAD.of(np.log(target)) - value) < 1e-3


def test_the_losses_are_cross_entropy_and_half_the_square() -> None:
    generator = torch.Generator().manual_seed(0)
    output, returns = torch.randn(6, 301, generator=generator), torch.linspace(-310, 310, 6)
    expected = nn.CrossEntropyLoss()(output, HEAD.two_hot(returns))
    torch.testing.assert_close(HEAD.loss(output, returns), expected)
    scalar = output[:, :1]
    expected = nn.MSELoss()(scalar[:, 0], returns) / 2
    torch.testing.assert_close(ScalarValue().loss(scalar, returns), expected)
