"""A member's numbers are the same bits alone, in a group, in another order, beside others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from policy_cases import ALL, Streams, build, mixture, random_h
from torch import Tensor

from agents.neural.policies.elementary import atanh, log_sum_exp, softplus
from agents.neural.policies.softmax import Softmax

GROUP = tuple(range(12))
OTHERS: list[tuple[int, ...]] = [(0,), (4,), (11,), GROUP[::-1], (7, 2, 5)]
#: Batches and action dimensions: acting on one state, lengths that fill no vector register.
SHAPES = [(1, 1), (1, 3), (5, 1), (5, 17), (32, 1), (32, 6)]
DTYPES = [torch.float32, torch.float64]


def weights(batch: int, width: int, members: Sequence[int], dtype: torch.dtype) -> Tensor:
    return Streams(members, dtype, seed=99).normal(batch, width)


def numbers_of(
    name: str, batch: int, dimensions: int, members: Sequence[int], dtype: torch.dtype
) -> dict[str, Tensor]:
    """All that a policy computes, for these members."""
    policy = build(name, dimensions, members, dtype)
    # the first states of a longer batch: no member's h follows on the one before
    h = random_h(policy, batch + 3, members, dtype, scale=2.0)[:, :batch]
    d_action = weights(batch, dimensions, members, dtype)
    d_log_prob = weights(batch, 1, members, dtype)[..., 0]
    action, log_prob, path = policy.reparameterised(h, Streams(members, dtype))
    scored, scored_log_prob, score = policy.scored(h, Streams(members, dtype))
    likelihood, backward = policy.likelihood(h, scored)
    return {
        "draw": policy.draw(h, Streams(members, dtype)),
        "mode": policy.mode(h),
        "action": action,
        "log_prob": log_prob,
        "path": path(d_action, d_log_prob),
        "scored": scored,
        "scored_log_prob": scored_log_prob,
        "score": score(d_log_prob),
        "likelihood": likelihood,
        "likelihood_gradient": backward(d_log_prob),
    }


def numbers_of_mixtures(
    name: str,
    batch: int,
    dimensions: int,
    members: Sequence[int],
    dtype: torch.dtype,
    **options: Any,
) -> dict[str, Tensor]:
    """What mixtures compute beside; members' repulsions and estimates differ, some have none."""
    policy = mixture(
        name, dimensions=dimensions, members=members, dtype=dtype, components=3, **options
    )
    h = random_h(policy, batch + 3, members, dtype)[:, :batch]
    action, log_prob, path = policy.reparameterised(h, Streams(members, dtype))
    numbers = {"action": action, "log_prob": log_prob, "path": path(action, log_prob)}
    if policy.repels:
        loss, gradient = policy.repulsion(h)
        numbers["log_prob"] = log_prob + loss
        numbers["path"] = numbers["path"] + gradient
    if policy.estimates:
        names = ("estimated_action", "estimated_log_prob", "estimate")
        numbers |= zip(names, policy.estimated(h, Streams(members, dtype))[:3], strict=True)
    return numbers


def softmax_numbers(
    batch: int, actions: int, members: Sequence[int], dtype: torch.dtype
) -> dict[str, Tensor]:
    policy = Softmax(actions)
    h = Streams(members, dtype, seed=7).normal(batch, actions)
    draw = policy.draw(h, Streams(members, dtype))
    probabilities, log_probabilities, backward = policy.expected(h)
    log_prob, score = policy.likelihood(h, draw)
    return {
        "draw": draw,
        "mode": policy.mode(h),
        "probabilities": probabilities,
        "log_probabilities": log_probabilities,
        "gradient": backward(weights(batch, actions, members, dtype)),
        "log_prob": log_prob,
        "score": score(weights(batch, 1, members, dtype)[..., 0]),
    }


def assert_same_bits(numbers: Callable[[Sequence[int]], dict[str, Tensor]]) -> None:
    group = numbers(GROUP)
    for members in OTHERS:
        for key, tensor in numbers(members).items():
            expected = group[key][list(members)]
            assert tensor.numpy().tobytes() == expected.numpy().tobytes(), (key, members)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("batch", "dimensions"), SHAPES)
def test_of_continuous_policies(name: str, dtype: torch.dtype, batch: int, dimensions: int) -> None:
    assert_same_bits(lambda members: numbers_of(name, batch, dimensions, members, dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("batch", "dimensions"), [(1, 1), (5, 3), (32, 6)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SquashedGaussianMixture", {"impl": "straight_through"}),
        ("GaussianMixture", {"impl": "torch", "hard": False, "share_std": True}),
        ("BetaMixture", {"impl": "straight_through"}),
        ("GaussianMixture", {"lmbda": -2.0}),
        ("GaussianMixture", {"lmbda": -3.0}),
        ("GaussianMixture", {"lmbda": 0.3}),
    ],
    ids=str,
)
def test_of_the_options_of_mixtures(
    name: str, options: dict[str, Any], dtype: torch.dtype, batch: int, dimensions: int
) -> None:
    assert_same_bits(
        lambda members: numbers_of_mixtures(name, batch, dimensions, members, dtype, **options)
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("batch", [1, 5, 32])
@pytest.mark.parametrize("actions", [2, 3, 6, 18])
def test_of_the_softmax(dtype: torch.dtype, batch: int, actions: int) -> None:
    assert_same_bits(lambda members: softmax_numbers(batch, actions, members, dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "function",
    [softplus, lambda x: atanh(x / 50), lambda x: log_sum_exp(x[..., None], -1)[..., 0]],
    ids=["softplus", "atanh", "log_sum_exp"],
)
def test_of_the_elementary_functions(
    function: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    """At every place of tensors of every length, and a stride apart."""
    x = torch.linspace(-40, 40, 41, dtype=dtype)
    whole = function(x)
    for length in range(1, 41):
        assert torch.equal(function(x[:length]), whole[:length])
        assert torch.equal(function(x[-length:]), whole[-length:])
    assert torch.equal(function(x.repeat_interleave(3)[::3]), whole)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_elementary_functions_are_right(dtype: torch.dtype) -> None:
    x = torch.linspace(-60, 60, 101, dtype=dtype).requires_grad_()
    torch.testing.assert_close(softplus(x), torch.nn.functional.softplus(x, threshold=1e9))
    (derivative,) = torch.autograd.grad(softplus(x).sum(), x)
    torch.testing.assert_close(derivative, torch.sigmoid(x.detach()), rtol=1e-5, atol=0)
    y = x.detach() / 61
    torch.testing.assert_close(atanh(y), torch.atanh(y))
    torch.testing.assert_close(log_sum_exp(y, 0)[0], y.logsumexp(0))
