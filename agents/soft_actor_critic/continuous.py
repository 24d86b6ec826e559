"""Soft actor-critic for continuous actions (Haarnoja et al. 2018, second version).

With a', ã ~ π fresh, Q = min_k Q_k, T its target networks, c = 0 on termination and else 1:

    y    = r + γ c (Q_T(s', a') - α ln π(a'|s'))
    L_Q  = Σ_k mean (Q_k(s, a) - y)²
    L_π  = mean (α ln π(ã|s) - Q(s, ã))                      ã reparameterised, or
    L_π  = mean ln π(ã|s) sg[α ln π(ã|s) - (Q(s, ã) - b)]    by likelihood, b = mean_b Q(s, a_b)
    L_α  = -ln α sg[mean ln π(ã|s) + H̄]

Or both ("mixed"): through the components of a mixture, by likelihood for their weights.
To L_π a mixture may add its repulsion. By likelihood, it may put an estimate in the place of each
ln π that is multiplied by α: see `agents.neural.policies.mixture`.

Log-probabilities are those of actions in the environment's units: with actions in ±2, entropy is
by ln 2 higher than it is for actions rescaled to ±1, and so should be a target entropy.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agents.base import AgentRefused
from agents.neural.actions import VectorActions
from agents.neural.actor_critic import ActorCritic
from agents.neural.learner import Setup
from agents.neural.policies.base import LikelihoodBackward
from agents.neural.policies.mixture import Mixture
from agents.neural.replay import Batch
from agents.soft_actor_critic.entropy import Entropy


class ContinuousLearner(ActorCritic):
    """See the module's text. Settings are `SACSettings`."""

    def __init__(self, setup: Setup) -> None:
        static, M = setup.static, len(setup.settings)
        actions = VectorActions(setup)
        super().__init__(setup, actions, critics=2 if static.double_q else 1)
        self._policy, A = actions.policy, actions.stored
        self._entropy = Entropy(setup, default_target=-float(A))
        self._by_likelihood = static.gradient is False
        self._samples, self._baseline = static.num_samples, static.baseline
        self._mixture = self._policy if isinstance(self._policy, Mixture) else None
        self._mixed = static.gradient == "mixed"
        if self._mixed and self._mixture is None:
            raise AgentRefused(f'the "mixed" gradient is of mixtures, not {static.policy_type}')
        self._faithful = self._mixed or self._mixture is None or self._mixture.faithful
        B = static.batch_size
        self._d_action = self._states.new_zeros(M, 2 * B, A)
        self._d_log_prob = self._states.new_zeros(M, 2 * B)
        # rows of next states stay 0: the policy's loss does not depend on them
        self._d_actions, self._d_log_probs = self._d_action[:, :B], self._d_log_prob[:, :B]
        self._d_log_probs.copy_(self._entropy.alpha / B)
        self._sampled = self._critics.input(B * self._samples, self._width, A)
        self._compared = self._critics.input(B * self._baseline, self._width, A)

    def improve(self, batch: Batch, h: Tensor) -> None:
        if self._by_likelihood:
            self._learn_by_likelihood(batch, h)
        else:
            self._learn_pathwise(batch, h)
        self._entropy.tune(self.log_prob)

    def _learn_pathwise(self, batch: Batch, h: Tensor) -> None:
        B, noise = batch.rewards.shape[1], self._noise
        # one draw for both: ã of the states, a' of the next states
        drawn, d_action, d_log_prob = h, self._d_action, self._d_log_prob
        if not self._faithful:  # ã is no draw of π, a' has to be
            next_actions, next_log_probs, _ = self._policy.scored(h[:, B:], noise)
            drawn, d_action, d_log_prob = h[:, :B], self._d_actions, self._d_log_probs
        if self._mixed:
            assert self._mixture is not None
            actions, log_probs, mixed_backward = self._mixture.mixed(drawn, noise)
        else:
            actions, log_probs, backward = self._policy.reparameterised(drawn, noise)
        if self._faithful:
            next_actions, next_log_probs = actions[:, B:], log_probs[:, B:]
        self._regress(batch, next_actions, next_log_probs)

        x, alpha, log_prob = self._critic_input, self._entropy.alpha, log_probs[:, :B]
        x.actions.copy_(actions[:, :B].unsqueeze(1))
        q, d_x = self._critics.lowest_gradient(self._critics.values(x), -1 / B)
        self._d_actions.copy_(d_x[..., self._width :])
        if self._entropy.tuned:
            torch.div(alpha.expand(-1, B), B, out=self._d_log_probs)
        if self._mixed:
            weight = alpha * log_prob - q
            if self._baseline > 0:
                weight += self._baseline_values(batch.states, h[:, :B]).squeeze(-1)
            losses = torch.zeros_like(log_probs)
            losses[:, :B] = weight / B
            d_h = mixed_backward(d_action, d_log_prob, losses)
        else:
            d_h = backward(d_action, d_log_prob)
        torch.mean(log_prob, 1, keepdim=True, out=self.log_prob)
        torch.addcmul(-q.mean(1, keepdim=True), alpha, self.log_prob, out=self.actor_loss)
        self._descend(h[:, :B], d_h[:, :B])

    def _learn_by_likelihood(self, batch: Batch, h: Tensor) -> None:
        B = batch.rewards.shape[1]
        h, h_next = h[:, :B], h[:, B:]
        next_actions, _, next_log_probs, _ = self._estimated(h_next)
        self._regress(batch, next_actions, next_log_probs)

        # samples of a state lie side by side: [M, B S, ...] or [M, B, S, ...]
        M, S = len(h), self._samples
        repeated = h.repeat_interleave(S, 1) if S > 1 else h
        actions, log_prob, estimate, backward = self._estimated(repeated)
        advantage = self.values(self._sampled, batch.states, actions, S)
        if self._baseline > 0:
            baseline = self._baseline_values(batch.states, h)
            advantage = (advantage.view(M, B, S) - baseline).view(M, B * S)
        weight = self._entropy.alpha * estimate - advantage
        d_h = backward(weight / (B * S))
        torch.mean(log_prob, 1, keepdim=True, out=self.log_prob)
        self.actor_loss = (weight * log_prob).mean(1, keepdim=True)
        self._descend(h, d_h.view(M, B, S, -1).sum(2) if S > 1 else d_h)

    def _estimated(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor, LikelihoodBackward]:
        """a ~ π(·|s), ln π(a|s), its estimate, and the score."""
        if self._mixture is not None and self._mixture.estimates:
            return self._mixture.estimated(h, self._noise)
        action, log_prob, backward = self._policy.scored(h, self._noise)
        return action, log_prob, log_prob, backward

    def _descend(self, h: Tensor, d_h: Tensor) -> None:
        """The policy's step, given dL/dh [M, B, H] without the repulsion."""
        if self._mixture is not None and self._mixture.repels:
            loss, d_repulsion = self._mixture.repulsion(h)
            d_h = d_h + d_repulsion / h.shape[1]
            self.actor_loss = self.actor_loss + loss.mean(1, keepdim=True)
        self._actor.descend(d_h)

    def _baseline_values(self, states: Tensor, h: Tensor) -> Tensor:
        """b [M, B, 1]: the mean value of fresh actions at each state."""
        M, B, N = *h.shape[:2], self._baseline
        actions = self._policy.draw(h.repeat_interleave(N, 1), self._noise)
        values = self.values(self._compared, states, actions, N)
        return values.view(M, B, N).mean(2, keepdim=True)

    def _regress(self, batch: Batch, next_actions: Tensor, log_probs: Tensor) -> None:
        """The critics' step, and the targets' after it."""
        values = self._entropy.softened(self.target_values(batch, next_actions), log_probs)
        self.regress_critics(batch, self.bootstrap(batch, values))
        self.follow_critics()

    def parts(self) -> dict[str, Any]:
        return {**super().parts(), "temperature": self._entropy}

    def metrics(self, slot: int) -> dict[str, float]:
        return self._entropy.added_to(super().metrics(slot), slot)
