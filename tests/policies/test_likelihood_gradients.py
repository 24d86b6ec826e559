"""∇ ln π(a) is the derivative of ln π(a), and E[f(a) ∇ ln π(a)] that of E[f(a)]."""

from __future__ import annotations

import math

import pytest
import torch
from policy_cases import (
    ALL,
    CENSORED,
    MIXTURES,
    Integral,
    Streams,
    assert_mean,
    box,
    build,
    differences,
    differences_of_rows,
    laws,
    random_h,
)
from torch import Tensor


def f(action: Tensor) -> Tensor:
    """Neither even nor odd, and not flat at the edges."""
    return torch.sin(1.3 * action + 0.4) + 0.3 * action


@pytest.mark.parametrize(
    ("name", "share_std"),
    [
        *((name, False) for name in ALL),
        ("GaussianMixture", True),
        ("SquashedGaussianMixture", True),
    ],
)
def test_the_gradient_is_that_of_finite_differences(name: str, share_std: bool) -> None:
    policy = build(name, dimensions=3, share_std=share_std, components=3)
    h = random_h(policy, 30)
    action = policy.draw(h, Streams())
    if name in CENSORED:
        assert (action.abs() == 1).any() or (action == 2).any()
    weights = torch.linspace(-1, 2, 30, dtype=torch.float64)[None]
    gradient = policy.likelihood(h, action)[1](weights)
    expected = differences_of_rows(lambda rows: weights * policy.likelihood(rows, action)[0], h)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["SquashedGaussian", "Gaussian", "SquashedGaussianMixture"])
def test_a_clipped_stddev_has_no_gradient(name: str) -> None:
    policy = build(name)
    h = random_h(policy, 40, scale=20.0)
    clipped = h.abs() > math.log(1000)
    widths = slice(-2, None) if name in MIXTURES else slice(-1, None)
    assert clipped[..., widths].any() and not clipped[..., widths].all()
    gradients = [
        policy.scored(h, Streams())[2](torch.ones(1, 40, dtype=torch.float64)),
        policy.reparameterised(h, Streams())[2](
            torch.ones(1, 40, 1, dtype=torch.float64), torch.ones(1, 40, dtype=torch.float64)
        ),
    ]
    for gradient in gradients:
        assert (gradient[..., widths][clipped[..., widths]] == 0).all()


@pytest.mark.parametrize("name", ALL)
def test_the_score_has_the_gradient_of_the_expectation(name: str) -> None:
    """Of f, and of 1, whose expectation does not move."""
    N, integral = 60_000, Integral(name, box())
    policy = build(name)
    for place, h in enumerate(random_h(policy, 2, scale=0.7)[0]):
        noise = Streams(seed=place)
        action, _, score = policy.scored(h.expand(1, N, -1), noise)
        value = f(action).squeeze(-1)
        expected = differences(lambda row: integral.mean(policy, row, f), h)
        assert_mean(score(value)[0], expected)
        assert_mean(score(torch.ones_like(value))[0], torch.zeros_like(h))


@pytest.mark.parametrize("name", ALL)
def test_the_likelihood_gradient_of_the_entropy(name: str) -> None:
    """With the surrogate sg(ln π) ln π. Squaring ln π in place under no_grad would give -∇ ln π,
    whose mean is 0."""
    N, integral = 60_000, Integral(name, box())
    policy = build(name)
    h = laws(name, policy, 1)[0]
    _, log_prob, score = policy.scored(h.expand(1, N, -1), Streams())
    expected = differences(lambda row: integral.negative_entropy(policy, row), h)
    assert expected.abs().max() > 0.05
    assert_mean(score(log_prob)[0], expected)


def test_the_entropy_of_a_narrow_gaussian_grows_by_1_with_its_log_stddev() -> None:
    """Far from the edges H = ln σ + const."""
    N, policy = 50_000, build("Gaussian", space=box(1, -100, 100))
    h = torch.zeros(1, N, 2, dtype=torch.float64)
    _, log_prob, score = policy.scored(h, Streams())
    d_log_stddev = score(-log_prob)[0, :, 1]
    assert float(d_log_stddev.mean()) == pytest.approx(1, abs=0.03)
    _, _, path = policy.reparameterised(h, Streams())
    zero, ones = torch.zeros(1, N, 1, dtype=torch.float64), torch.ones_like(log_prob)
    torch.testing.assert_close(path(zero, -ones)[0, :, 1], ones[0])
