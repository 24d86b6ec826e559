"""How mixtures pick their component, and what that does to gradients."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from policy_cases import MIXTURES, Streams, assert_mean, build, differences, mixture, random_h
from torch import Tensor

#: Of two components: logits, then means and log-stddevs (or shapes) of each.
FAR_APART = torch.tensor([0.4, -0.4, -1.0, 1.2, -3.0, -2.5], dtype=torch.float64)


@pytest.mark.parametrize("name", MIXTURES)
def test_the_hard_draw_is_a_draw_and_the_relaxed_one_lies_between(name: str) -> None:
    h = random_h(build(name), 2000)
    drawn = build(name).draw(h, Streams())
    hard, _, _ = build(name, hard=True).reparameterised(h, Streams())
    soft, _, _ = build(name, hard=False).reparameterised(h, Streams())
    assert torch.equal(hard, drawn)
    assert not torch.equal(soft, drawn)
    assert ((soft - drawn).abs() < 0.1).double().mean() > 0.8  # temperature 0.1: nearly hard


@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize("hard", [True, False])
def test_the_relaxed_gradient_of_the_weights_points_the_right_way(name: str, hard: bool) -> None:
    """It is biased, so no more is promised: weight goes to the component of the higher value."""
    policy, N = build(name, hard=hard), 20_000
    h = FAR_APART.clone()
    if name == "BetaMixture":
        h[2:] = torch.tensor([0.0, 20.0, 20.0, 0.0])
    action, log_prob, backward = policy.reparameterised(h.expand(1, N, -1), Streams())
    d_logits = backward(torch.ones_like(action), torch.zeros_like(log_prob))[0, :, :2].mean(0)
    assert d_logits[1] > 0.05 > -0.05 > d_logits[0]


@pytest.mark.parametrize("name", MIXTURES)
def test_the_action_of_evaluation_is_of_the_heaviest_component(name: str) -> None:
    policy = mixture(name)
    h = random_h(policy, 3)
    h[..., :2] = torch.tensor([[1.0, 2.0], [2.0, 1.0], [1.0, 1.0]])  # the first of equals
    single = mixture(name, components=1)
    for at, k in enumerate((1, 0, 0)):
        component = h[:, at : at + 1, [0, 2 + k, 4 + k]]
        assert torch.equal(policy.mode(h)[:, at], single.mode(component)[:, 0])


def test_a_shared_stddev_is_the_stddev_of_every_component() -> None:
    shared, own = build("GaussianMixture", 2, share_std=True), build("GaussianMixture", 2)
    assert (shared.outputs, own.outputs) == (2 + 4 + 2, 2 + 4 + 4)
    h = random_h(shared, 50)
    spelt_out = torch.cat((h, h[..., -2:]), -1)
    assert torch.equal(shared.draw(h, Streams()), own.draw(spelt_out, Streams()))


@pytest.mark.parametrize("share_std", [False, True])
def test_the_mixed_gradient_of_the_entropy_of_two_censored_dimensions(share_std: bool) -> None:
    """Dimensions are independent within a component only: the jump of ln π where one crosses its
    edge depends on where the other is."""
    space = gymnasium.spaces.Box(-1, 1, (2,), dtype=np.float64)
    policy = mixture("GaussianMixture", dimensions=2, space=space, share_std=share_std)
    h, N = random_h(policy, 1, scale=0.6)[0, 0], 100_000
    # Gauss and Legendre's nodes inside, and the edges with weight 1
    x, w = np.polynomial.legendre.leggauss(40)
    nodes, weights = np.concatenate((x, [-1, 1])), np.concatenate((w, [1, 1]))
    pairs = torch.from_numpy(np.stack(np.meshgrid(nodes, nodes), -1).reshape(1, -1, 2))
    pair_weights = torch.from_numpy(np.outer(weights, weights).ravel())

    def negative_entropy(row: Tensor) -> float:
        log_prob = policy.likelihood(row.expand(1, len(pair_weights), -1), pairs)[0][0]
        assert float((pair_weights * log_prob.exp()).sum()) == pytest.approx(1)
        return float((pair_weights * log_prob.exp() * log_prob).sum())

    action, log_prob, backward = policy.mixed(h.expand(1, N, -1), Streams())
    d_h = backward(torch.zeros_like(action), torch.ones_like(log_prob), log_prob)[0]
    assert_mean(d_h, differences(negative_entropy, h))
