"""The softmax policy against sums over its actions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from policy_cases import Streams, differences_of_rows
from torch import Tensor

from agents.neural.policies.softmax import Softmax

n = 5
DTYPES = [torch.float32, torch.float64]


def preferences(batch: int = 20, scale: float = 1.0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(3).normal(0, scale, (1, batch, n)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("scale", [1.0, 50.0, 1e4])
def test_probabilities_are_a_distribution(dtype: torch.dtype, scale: float) -> None:
    h = preferences(scale=scale).to(dtype)
    probabilities, log_probabilities, _ = Softmax(n).expected(h)
    assert probabilities.dtype == log_probabilities.dtype == dtype
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(1, 20, dtype=dtype))
    torch.testing.assert_close(probabilities, torch.softmax(h, -1))
    torch.testing.assert_close(log_probabilities, torch.log_softmax(h, -1))
    assert log_probabilities.isfinite().all()


def test_draws_follow_the_probabilities() -> None:
    N, h = 50_000, preferences(1)
    drawn = Softmax(n).draw(h.expand(1, N, n), Streams())
    assert drawn.shape == (1, N) and drawn.dtype == torch.int64
    frequencies = torch.bincount(drawn[0], minlength=n) / N
    torch.testing.assert_close(frequencies.double(), torch.softmax(h, -1)[0, 0], rtol=0, atol=0.01)


class AlwaysAt(Streams):
    def __init__(self, u: float) -> None:
        super().__init__()
        self.u = u

    def uniform(self, batch: int, width: int) -> Tensor:
        return torch.full((1, batch, width), self.u)


@pytest.mark.parametrize("u", [1e-30, 0.5, 1 - 2**-24])
def test_an_action_of_probability_0_is_never_drawn(u: float) -> None:
    for possible in range(n):
        h = torch.full((1, 1, n), -1e4)
        h[..., possible] = 0
        assert int(Softmax(n).draw(h, AlwaysAt(u))) == possible


def test_the_mode_is_the_first_of_the_most_probable() -> None:
    h = torch.tensor([[[0.0, 2.0, 1.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0, 0.0], [1, 2, 3, 4, 5]]])
    assert Softmax(n).mode(h).tolist() == [[1, 0, 4]]


def test_the_gradient_of_an_expectation_is_exact() -> None:
    """Of Σ π w for fixed w, and of Σ π (α ln π - w), where w holds α ln π too."""
    h, alpha = preferences(), 0.3
    w = preferences().flip(-1) * 2
    probabilities, log_probabilities, backward = Softmax(n).expected(h)

    def loss(rows: Tensor, alpha: float) -> Tensor:
        p = torch.softmax(rows, -1)
        return (p * (alpha * p.log() - w)).sum(-1)

    fixed = differences_of_rows(lambda rows: loss(rows, 0.0), h)
    torch.testing.assert_close(backward(-w), fixed, rtol=1e-6, atol=1e-8)
    entropic = differences_of_rows(lambda rows: loss(rows, alpha), h)
    weights = alpha * log_probabilities - w
    torch.testing.assert_close(backward(weights), entropic, rtol=1e-6, atol=1e-8)
    assert torch.equal(probabilities, Softmax(n).expected(h)[0])  # backward changes nothing


def test_the_likelihood_and_its_gradient() -> None:
    h = preferences()
    action = torch.arange(20)[None] % n
    weights = torch.linspace(-1, 2, 20, dtype=torch.float64)[None]

    def log_prob_of(rows: Tensor) -> Tensor:
        return torch.log_softmax(rows, -1).gather(-1, action[..., None])[..., 0]

    log_prob, backward = Softmax(n).likelihood(h, action)
    torch.testing.assert_close(log_prob, log_prob_of(h))
    expected = differences_of_rows(lambda rows: weights * log_prob_of(rows), h)
    torch.testing.assert_close(backward(weights), expected, rtol=1e-6, atol=1e-8)
