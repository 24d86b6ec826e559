"""An update of soft actor-critic is the textbook's."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from textbook import (
    ACTION,
    CHOICES,
    DiscreteTextbook,
    Textbook,
    VectorTextbook,
    assert_updates_are,
    step,
)
from torch import Tensor, nn

from agents.neural.settings import NeuralSettings
from agents.soft_actor_critic.settings import SACDiscreteSettings, SACSettings


class Soft(Textbook):
    """The order of the steps, and the temperature."""

    target_entropy: float

    def __init__(self, settings: Any, state: dict[str, Any]) -> None:
        super().__init__(settings, state)
        self.log_alpha = nn.Parameter(torch.tensor(settings.alpha, dtype=torch.float64).log())
        self.alpha_adam = torch.optim.Adam(
            [self.log_alpha], settings.alpha_lr, settings.betas, settings.adam_eps
        )

    def update(self, batch: Sequence[Tensor], noise: list[Tensor]) -> None:
        s, a, r, s_next, c = batch
        one, alpha = self.settings, self.log_alpha.exp().detach()
        value, log_prob = self.next_value(s_next, noise)
        self.regress(self.y(r, c, value - one.soft_q * alpha * log_prob), s, a)
        self.follow(self.targets, self.critics)
        loss, log_prob = self.actor_loss(s, noise, alpha)
        step(self.actor_adam, loss)
        if one.automatic_entropy_tuning:
            surplus = (log_prob.mean() + self.target_entropy).detach()
            step(self.alpha_adam, -self.log_alpha * surplus)

    def learned(self) -> dict[tuple[str, str], Tensor]:
        return {**super().learned(), ("temperature", "log_alpha"): self.log_alpha.data[None]}

    @abstractmethod
    def next_value(self, s: Tensor, noise: list[Tensor]) -> tuple[Tensor, Tensor]:
        """min_k Q_Tk and ln π at the next states."""

    @abstractmethod
    def actor_loss(self, s: Tensor, noise: list[Tensor], alpha: Tensor) -> tuple[Tensor, Tensor]:
        """L_π, and ln π at each state."""


class Continuous(Soft, VectorTextbook):
    target_entropy = -float(ACTION)

    def next_value(self, s: Tensor, noise: list[Tensor]) -> tuple[Tensor, Tensor]:
        pi = self.pi(s)
        a = pi.draw(noise[0][-len(s) :])
        return self.lowest(self.targets, s, a), pi.log_prob(a)

    def actor_loss(self, s: Tensor, noise: list[Tensor], alpha: Tensor) -> tuple[Tensor, Tensor]:
        one = self.settings
        if one.gradient:
            pi = self.pi(s)
            a = pi.draw(noise[0][: len(s)])
            log_prob = pi.log_prob(a)
            return (alpha * log_prob - self.lowest(self.critics, s, a)).mean(), log_prob
        repeated = s.repeat_interleave(one.num_samples, 0)
        pi = self.pi(repeated)
        a = pi.draw(noise[1]).detach()
        advantage = self.lowest(self.critics, repeated, a)
        if one.baseline:
            others = s.repeat_interleave(one.baseline, 0)
            values = self.lowest(self.critics, others, self.pi(others).draw(noise[2]))
            b = values.view(len(s), -1).mean(1)
            advantage = advantage - b.repeat_interleave(one.num_samples, 0)
        log_prob = pi.log_prob(a)
        return (log_prob * (alpha * log_prob - advantage).detach()).mean(), log_prob


class Discrete(Soft, DiscreteTextbook):
    target_entropy = 0.98 * math.log(CHOICES)

    def next_value(self, s: Tensor, noise: list[Tensor]) -> tuple[Tensor, Tensor]:
        pi, q = self.pi(s), torch.stack([net(s) for net in self.targets]).amin(0)
        return (pi.probs * q).sum(-1), -pi.entropy()  # type: ignore[no-untyped-call]

    def actor_loss(self, s: Tensor, noise: list[Tensor], alpha: Tensor) -> tuple[Tensor, Tensor]:
        pi, q = self.pi(s), torch.stack([net(s) for net in self.critics]).amin(0).detach()
        log_prob = -pi.entropy()  # type: ignore[no-untyped-call]
        return (alpha * log_prob - (pi.probs * q).sum(-1)).mean(), log_prob


CASES: dict[str, NeuralSettings] = {
    "reparameterised": SACSettings(),
    "temperature tuned": SACSettings(automatic_entropy_tuning=True, alpha_lr=0.05),
    "one critic": SACSettings(double_q=False),
    "likelihood": SACSettings(reparameterized=False, num_samples=3, baseline_actions=4),
    "likelihood without baseline": SACSettings(reparameterized=False, policy_type="Gaussian"),
    "discrete": SACDiscreteSettings(),
    "discrete, tuned": SACDiscreteSettings(automatic_entropy_tuning=True, alpha_lr=0.05),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("each_arithmetic")
def test_updates_are_the_textbooks(case: str) -> None:
    kind = Discrete if isinstance(CASES[case], SACDiscreteSettings) else Continuous
    assert_updates_are(kind, CASES[case])
