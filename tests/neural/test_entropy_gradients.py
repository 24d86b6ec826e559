"""The likelihood gradient of the entropy: ∇ E[ln π] = E[ln π ∇ ln π].

With the square of ln π taken in place and out of autograd's sight, a surrogate's gradient would be
-∇ ln π, whose mean is 0.
"""

from __future__ import annotations

import gymnasium
import msgspec
import numpy as np
import pytest
import torch
from members import World, batch
from torch import Tensor

from agents.greedy_ac.settings import GreedyACSettings
from agents.neural.policy_settings import ContinuousPolicySettings
from agents.vac.settings import VACSettings

STATES = 20_000
WIDE = gymnasium.spaces.Box(-100, 100, (1,), np.float32)
NARROW = gymnasium.spaces.Box(-2, 2, (1,), np.float32)

KINDS: dict[str, tuple[ContinuousPolicySettings, str]] = {
    "VAC": (VACSettings(num_samples=2), "_actor"),
    "GreedyAC": (GreedyACSettings(n_rho=(2, 1.0)), "_proposal"),
    "GreedyAC, from all": (
        GreedyACSettings(n_rho=(2, 1.0), entropy_from_single_sample=False),
        "_proposal",
    ),
}


def ascent_of_entropy(kind: str, policy_type: str, box: gymnasium.spaces.Box, h: Tensor) -> Tensor:
    """What an update climbs by h [2], of each of many states, where all values are 0."""
    base, network = KINDS[kind]
    settings = msgspec.structs.replace(
        base,
        policy_type=policy_type,
        alpha=0.5,
        weight_init="zeros",
        hidden_dim=2,
        num_hidden=1,
        batch_size=STATES,
        critic_lr=0.0,
    )
    agent = batch([settings], [0], actions=box, dtype=torch.float64)
    World([0]).run(agent, 1)
    learner = agent._learner
    owner = getattr(learner, network)
    _, biases = owner._net.shape.views(owner._net.values)
    biases[-1].copy_(h)
    descents: list[Tensor] = []
    owner.descend = lambda d_h: descents.append(d_h.clone())
    learner.update()
    return -descents[0][0] * STATES / 0.5


def gradient_of_entropy(h: Tensor) -> Tensor:
    """Of a squashed Gaussian, by Gauss and Hermite's rule."""
    nodes, weights = (torch.from_numpy(x) for x in np.polynomial.hermite_e.hermegauss(60))
    h = h.clone().requires_grad_()
    y = torch.tanh(h[0] + h[1].exp() * nodes)
    entropy = h[1] + (weights * torch.log(1 - y * y)).sum() / weights.sum()
    return torch.autograd.grad(entropy, h)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_unit_gaussian_is_1_by_its_log_stddev(kind: str) -> None:
    """H = ln σ + const."""
    ascent = ascent_of_entropy(kind, "Gaussian", WIDE, torch.zeros(2, dtype=torch.float64))
    assert float(ascent[:, 1].mean()) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_squashed_gaussian_is_the_true_one(kind: str) -> None:
    h = torch.tensor([0.6, -0.3], dtype=torch.float64)
    ascent = ascent_of_entropy(kind, "SquashedGaussian", NARROW, h)
    expected = gradient_of_entropy(h)
    assert expected.abs().min() > 0.2
    error = ascent.std(0) / STATES**0.5
    assert ((ascent.mean(0) - expected).abs() < 4.5 * error).all(), (ascent.mean(0), expected)
