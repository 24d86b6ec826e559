"""Greedy actor-critic (Neumann et al. 2023, "Greedy Actor-Critic: A New Conditional Cross-Entropy
Method for Policy Improvement").

Two policies: π acts, the proposal π̃ looks around for it, kept broad by its entropy. Of N actions
a_i ~ π̃(·|s), the ρ N of highest value, A*, are made more probable in both:

    y    = r + γ c Q_T(s', a'),   a' ~ π(·|s')
    L_Q  = mean (Q(s, a) - y)²
    L_π  = -mean_s mean_{a ∈ A*} ln π(a|s)
    L_π̃  = -mean_s [mean_{a ∈ A*} ln π̃(a|s) - α ln π̃(â|s) sg(ln π̃(â|s))]

with â one of the a_i (or the mean over all of them). The last term's gradient is that of
-α H(π̃), since ∇ E[ln π̃] = E[ln π̃ ∇ ln π̃]. π̃ begins as a copy of π.

Discrete actions need no proposal: all are looked at, and the best is imitated.

    y    = r + γ c Σ_a π(a|s') Q_T(s', a)
    L_π  = -mean ln π(argmax_a Q(s, a) | s)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agents.neural.actions import DiscreteActions, VectorActions
from agents.neural.actor_critic import ActorCritic, build_actor
from agents.neural.group import LearnerGroup
from agents.neural.learner import Setup
from agents.neural.replay import Batch


class ContinuousLearner(ActorCritic):
    """Settings are `GreedyACSettings`."""

    def __init__(self, setup: Setup) -> None:
        actions = VectorActions(setup)
        super().__init__(setup, actions, critics=1)
        static = setup.static
        self._policy, B = actions.policy, static.batch_size
        self._alpha = setup.column("alpha")
        self._samples, self._kept = static.n_rho[0], static.kept
        self._scoring = 1 if static.entropy_from_single_sample else self._samples
        self._proposal = build_actor(setup, actions.heads, name="proposal")
        self._proposal.copy(self._actor)
        self._sampled = self._critics.input(B * self._samples, self._width, actions.read)

    def improve(self, batch: Batch, h: Tensor) -> None:
        B, N, kept = batch.rewards.shape[1], self._samples, self._kept
        next_actions = self._policy.draw(h[:, B:], self._noise)
        self.regress_critics(batch, self.bootstrap(batch, self.target_values(batch, next_actions)))
        self.follow_critics()

        proposed = self._proposal.forward(batch.states).repeat_interleave(N, 1)
        actions, log_prob, backward = self._policy.scored(proposed, self._noise)
        M, A = len(actions), actions.shape[-1]
        q = self.values(self._sampled, batch.states, actions, N).view(M, B, N)
        best = q.topk(kept, -1, sorted=False).indices

        chosen = actions.view(M, B, N, A).gather(2, best.unsqueeze(-1).expand(M, B, kept, A))
        imitated = h[:, :B].repeat_interleave(kept, 1)
        fit, imitate = self._policy.likelihood(imitated, chosen.view(M, B * kept, A))
        d_h = imitate(torch.full_like(fit, -1 / (B * kept)))
        self._actor.descend(d_h.view(M, B, kept, -1).sum(2))

        log_prob = log_prob.view(M, B, N)
        weights = torch.zeros_like(log_prob).scatter_(-1, best, -1 / (B * kept))
        scored = log_prob[..., : self._scoring]
        weights[..., : self._scoring] += self._alpha.unsqueeze(-1) * scored / (B * self._scoring)
        d_h = backward(weights.view(M, B * N))
        self._proposal.descend(d_h.view(M, B, N, -1).sum(2))

        torch.mean(log_prob.view(M, B * N), 1, keepdim=True, out=self.log_prob)
        self.actor_loss.copy_(-fit.mean(1, keepdim=True))

    def parts(self) -> dict[str, Any]:
        return {**super().parts(), "proposal": self._proposal}

    def metrics(self, slot: int) -> dict[str, float]:
        shown = super().metrics(slot)
        if shown:
            shown["proposal_entropy"] = shown.pop("entropy")
        return shown


class DiscreteLearner(ActorCritic):
    """Settings are `GreedyACDiscreteSettings`; actions are numbered from 0."""

    def __init__(self, setup: Setup) -> None:
        actions = DiscreteActions(setup, agent="GreedyACDiscrete")
        super().__init__(setup, actions, critics=1)
        self._policy = actions.policy

    def improve(self, batch: Batch, h: Tensor) -> None:
        B = batch.rewards.shape[1]
        p, log_p, _ = self._policy.expected(h)
        x = self._critic_input
        x.set(batch.next_states)
        y = self.bootstrap(batch, (p[:, B:] * self._critics.target_values(x)[:, 0]).sum(-1))
        x.set(batch.states)
        self._critics.regress(x, y, taken=batch.actions[..., 0].long())
        self.follow_critics()

        best = self._critics.values(x)[:, 0].argmax(-1)
        fit, imitate = self._policy.likelihood(h[:, :B], best)
        self._actor.descend(imitate(torch.full_like(fit, -1 / B)))
        torch.mean((p * log_p)[:, :B].sum(-1), 1, keepdim=True, out=self.log_prob)
        self.actor_loss.copy_(-fit.mean(1, keepdim=True))


class GreedyAC(LearnerGroup):
    """For vector actions."""

    learner = ContinuousLearner


class GreedyACDiscrete(LearnerGroup):
    """For discrete actions."""

    learner = DiscreteLearner
