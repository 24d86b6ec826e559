"""What a mixture makes of `impl`, `eps`, `repulsive_coef`, `lmbda` and `eta`."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from policy_cases import Streams, box, mixture, random_h
from torch import Tensor, distributions, nn

from agents.neural.policies.base import ActionBox
from agents.neural.policies.normal import CensoredNormal

LOW, HIGH = -1.0, 2.0
CENTRE, SCALE = (LOW + HIGH) / 2, (HIGH - LOW) / 2
K, A, B = 3, 2, 20
IMPLS: list[dict[str, Any]] = [
    {},
    {"impl": "default"},
    {"impl": "torch"},
    {"impl": "torch", "hard": False},
    {"impl": "straight_through"},
]
ESTIMATES = [-2.0, -3.0, 0.0, 0.25, 0.5, 1.0]


def parts(h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """ln w [B, K], and means and log-stddevs [B, K, A] before what families make of them."""
    logits, rest = h.tensor_split([K], -1)
    means, log_stddevs = rest.view(-1, 2, K, A).unbind(1)
    return logits.log_softmax(-1), means, log_stddevs


# -- the pick


def textbook_draw(h: Tensor, *, impl: str, hard: bool, eps: float) -> tuple[Tensor, Tensor]:
    """a and ln π(a) of a SquashedGaussianMixture, with autograd's graph."""
    noise = Streams()
    log_w, means, log_stddevs = parts(h)
    if impl == "straight_through":
        scores, y = log_w, log_w.exp()
    else:
        u = noise.uniform(B, K)[0]
        scores = log_w - (-(u.clamp(min=eps)).log()).clamp(min=eps).log()
        y = (scores / 0.1).softmax(-1)
    if hard:
        y = nn.functional.one_hot(scores.argmax(-1), K) + y - y.detach()
    components = distributions.Normal(means, log_stddevs.exp())
    epsilon = noise.normal(B * K, A)[0].view(B, K, A)
    x = (y[..., None] * (means + components.scale * epsilon)).sum(1)
    law: Any = distributions.MixtureSameFamily(
        distributions.Categorical(logits=log_w), distributions.Independent(components, 1)
    )
    squashing = (SCALE * (1 - x.tanh() ** 2)).log().sum(-1)
    return CENTRE + SCALE * x.tanh(), law.log_prob(x) - squashing


@pytest.mark.parametrize("options", IMPLS, ids=str)
@pytest.mark.parametrize("member", [0, 1], ids=["eps 1e-20", "eps 1e-3"])
def test_a_draw_and_its_gradient_are_those_of_the_implementation(
    options: dict[str, Any], member: int
) -> None:
    policy = mixture(
        "SquashedGaussianMixture", dimensions=A, components=K, members=(member,), **options
    )
    policy._temperature.fill_(0.1)
    h = random_h(policy, B, scale=0.5)
    leaf = h[0].clone().requires_grad_()
    eps = (1e-20, 1e-3)[member]
    textbook: dict[str, Any] = {"impl": "default", "hard": True} | options
    a, log_prob = textbook_draw(leaf, eps=eps, **textbook)
    d_a, d_log_prob = torch.cos(torch.arange(B * A)).view(B, A).double(), torch.ones(B).double()
    (expected,) = torch.autograd.grad((a, log_prob), leaf, (d_a, d_log_prob))

    action, value, backward = policy.reparameterised(h, Streams())
    torch.testing.assert_close(action[0], a.detach())
    torch.testing.assert_close(value[0], log_prob.detach())
    torch.testing.assert_close(backward(d_a[None], d_log_prob[None])[0], expected)


@pytest.mark.parametrize(
    ("options", "faithful"),
    [*((one, True) for one in IMPLS[:3]), *((one, False) for one in IMPLS[3:])],
    ids=str,
)
def test_which_implementations_draw_from_the_policy(
    options: dict[str, Any], faithful: bool
) -> None:
    policy = mixture("GaussianMixture", **options)
    h = random_h(policy, 500)
    same = torch.equal(policy.reparameterised(h, Streams())[0], policy.draw(h, Streams()))
    assert same == policy.faithful == faithful


def test_the_guard_of_the_noise_changes_nothing_where_it_is_small_and_no_acting_at_all() -> None:
    small, large, none = (mixture("GaussianMixture", members=(member,)) for member in range(3))
    for policy in (small, large):
        policy._temperature.copy_(none._temperature)
    h = random_h(none, 5000, scale=0.2)  # within everybody's clip_stddev
    for policy in (small, large):
        assert torch.equal(policy.draw(h, BesideOne()), none.draw(h, BesideOne()))
    (_, _, path), (_, _, guarded), (_, _, expected) = (
        policy.reparameterised(h, Streams()) for policy in (small, large, none)
    )
    ones, row = torch.ones(1, 5000, 1).double(), torch.ones(1, 5000).double()
    assert torch.equal(path(ones, row), expected(ones, row))
    assert not torch.equal(guarded(ones, row), expected(ones, row))


class BesideOne(Streams):
    """Uniforms so near to 1 that a guard of 1e-3 would make all components alike."""

    def uniform(self, batch: int, width: int) -> Tensor:
        return 1 - 1e-4 * super().uniform(batch, width)


# -- repulsion


def textbook_repulsion(means: Tensor) -> Tensor:
    """Of squashed means [components, dimensions]."""
    losses = []
    for m in means.T:
        pairs = list(itertools.combinations(range(len(m)), 2))
        median = float(np.median([abs(float(m[i].detach() - m[j].detach())) for i, j in pairs]))
        losses += [
            torch.stack(
                [torch.exp(-((m[i] - m[j]) ** 2) / (2 * median**2)) for i, j in pairs]
            ).mean()
        ]
    return torch.stack(losses).mean()


@pytest.mark.parametrize("name", ["GaussianMixture", "SquashedGaussianMixture"])
@pytest.mark.parametrize("components", [2, 3, 4, 5])
def test_the_repulsion_is_the_textbooks(name: str, components: int) -> None:
    """The mean over pairs and dimensions; 0.7 is the weight."""
    policy = mixture(name, dimensions=A, components=components)
    h = random_h(policy, 3)
    loss, d_h = policy.repulsion(h)
    for b in range(3):
        row = h[0, b].clone().requires_grad_()
        means = row[components : components * (1 + A)].view(components, A)
        expected = 0.7 * textbook_repulsion(means.tanh())
        torch.testing.assert_close(loss[0, b], expected.detach())
        torch.testing.assert_close(d_h[0, b], torch.autograd.grad(expected, row)[0])


def test_means_that_meet_are_not_torn_apart() -> None:
    policy = mixture("GaussianMixture", components=2)
    distances = torch.tensor([0.0, 1e-12, 1e-6, 1e-4, 1e-2, 1.0], dtype=torch.float64)
    h = torch.zeros(1, 6, policy.outputs, dtype=torch.float64)
    h[..., 3] = distances
    loss, d_h = policy.repulsion(h)
    force = -d_h[0, :, 3]
    assert torch.isfinite(loss).all() and force[0] == 0
    assert (force[1:] > 0).all() and (force <= 0.7 * math.exp(-0.5) / 1e-3 + 1e-9).all()
    torch.testing.assert_close(d_h[..., 2], -d_h[..., 3] / (1 - distances.tanh() ** 2))


def test_who_repels() -> None:
    assert mixture("SquashedGaussianMixture", members=(1, 2)).repels
    assert not mixture("SquashedGaussianMixture", members=(1, 4)).repels
    assert not mixture("SquashedGaussianMixture", components=1).repels
    assert not mixture("BetaMixture").repels


# -- estimates of the entropy


def log_probabilities(h: Tensor) -> tuple[Tensor, Tensor]:
    """Of components and dimensions [B, K, A, N], at nodes in the box and at its two edges, and the
    weights [N] of integrals over them."""
    x, w = np.polynomial.legendre.leggauss(200)
    _, means, log_stddevs = (part.unsqueeze(-1) for part in parts(h))
    law: Any = distributions.Normal(CENTRE + SCALE * means.tanh(), log_stddevs.exp())
    inside = law.log_prob(torch.from_numpy(CENTRE + SCALE * x))
    at_edges = torch.cat((LOW - law.mean, law.mean - HIGH), -1) / law.stddev
    weights = torch.from_numpy(np.concatenate((w * SCALE, [1, 1])))
    return torch.cat((inside, torch.special.log_ndtr(at_edges)), -1), weights


def divergences(h: Tensor, lmbda: float) -> Tensor:
    """D(p_i ‖ p_j) [B, K, K], summed over dimensions."""
    log_p, weights = log_probabilities(h)
    p, q = log_p.unsqueeze(2), log_p.unsqueeze(1)
    if lmbda == -3:
        integral = (weights * p.exp() * (p - q)).sum(-1)
    else:
        integral = -(weights * torch.exp(lmbda * p + (1 - lmbda) * q)).sum(-1).log()
    return integral.sum(-1)


@pytest.mark.parametrize("lmbda", ESTIMATES)
@pytest.mark.parametrize("member", [0, 1], ids=["eta 1", "eta 0.6"])
def test_the_estimate_of_the_log_probability(lmbda: float, member: int) -> None:
    policy = mixture("GaussianMixture", dimensions=A, components=K, members=(member,), lmbda=lmbda)
    h = random_h(policy, B, scale=0.6)
    action, log_prob, estimate, score = policy.estimated(h, Streams())
    scored, scored_log_prob, scored_score = policy.scored(h, Streams())
    assert torch.equal(action, scored) and torch.equal(log_prob, scored_log_prob)
    assert torch.equal(score(estimate), scored_score(estimate))

    log_w, means, log_stddevs = parts(h[0])
    i = (log_w - (-Streams().uniform(B, K)[0].log()).log()).argmax(-1)
    every = torch.arange(B)
    if lmbda == -2:
        choice = log_w[every, i]
    else:
        choice = torch.logsumexp(log_w - divergences(h[0], lmbda)[every, i], -1)
    component = component_log_prob(means[every, i], log_stddevs[every, i], action[0])
    expected = component + (1.0, 0.6)[member] * choice
    torch.testing.assert_close(estimate[0], expected, rtol=1e-6, atol=1e-6)


def component_log_prob(mean: Tensor, log_stddev: Tensor, a: Tensor) -> Tensor:
    """Of censored dimensions, summed."""
    law: Any = distributions.Normal(CENTRE + SCALE * mean.tanh(), log_stddev.exp())
    below, above = law.cdf(torch.tensor(LOW)).log(), (1 - law.cdf(torch.tensor(HIGH))).log()
    inside = torch.where(a >= HIGH, above, law.log_prob(a))
    return torch.where(a <= LOW, below, inside).sum(-1)


def test_estimates_bound_the_entropy_from_above_and_from_below() -> None:
    """Minus their means: H(a, i) >= pairwise KL >= H(a) >= Chernoff >= H(a | i)."""
    N = 40_000
    h: Tensor | None = None
    means = {}
    for lmbda in ESTIMATES:
        policy = mixture("GaussianMixture", components=K, lmbda=lmbda)
        h = random_h(policy, 1, scale=0.7) if h is None else h
        _, log_prob, estimate, _ = policy.estimated(h.expand(1, N, -1), Streams())
        gap = (log_prob - estimate)[0]
        error = 4.5 * float(gap.std()) / N**0.5
        means[lmbda] = float(gap.mean())
        if lmbda < 0:
            assert means[lmbda] > error
        else:
            assert means[lmbda] < -error
    assert means[-2.0] > means[-3.0] > 0 > means[0.5] > means[0.25] > means[0.0]
    assert means[0.0] == pytest.approx(means[1.0])


def test_divergences_of_extreme_laws_are_numbers() -> None:
    """Of every two stddevs from e^-6.9 to e^6.9 and means at the centre and beside the edges."""
    family = CensoredNormal(ActionBox.of(box(), dtype=torch.float64), torch.full((1, 1, 1), 1000.0))
    one = torch.cartesian_prod(
        torch.tensor([-9.0, -2.0, 0.0, 0.3, 9.0], dtype=torch.float64),
        torch.linspace(-6.9, 6.9, 7, dtype=torch.float64),
    )
    p = one[:, None].expand(-1, len(one), -1).reshape(1, -1, 2).chunk(2, -1)
    q = one[None].expand(len(one), -1, -1).reshape(1, -1, 2).chunk(2, -1)
    for values in (
        family.relative_entropy(p, q),
        *(family.chernoff(p, q, share) for share in (0.0, 0.3, 0.5, 1.0)),
    ):
        assert not values.isnan().any() and values.min() > -1e-6
        own = values.view(len(one), len(one)).diagonal()
        torch.testing.assert_close(own, torch.zeros_like(own), rtol=0, atol=1e-7)


@pytest.mark.parametrize("lmbda", ESTIMATES)
def test_of_one_component_all_estimates_are_the_log_probability(lmbda: float) -> None:
    policy = mixture("GaussianMixture", components=1, lmbda=lmbda)
    assert policy.estimates and not mixture("GaussianMixture").estimates
    _, log_prob, estimate, _ = policy.estimated(random_h(policy, 200), Streams())
    torch.testing.assert_close(estimate, log_prob)
