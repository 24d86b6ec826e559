"""An update of soft actor-critic with a mixture policy is the textbook's, whatever its options."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from members import World, batch
from textbook import (
    ACTION,
    CENTRE,
    SCALE,
    Censored,
    Law,
    Squashed,
    Textbook,
    assert_updates_are,
    step,
)
from torch import Tensor, distributions, nn

from agents.soft_actor_critic.settings import SACSettings

K = 3


class Mixture:
    """Components are laws of [B, K, A]. A draw is x, before a tanh where there is one."""

    def __init__(self, h: Tensor, one: Any) -> None:
        self.settings = one
        logits, rest = h.tensor_split([K], -1)
        self.log_w = logits.log_softmax(-1)
        first, log_stddev = rest.view(-1, 2, K, ACTION).unbind(1)
        self.squashed = one.policy_type.startswith("Squashed")
        kind: type[Law] = Squashed if self.squashed else Censored
        self.components = kind(torch.cat((first, log_stddev), -1), one.clip_stddev)

    def gumbel(self, noise: Noise) -> Tensor:
        return -(-noise.next((len(self.log_w), K)).log()).log()

    def sample(self, noise: Noise) -> tuple[Tensor, Tensor]:
        """x of the component i, and i."""
        i = (self.log_w + self.gumbel(noise)).argmax(-1)
        epsilon, components = self.epsilon(noise), self.components
        x = components.first + components.stddev * epsilon
        return (x if self.squashed else components.draw(epsilon))[torch.arange(len(i)), i], i

    def rsample(self, noise: Noise) -> Tensor:
        """x of a squashed mixture: Σ_k y_k x_k."""
        one = self.settings
        if one.impl == "straight_through":
            scores, y = self.log_w, self.log_w.exp()
        else:
            scores = self.log_w + self.gumbel(noise)
            y = (scores / one.temperature).softmax(-1)
        if one.hard:
            y = nn.functional.one_hot(scores.argmax(-1), K) + y - y.detach()
        components = self.components
        x = components.first + components.stddev * self.epsilon(noise)
        return (y.unsqueeze(-1) * x).sum(1)

    def action(self, x: Tensor) -> Tensor:
        return CENTRE + SCALE * x.tanh() if self.squashed else x

    def epsilon(self, noise: Noise) -> Tensor:
        return noise.next((len(self.log_w) * K, ACTION)).view(-1, K, ACTION)

    def of_components(self, x: Tensor) -> Tensor:
        """ln p_k(a) [B, K]."""
        components, x = self.components, x.unsqueeze(1)
        if not self.squashed:
            return components.log_prob(x)
        law: Any = distributions.Normal(components.first, components.stddev)
        squash: Any = distributions.TanhTransform()
        widening = squash.log_abs_det_jacobian(x, x.tanh())
        log_prob: Tensor = (law.log_prob(x) - widening - SCALE.log()).sum(-1)
        return log_prob

    def log_prob(self, x: Tensor) -> Tensor:
        return (self.log_w + self.of_components(x)).logsumexp(-1)

    def upper_bound(self, x: Tensor, i: Tensor) -> Tensor:
        """ln p_i(a) + η ln w_i."""
        every = torch.arange(len(i))
        own = self.of_components(x)[every, i]
        eta: float = self.settings.eta
        return own + eta * self.log_w[every, i]

    def repulsion(self) -> Tensor:
        means = self.components.first.tanh()
        pairs = itertools.combinations(range(K), 2)
        d = torch.stack([means[:, i] - means[:, j] for i, j in pairs])
        median = d.detach().abs().median(0).values
        weight: float = self.settings.repulsive_coef
        return weight * torch.exp(-(d**2) / (2 * median**2)).mean()


class Noise:
    """What an update drew, in the order in which it did."""

    def __init__(self, drawn: list[Tensor]) -> None:
        self.drawn = iter(drawn)

    def next(self, shape: tuple[int, int]) -> Tensor:
        drawn = next(self.drawn)
        assert drawn.shape == shape
        return drawn


class Soft(Textbook):
    outputs = K * (1 + 2 * ACTION)

    def pi(self, s: Tensor) -> Mixture:
        return Mixture(self.actor(s), self.settings)

    def update(self, batch: Sequence[Tensor], drawn: list[Tensor]) -> None:
        s, a, r, s_next, c = batch
        one, noise = self.settings, Noise(drawn)
        pi, pi_next = self.pi(s), self.pi(s_next)
        one_draw = one.gradient and one.hard and one.impl != "straight_through"
        if one_draw:
            x, x_next = self.pi(torch.cat((s, s_next))).rsample(noise).chunk(2)
            log_prob_next = pi_next.log_prob(x_next)
        else:
            x_next, i = pi_next.sample(noise)
            log_prob_next = self.log_prob(pi_next, x_next, i)
        value = self.lowest(self.targets, s_next, pi.action(x_next))
        self.regress(self.y(r, c, value - one.soft_q * one.alpha * log_prob_next), s, a)
        self.follow(self.targets, self.critics)

        if one.gradient:
            x = x if one_draw else pi.rsample(noise)
            loss = one.alpha * pi.log_prob(x) - self.lowest(self.critics, s, pi.action(x))
        else:
            x, i = (drawn.detach() for drawn in pi.sample(noise))
            advantage = self.lowest(self.critics, s, pi.action(x))
            loss = pi.log_prob(x) * (one.alpha * self.log_prob(pi, x, i) - advantage).detach()
        step(self.actor_adam, loss.mean() + pi.repulsion())

    def log_prob(self, pi: Mixture, x: Tensor, i: Tensor) -> Tensor:
        return pi.log_prob(x) if self.settings.lmbda == -1 else pi.upper_bound(x, i)


def settings(policy_type: str, **options: Any) -> SACSettings:
    return SACSettings(policy_type=policy_type, num_components=K, **options)  # type: ignore[arg-type]


CASES = {
    "by default": settings("SquashedGaussianMixture"),
    "torch": settings("SquashedGaussianMixture", impl="torch", repulsive_coef=0.5),
    "relaxed": settings("SquashedGaussianMixture", hard=False, temperature=0.7),
    "straight through": settings(
        "SquashedGaussianMixture", impl="straight_through", repulsive_coef=0.3
    ),
    "likelihood": settings("GaussianMixture", reparameterized=False),
    "likelihood, repulsive": settings(
        "GaussianMixture", reparameterized=False, repulsive_coef=0.3, double_q=False
    ),
    "likelihood, estimated": settings("GaussianMixture", reparameterized=False, lmbda=-2.0),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("each_arithmetic")
def test_updates_are_the_textbooks(case: str) -> None:
    assert_updates_are(Soft, CASES[case])


def test_the_repulsion_is_in_the_loss_that_is_shown_and_in_the_mixed_gradient() -> None:
    losses, descents = [], []
    for weight in (0.0, 0.8):
        one = settings(
            "GaussianMixture", reparameterized="mixed", repulsive_coef=weight, batch_size=6
        )
        agent = batch([one], [0], dtype=torch.float64)
        World([0]).run(agent, 5)
        learner: Any = agent._learner
        passed: list[Tensor] = []
        forward, descend = learner._actor.forward, learner._actor.descend
        learner._actor.forward = recording(forward, passed)
        learner._actor.descend = recording(descend, passed, argument=True)
        learner.update()
        h, d_h = passed
        losses.append(agent.metrics(0)["actor_loss"])
        descents.append(d_h)
    repulsion, d_repulsion = learner._policy.repulsion(h[:, :6])
    assert float(repulsion.mean()) > 0.1
    assert losses[1] - losses[0] == pytest.approx(float(repulsion.mean()))
    torch.testing.assert_close(descents[1] - descents[0], d_repulsion / 6)


def recording(function: Any, passed: list[Tensor], *, argument: bool = False) -> Any:
    """A function that also adds what it gives, or gets, to a list."""

    def recorded(x: Tensor) -> Any:
        result = function(x)
        passed.append((x if argument else result).clone())
        return result

    return recorded
