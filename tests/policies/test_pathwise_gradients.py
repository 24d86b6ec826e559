"""The gradients through a draw have the expectation of the gradients of E[f(a)] and E[ln π(a)]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from policy_cases import (
    ALL,
    MIXTURES,
    Integral,
    Streams,
    assert_mean,
    box,
    build,
    differences,
    differences_of_rows,
    laws,
    mixture,
    random_h,
)
from torch import Tensor

from agents.neural.policies.base import Noise

N = 60_000


def f(action: Tensor) -> Tensor:
    """Neither even nor odd, and not flat at the edges."""
    return torch.sin(1.3 * action + 0.4) + 0.3 * action


def derivative_of_f(action: Tensor) -> Tensor:
    return 1.3 * torch.cos(1.3 * action + 0.4) + 0.3


def of_value(name: str, h: Tensor, noise: Noise) -> Tensor:
    """dL/dh [N, H] of each draw, L = f(a); of mixtures, by `mixed`."""
    if name in MIXTURES:
        action, log_prob, mixed = mixture(name).mixed(h, noise)
        loss = f(action).squeeze(-1)
        return mixed(derivative_of_f(action), torch.zeros_like(log_prob), loss)[0]
    action, log_prob, backward = build(name).reparameterised(h, noise)
    return backward(derivative_of_f(action), torch.zeros_like(log_prob))[0]


def of_log_prob(name: str, h: Tensor, noise: Noise) -> Tensor:
    """dL/dh [N, H] of each draw, L = ln π(a)."""
    if name in MIXTURES:
        action, log_prob, mixed = mixture(name).mixed(h, noise)
        return mixed(torch.zeros_like(action), torch.ones_like(log_prob), log_prob)[0]
    action, log_prob, backward = build(name).reparameterised(h, noise)
    return backward(torch.zeros_like(action), torch.ones_like(log_prob))[0]


@pytest.mark.parametrize("name", ALL)
def test_the_gradient_of_the_expectation(name: str) -> None:
    policy, integral = build(name), Integral(name, box())
    for place, h in enumerate(random_h(policy, 2, scale=0.7)[0]):
        drawn = of_value(name, h.expand(1, N, -1), Streams(seed=place))
        expected = differences(lambda row: integral.mean(policy, row, f), h)
        assert_mean(drawn, expected)


@pytest.mark.parametrize("name", ALL)
def test_the_gradient_of_the_entropy(name: str) -> None:
    policy, integral = build(name), Integral(name, box())
    for place, h in enumerate(laws(name, policy, 2)):
        drawn = of_log_prob(name, h.expand(1, N, -1), Streams(seed=place))
        expected = differences(lambda row: integral.negative_entropy(policy, row), h)
        assert expected.abs().max() > 0.05
        assert_mean(drawn, expected)


@pytest.mark.parametrize("name", ["Gaussian", "SquashedGaussian"])
def test_the_gradients_written_out_are_those_of_autograd(name: str) -> None:
    """A mixture of one component is the policy itself."""
    written, automatic = build(name, 3), mixture(f"{name}Mixture", dimensions=3, components=1)
    h = random_h(written, 200)
    h_mixture = torch.cat((torch.zeros_like(h[..., :1]), h), -1)
    d_action, d_log_prob = random_h(written, 200)[..., :3], random_h(written, 200)[..., 4]
    for scored in (False, True):
        if scored:
            action, log_prob, score = written.scored(h, Streams())
            twin, twin_log_prob, twin_score = automatic.scored(h_mixture, OneComponent())
            d_h, d_h_twin = score(d_log_prob), twin_score(d_log_prob)
        else:
            action, log_prob, path = written.reparameterised(h, Streams())
            twin, twin_log_prob, twin_path = automatic.reparameterised(h_mixture, OneComponent())
            d_h, d_h_twin = path(d_action, d_log_prob), twin_path(d_action, d_log_prob)
        torch.testing.assert_close(twin, action)
        torch.testing.assert_close(twin_log_prob, log_prob)
        torch.testing.assert_close(d_h_twin[..., 1:], d_h)
        torch.testing.assert_close(d_h_twin[..., 0], torch.zeros_like(d_log_prob))


class OneComponent(Streams):
    """The stream of a policy without components: their pick takes nothing out of it."""

    def uniform(self, batch: int, width: int) -> Tensor:
        return torch.full((1, batch, width), 0.5, dtype=torch.float64)


@pytest.mark.parametrize("name", ["SquashedGaussian", "SquashedGaussianMixture"])
def test_at_fixed_noise_it_is_the_derivative_of_the_draw(name: str) -> None:
    """Of the relaxed draw, for a mixture."""
    policy = build(name, 2, hard=False)
    h = random_h(policy, 10)

    def loss(rows: Tensor) -> Tensor:
        action, log_prob, _ = policy.reparameterised(rows, Streams())
        return f(action).sum(-1) + 0.7 * log_prob

    action, log_prob, backward = policy.reparameterised(h, Streams())
    d_h = backward(derivative_of_f(action), torch.full_like(log_prob, 0.7))
    expected = differences_of_rows(loss, h, 1e-6)
    torch.testing.assert_close(d_h, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["Gaussian", "SquashedGaussian", "Beta", "StudentT"])
def test_the_gradient_comes_in_the_precision_of_h(name: str) -> None:
    """float32 and float64 agree; the noise is float32 in both."""
    h = random_h(build(name, 2), 50)
    results = []
    for dtype in (torch.float32, torch.float64):
        policy = build(name, 2, dtype=dtype)
        as_given = h.to(torch.float32).to(dtype)
        action, log_prob, backward = policy.reparameterised(as_given, AsFloat32(dtype=dtype))
        d_h = backward(action, log_prob)
        assert action.dtype == log_prob.dtype == d_h.dtype == dtype
        results.append((action.double(), log_prob.double(), d_h.double()))
    for single, double in zip(*results, strict=True):
        torch.testing.assert_close(single, double, rtol=1e-3, atol=1e-3)


class AsFloat32(Streams):
    def _stack(self, members: list[np.ndarray]) -> Tensor:
        return super()._stack([member.astype(np.float32) for member in members])


@pytest.mark.parametrize("name", ALL)
def test_gradients_do_not_need_h_any_more_and_may_be_asked_for_again(name: str) -> None:
    """h is the buffer of a network, which the next pass overwrites."""
    policy = build(name, 2)
    original = random_h(policy, 20)
    d_action, ones = torch.ones(1, 20, 2).double(), torch.ones(1, 20).double()

    def check(backward: Callable[..., Tensor], *weights: Tensor) -> None:
        first = backward(*weights)
        h.fill_(torch.nan)
        assert torch.equal(backward(*weights), first)

    h = original.clone()
    check(policy.reparameterised(h, Streams())[2], d_action, ones)
    h = original.clone()
    check(policy.scored(h, Streams())[2], ones)
    h = original.clone()
    check(policy.likelihood(h, policy.draw(h, Streams()))[1], ones)
