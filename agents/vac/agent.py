"""Vanilla actor-critic with replay (Neumann et al. 2023, the baseline beside Greedy AC).

One critic without entropy, in the manner of Sarsa; c = 0 on termination, Q_T the target network:

    y   = r + γ c Q_T(s', a'),   a' ~ π(·|s')
    L_Q = mean (Q(s, a) - y)²
    L_π = -mean [ln π(ã|s) sg(Q(s, ã) - b) - α ln π(â|s) sg(ln π(â|s))],   ã, â ~ π(·|s)

where b is the mean of Q at fresh actions. The last term's gradient is that of -α H(π), since
∇ E[ln π] = E[ln π ∇ ln π]. The target network follows after the policy's step.

For discrete actions expectations are exact sums:

    y   = r + γ c Σ_a π(a|s') Q_T(s', a)
    L_π = -mean Σ_a π(a|s) sg(Q(s, a) - α ln π(a|s))
"""

from __future__ import annotations

import torch
from torch import Tensor

from agents.neural.actions import DiscreteActions, VectorActions
from agents.neural.actor_critic import ActorCritic
from agents.neural.group import LearnerGroup
from agents.neural.learner import Setup
from agents.neural.replay import Batch


class ContinuousLearner(ActorCritic):
    """Settings are `VACSettings`."""

    def __init__(self, setup: Setup) -> None:
        actions = VectorActions(setup)
        super().__init__(setup, actions, critics=1)
        self._policy, B = actions.policy, setup.static.batch_size
        self._alpha = setup.column("alpha")
        self._others = setup.static.num_samples - 1 if setup.static.num_samples > 2 else 0
        self._scored = self._critics.input(B, self._width, actions.read)
        self._compared = self._critics.input(B * self._others, self._width, actions.read)

    def improve(self, batch: Batch, h: Tensor) -> None:
        B = batch.rewards.shape[1]
        h, h_next = h[:, :B], h[:, B:]
        next_actions = self._policy.draw(h_next, self._noise)
        self.regress_critics(batch, self.bootstrap(batch, self.target_values(batch, next_actions)))

        # ã of all states, then â of all states
        drawn, log_prob, backward = self._policy.scored(torch.cat((h, h), 1), self._noise)
        advantage = self.values(self._scored, batch.states, drawn[:, :B], 1)
        if self._others:
            advantage -= self._baseline(batch.states, h)
        weight = torch.cat((-advantage, self._alpha * log_prob[:, B:]), 1)
        d_h = backward(weight / B)
        self._actor.descend(d_h[:, :B] + d_h[:, B:])
        torch.mean(log_prob[:, B:], 1, keepdim=True, out=self.log_prob)
        loss = (weight * log_prob).sum(1, keepdim=True) / B
        self.actor_loss.copy_(loss)
        self.follow_critics()

    def _baseline(self, states: Tensor, h: Tensor) -> Tensor:
        """b [M, B]."""
        M, B, N = *h.shape[:2], self._others
        actions = self._policy.draw(h.repeat_interleave(N, 1), self._noise)
        return self.values(self._compared, states, actions, N).view(M, B, N).mean(2)


class DiscreteLearner(ActorCritic):
    """Settings are `VACDiscreteSettings`; actions are numbered from 0."""

    def __init__(self, setup: Setup) -> None:
        actions = DiscreteActions(setup, agent="VACDiscrete")
        super().__init__(setup, actions, critics=1)
        self._policy = actions.policy
        self._alpha = setup.column("alpha").unsqueeze(-1)

    def improve(self, batch: Batch, h: Tensor) -> None:
        B = batch.rewards.shape[1]
        p, log_p, backward = self._policy.expected(h)
        x = self._critic_input
        x.set(batch.next_states)
        q = self._critics.target_values(x)[:, 0]
        y = self.bootstrap(batch, (p[:, B:] * q).sum(-1))
        x.set(batch.states)
        self._critics.regress(x, y, taken=batch.actions[..., 0].long())

        p, log_p = p[:, :B], log_p[:, :B]
        weights = torch.zeros_like(h)
        weights[:, :B] = self._alpha * log_p - self._critics.values(x)[:, 0]
        self._actor.descend(backward(weights / B)[:, :B])
        torch.mean((p * log_p).sum(-1), 1, keepdim=True, out=self.log_prob)
        self.actor_loss.copy_((p * weights[:, :B]).sum(-1).mean(1, keepdim=True))
        self.follow_critics()


class VAC(LearnerGroup):
    """For vector actions."""

    learner = ContinuousLearner


class VACDiscrete(LearnerGroup):
    """For discrete actions."""

    learner = DiscreteLearner
