"""Soft actor-critic for discrete actions (Christodoulou 2019): expectations are exact sums.

With π the softmax policy, Q(s, ·) = min_k Q_k(s, ·), T its target networks:

    y    = r + γ c Σ_a π(a|s') (Q_T(s', a) - α ln π(a|s'))
    L_Q  = Σ_k mean (Q_k(s, a) - y)²
    L_π  = mean Σ_a π(a|s) (α ln π(a|s) - sg Q(s, a))
    L_α  = -ln α sg[mean Σ_a π(a|s) ln π(a|s) + H̄]
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from agents.neural.actions import DiscreteActions
from agents.neural.actor_critic import ActorCritic
from agents.neural.learner import Setup
from agents.neural.replay import Batch
from agents.soft_actor_critic.entropy import Entropy

_ENTROPY_SHARE = 0.98  # of the uniform policy's, as in the paper


class DiscreteLearner(ActorCritic):
    """See the module's text. Settings are `SACDiscreteSettings`; actions are numbered from 0."""

    def __init__(self, setup: Setup) -> None:
        actions = DiscreteActions(setup, agent="SACDiscrete")
        super().__init__(setup, actions, critics=2 if setup.static.double_q else 1)
        self._policy = actions.policy
        self._entropy = Entropy(setup, default_target=_ENTROPY_SHARE * math.log(actions.valued))

    def improve(self, batch: Batch, h: Tensor) -> None:
        B = batch.rewards.shape[1]
        p, log_p, backward = self._policy.expected(h)

        x, alpha = self._critic_input, self._entropy.alpha
        x.set(batch.next_states)
        q = self._critics.target_values(x).amin(1)
        p_next, log_p_next = p[:, B:], log_p[:, B:]
        soft = self._entropy.softened((p_next * q).sum(-1), (p_next * log_p_next).sum(-1))
        y = self.bootstrap(batch, soft)
        x.set(batch.states)
        self._critics.regress(x, y, taken=batch.actions[..., 0].long())
        self.follow_critics()

        q = self._critics.values(x).amin(1)
        weights = torch.zeros_like(p)
        weights[:, :B] = alpha.unsqueeze(-1) * log_p[:, :B] - q
        d_h = backward(weights / B)
        self._actor.descend(d_h[:, :B])
        torch.mean((p[:, :B] * log_p[:, :B]).sum(-1), 1, keepdim=True, out=self.log_prob)
        self.actor_loss = (p[:, :B] * weights[:, :B]).sum(-1).mean(1, keepdim=True)
        self._entropy.tune(self.log_prob)

    def parts(self) -> dict[str, Any]:
        return {**super().parts(), "temperature": self._entropy}

    def metrics(self, slot: int) -> dict[str, float]:
        return self._entropy.added_to(super().metrics(slot), slot)
