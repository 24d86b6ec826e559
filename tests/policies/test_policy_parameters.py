"""Which law h stands for, against torch's distributions; and the limits of its parameters."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from policy_cases import Streams, build, random_h
from torch import Tensor, distributions

from agents.neural.policies.base import Policy

CENTRE, SCALE = 0.5, 1.5  # of the box [-1, 2]
ACTIONS = torch.linspace(-0.9, 1.9, 29, dtype=torch.float64)


def log_prob(policy: Policy, h: Tensor) -> Tensor:
    """Of ACTIONS [.., 29], for parameters h [.., H]."""
    rows = h.reshape(-1, 1, h.shape[-1]).expand(-1, 29, -1).reshape(1, -1, h.shape[-1])
    actions = ACTIONS.repeat(rows.shape[1] // 29).reshape(1, -1, 1)
    return policy.likelihood(rows, actions)[0].reshape(*h.shape[:-1], 29)


def textbook(law: Any, actions: Tensor = ACTIONS) -> Tensor:
    value: Tensor = law.log_prob(actions)
    return value


def parameters(policy: Policy, scale: float = 3.0) -> Tensor:
    return random_h(policy, 40, scale=scale)[0]


@pytest.mark.parametrize(
    ("member", "lowest", "highest"),
    [(0, -6.9077552790, 6.9077552790), (1, -5, 2), (2, -math.log(3), math.log(3))],
)
def test_squashed_gaussian(member: int, lowest: float, highest: float) -> None:
    """clip_stddev 1000, -1 and 3."""
    policy = build("SquashedGaussian", members=(member,))
    h = parameters(policy, 5.0)
    stddev = h[:, 1:].clamp(lowest, highest).exp()
    law = distributions.TransformedDistribution(
        distributions.Normal(h[:, :1], stddev),
        [distributions.TanhTransform(), distributions.AffineTransform(CENTRE, SCALE)],
    )
    torch.testing.assert_close(log_prob(policy, h), textbook(law))
    torch.testing.assert_close(policy.mode(h[None])[0], CENTRE + SCALE * h[:, :1].tanh())


def test_gaussian_inside_the_box() -> None:
    policy = build("Gaussian")
    h = parameters(policy)
    mean = CENTRE + SCALE * h[:, :1].tanh()
    law = distributions.Normal(mean, h[:, 1:].clamp(-math.log(1000), math.log(1000)).exp())
    torch.testing.assert_close(log_prob(policy, h), textbook(law))
    torch.testing.assert_close(policy.mode(h[None])[0], mean)


@pytest.mark.parametrize(("name", "member"), [("Beta", 0), ("Beta", 1), ("BetaV2", 0)])
def test_betas(name: str, member: int) -> None:
    """ε 1 and 0.5; outputs so large that shapes are clipped to 10^6 by BetaV2."""
    policy = build(name, members=(member,))
    h = parameters(policy, 10.0)
    if name == "Beta":
        shapes = torch.nn.functional.softplus(h) + (1.0, 0.5)[member]
    else:
        shapes = (1 / torch.sigmoid(h)).clamp(max=1e6)
        assert (shapes == 1e6).any()
    law = distributions.Beta(shapes[:, :1], shapes[:, 1:])
    expected = textbook(law, (ACTIONS + 1) / 3) - math.log(3)
    torch.testing.assert_close(log_prob(policy, h), expected)
    torch.testing.assert_close(policy.mode(h[None])[0], 3 * law.mean - 1)


def test_student_t() -> None:
    """The scale lies between e^-14 and half the width of the box, and is exponentiated once."""
    policy = build("StudentT")
    h = parameters(policy, 10.0)
    assert (h[:, 2] > math.log(SCALE)).any() and (h[:, 2] < -14).any()
    loc = CENTRE + SCALE * h[:, 1:2].tanh()
    scale = h[:, 2:].clamp(-14, math.log(SCALE)).exp()
    law = distributions.StudentT(torch.nn.functional.softplus(h[:, :1]) + 1.0001, loc, scale)
    torch.testing.assert_close(log_prob(policy, h), textbook(law))
    torch.testing.assert_close(policy.mode(h[None])[0], loc)


@pytest.mark.parametrize("name", ["SquashedGaussianMixture", "GaussianMixture", "BetaMixture"])
def test_mixtures_weigh_the_laws_of_their_components(name: str) -> None:
    mixture, component = build(name, components=3), build(name.removesuffix("Mixture"))
    h = parameters(mixture, 1.0)
    weights = torch.softmax(h[:, :3], -1)
    components = torch.stack((h[:, 3:6], h[:, 6:9]), -1)  # [40, 3, 2]
    expected = (weights[..., None] * log_prob(component, components).exp()).sum(1).log()
    torch.testing.assert_close(log_prob(mixture, h), expected)


def test_columns_are_of_members() -> None:
    """Each member its own clip of ln σ, from one noise."""
    policy = build("SquashedGaussian", members=(0, 1, 2))
    h = torch.tensor([0.0, 9.0], dtype=torch.float64).expand(3, 50, 2)
    _, log_probs, _ = policy.scored(h, Streams((4, 4, 4)))
    for member in range(3):
        alone = build("SquashedGaussian", members=(member,))
        assert torch.equal(alone.scored(h[:1], Streams((4,)))[1][0], log_probs[member])
    assert len({float(row[0]) for row in log_probs}) == 3
