"""An update of VAC, Greedy AC, FKL, TD3 and DQN is the textbook's."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from textbook import (
    ACTION,
    CENTRE,
    HIGH,
    LOW,
    SCALE,
    STATE,
    DiscreteTextbook,
    Textbook,
    VectorTextbook,
    assert_updates_are,
    rows_of,
    step,
)
from torch import Tensor

from agents.dqn.settings import DQNSettings
from agents.forward_kl.settings import FKLSettings
from agents.greedy_ac.settings import GreedyACDiscreteSettings, GreedyACSettings
from agents.neural.settings import NeuralSettings
from agents.td3.settings import TD3Settings
from agents.vac.settings import VACDiscreteSettings, VACSettings


class VAC(VectorTextbook):
    def update(self, batch: Sequence[Tensor], noise: list[Tensor]) -> None:
        s, a, r, s_next, c = batch
        alpha, N = self.settings.alpha, self.settings.num_samples
        a_next = self.pi(s_next).draw(noise[0])
        self.regress(self.y(r, c, self.lowest(self.targets, s_next, a_next)), s, a)

        pi = self.pi(s)
        scored, other = (pi.draw(one).detach() for one in noise[1].chunk(2))
        b = torch.zeros_like(r)
        if N > 2:
            repeated = s.repeat_interleave(N - 1, 0)
            fresh = self.pi(repeated).draw(noise[2])
            b = self.lowest(self.critics, repeated, fresh).view(len(s), N - 1).mean(1)
        advantage = (self.lowest(self.critics, s, scored) - b).detach()
        entropy = -pi.log_prob(other) * pi.log_prob(other).detach()
        step(self.actor_adam, -(pi.log_prob(scored) * advantage + alpha * entropy).mean())
        self.follow(self.targets, self.critics)


class VACDiscrete(DiscreteTextbook):
    def update(self, batch: Sequence[Tensor], noise: list[Tensor]) -> None:
        s, a, r, s_next, c = batch
        value = (self.pi(s_next).probs * self.targets[0](s_next)).sum(-1)
        self.regress(self.y(r, c, value), s, a)
        pi, q = self.pi(s), self.critics[0](s).detach()
        entropy = pi.entropy()  # type: ignore[no-untyped-call]
        step(self.actor_adam, -((pi.probs * q).sum(-1) + self.settings.alpha * entropy).mean())
        self.follow(self.targets, self.critics)


class GreedyAC(VectorTextbook):
    def __init__(self, settings: Any, state: dict[str, Any]) -> None:
        super().__init__(settings, state)
        self.proposal = copy.deepcopy(self.actor)
        self.proposal_adam = self.adam(self.proposal, settings.actor_step_size)

    def update(self, batch: Sequence[Tensor], noise: list[Tensor]) -> None:
        s, a, r, s_next, c = batch
        one, (N, rho) = self.settings, self.settings.n_rho
        a_next = self.pi(s_next).draw(noise[0])
        self.regress(self.y(r, c, self.lowest(self.targets, s_next, a_next)), s, a)
        self.follow(self.targets, self.critics)

        repeated = s.repeat_interleave(N, 0)
        proposed = self.pi(repeated, self.proposal).draw(noise[1]).detach()
        q = self.lowest(self.critics, repeated, proposed).view(-1, N)
        kept = max(1, int(rho * N))
        best = q.argsort(dim=1, descending=True)[:, :kept]
        imitated = proposed.view(len(s), N, -1)[torch.arange(len(s))[:, None], best]
        at = s.repeat_interleave(kept, 0)
        imitated = imitated.view(len(s) * kept, -1)
        step(self.actor_adam, -self.pi(at).log_prob(imitated).mean())

        log_prob = self.pi(repeated, self.proposal).log_prob(proposed).view(-1, N)
        if one.entropy_from_single_sample:
            log_prob = log_prob[:, :1]
        entropy = -(log_prob * log_prob.detach()).mean()
        fit = self.pi(at, self.proposal).log_prob(imitated).mean()
        step(self.proposal_adam, -(fit + one.alpha * entropy))

    def learned(self) -> dict[tuple[str, str], Tensor]:
        return {**super().learned(), ("proposal", "values"): rows_of([self.proposal])}


class GreedyACDiscrete(DiscreteTextbook):
    def update(self, batch: Sequence[Tensor], noise: list[Tensor]) -> None:
        s, a, r, s_next, c = batch
        value = (self.pi(s_next).probs * self.targets[0](s_next)).sum(-1)
        self.regress(self.y(r, c, value), s, a)
        self.follow(self.targets, self.critics)
        best = self.critics[0](s).argmax(-1)
        step(self.actor_adam, torch.nn.functional.cross_entropy(self.actor(s), best))


class FKL(VectorTextbook):
    def update(self, batch: Sequence[Tensor], noise: list[Tensor]) -> None:
        s, a, r, s_next, c = batch
        one, N = self.settings, self.settings.num_samples
        pi = self.pi(s_next)
        a_next = pi.draw(noise[0])
        value = self.lowest(self.targets, s_next, a_next)
        self.regress(self.y(r, c, value - one.soft_q * one.alpha * pi.log_prob(a_next)), s, a)

        repeated = s.repeat_interleave(N, 0)
        pi = self.pi(repeated)
        sampled = pi.draw(noise[1]).detach()
        log_prob = pi.log_prob(sampled).view(-1, N)
        boltzmann = self.lowest(self.critics, repeated, sampled).view(-1, N) / one.alpha
        ratio = torch.exp(boltzmann - boltzmann.amax(1, keepdim=True)) / log_prob.exp()
        weight = (ratio / ratio.sum(1, keepdim=True)).detach()
        step(self.actor_adam, -(weight * log_prob).sum(1).mean())
        self.follow(self.targets, self.critics)


class TD3(Textbook):
    outputs = ACTION

    def __init__(self, settings: Any, state: dict[str, Any]) -> None:
        super().__init__(settings, state)
        (self.actor_target,) = self.nets(state["actor"]["target"], STATE, ACTION)
        self.updates = 0

    def update(self, batch: Sequence[Tensor], noise: list[Tensor]) -> None:
        s, a, r, s_next, c = batch
        one = self.settings
        most = one.target_noise_clip
        shaken = SCALE * (one.target_noise * noise[0]).clamp(-most, most)
        a_next = torch.clamp(self.mu(self.actor_target, s_next) + shaken, LOW, HIGH)
        self.regress(self.y(r, c, self.lowest(self.targets, s_next, a_next)), s, a)
        self.updates += 1
        if self.updates % one.policy_delay == 0:
            q = self.taken(self.critics[0], s, self.mu(self.actor, s))
            step(self.actor_adam, -q.mean())
            self.follow(self.targets, self.critics)
            self.follow(self.actor_target, self.actor)

    def mu(self, net: torch.nn.Module, s: Tensor) -> Tensor:
        return CENTRE + SCALE * torch.tanh(net(s))

    def learned(self) -> dict[tuple[str, str], Tensor]:
        return {**super().learned(), ("actor", "target"): rows_of([self.actor_target])}


class DQN(DiscreteTextbook):
    def update(self, batch: Sequence[Tensor], noise: list[Tensor]) -> None:
        s, a, r, s_next, c = batch
        (q,), (q_target,) = self.critics, self.targets
        values = q_target(s_next)
        if self.settings.double_q:
            value = values[torch.arange(len(s)), q(s_next).argmax(-1)]
        else:
            value = values.max(-1).values
        y, kind = self.y(r, c, value), torch.nn.functional
        if self.settings.huber_loss:  # torch's begins as half a square
            loss = 2 * kind.huber_loss(self.taken(q, s, a), y)
        else:
            loss = kind.mse_loss(self.taken(q, s, a), y)
        step(self.critic_adam, loss)
        self.follow(self.targets, self.critics)


CASES: dict[str, tuple[type[Textbook], NeuralSettings]] = {
    "VAC": (VAC, VACSettings(num_samples=5)),
    "VAC, no baseline": (VAC, VACSettings(num_samples=2)),
    "VAC, Gaussian": (VAC, VACSettings(policy_type="Gaussian", num_samples=3)),
    "VACDiscrete": (VACDiscrete, VACDiscreteSettings()),
    "GreedyAC": (GreedyAC, GreedyACSettings(n_rho=(7, 0.3))),
    "GreedyAC, Gaussian": (GreedyAC, GreedyACSettings(policy_type="Gaussian", n_rho=(5, 0.4))),
    "GreedyAC, entropy from all": (
        GreedyAC,
        GreedyACSettings(n_rho=(5, 0.1), entropy_from_single_sample=False),
    ),
    "GreedyACDiscrete": (GreedyACDiscrete, GreedyACDiscreteSettings()),
    "FKL": (FKL, FKLSettings(num_samples=6)),
    "FKL, Gaussian": (FKL, FKLSettings(policy_type="Gaussian", num_samples=4)),
    "TD3": (TD3, TD3Settings()),
    "TD3, every third": (TD3, TD3Settings(policy_delay=3)),
    "DQN": (DQN, DQNSettings()),
    "DQN, squared": (DQN, DQNSettings(huber_loss=False)),
    "DQN, not double": (DQN, DQNSettings(double_q=False)),
    "DQN, neither": (DQN, DQNSettings(double_q=False, huber_loss=False)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("each_arithmetic")
def test_updates_are_the_textbooks(case: str) -> None:
    kind, settings = CASES[case]
    assert_updates_are(kind, settings)
