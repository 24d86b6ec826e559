"""Actor-critic by the forward KL divergence (Chan et al. 2022, "Greedification Operators for Policy
Optimization").

The policy is fitted to the Boltzmann policy B(a|s) ∝ exp(Q(s, a) / α) by KL(B ‖ π), whose gradient
-E_B[∇ ln π] is estimated with N actions of π itself, by weighted importance sampling:

    y   = r + γ c (Q_T(s', a') - α ln π(a'|s')),   a' ~ π(·|s')        (without α ln π: not soft_q)
    L_Q = mean (Q(s, a) - y)²
    w_i = ρ_i / Σ_j ρ_j,   ρ_i = exp(Q(s, a_i) / α) / π(a_i|s),   a_i ~ π(·|s)
    L_π = -mean Σ_i sg(w_i) ln π(a_i|s)

The target network follows after the policy's step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agents.neural.actions import VectorActions
from agents.neural.actor_critic import ActorCritic
from agents.neural.group import LearnerGroup
from agents.neural.learner import Setup
from agents.neural.policies.elementary import log_sum_exp
from agents.neural.replay import Batch


class Learner(ActorCritic):
    """Settings are `FKLSettings`."""

    def __init__(self, setup: Setup) -> None:
        actions = VectorActions(setup)
        super().__init__(setup, actions, critics=1)
        self._policy, self._samples = actions.policy, setup.static.num_samples
        self._alpha = setup.column("alpha")
        self._entropy_weight = self._alpha * setup.column("soft_q")
        B = setup.static.batch_size
        self._sampled = self._critics.input(B * self._samples, self._width, actions.read)

    def improve(self, batch: Batch, h: Tensor) -> None:
        B, N = batch.rewards.shape[1], self._samples
        h, h_next = h[:, :B], h[:, B:]
        next_actions, next_log_prob, _ = self._policy.scored(h_next, self._noise)
        values = self.target_values(batch, next_actions) - self._entropy_weight * next_log_prob
        self.regress_critics(batch, self.bootstrap(batch, values))

        repeated = h.repeat_interleave(N, 1)
        actions, log_prob, backward = self._policy.scored(repeated, self._noise)
        q = self.values(self._sampled, batch.states, actions, N)
        M = len(q)
        log_ratio = (q / self._alpha - log_prob).view(M, B, N)
        weights = torch.exp(log_ratio - log_sum_exp(log_ratio, -1)).view(M, B * N)
        d_h = backward(weights / -B)
        self._actor.descend(d_h.view(M, B, N, -1).sum(2))
        torch.mean(log_prob, 1, keepdim=True, out=self.log_prob)
        self.actor_loss.copy_((weights * log_prob).sum(1, keepdim=True) / -B)
        self.follow_critics()


class FKL(LearnerGroup):
    """For vector actions."""

    learner = Learner
