"""Soft actor-critic for discrete actions (Christodoulou 2019): expectations are exact sums.

With π the softmax policy, Q(s, ·) = min_k Q_k(s, ·), T its target networks:

    y    = r + γ c Σ_a π(a|s') (Q_T(s', a) - α ln π(a|s'))
    L_Q  = Σ_k mean (Q_k(s, a) - y)²
    L_π  = mean Σ_a π(a|s) (α ln π(a|s) - sg Q(s, a))
    L_α  = -ln α sg[mean Σ_a π(a|s) ln π(a|s) + H̄]
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import gymnasium
import torch
from torch import Tensor

from agents.base import AgentRefused
from agents.neural.observations import Encoder
from agents.neural.policies.softmax import Softmax
from agents.neural.replay import Batch
from agents.soft_actor_critic.learner import Learner, Streams, Widths
from agents.soft_actor_critic.settings import SACDiscreteSettings

_ENTROPY_SHARE = 0.98  # of the uniform policy's, as in the paper


class DiscreteLearner(Learner):
    """See the module's text. Actions are numbered from 0 here."""

    def __init__(
        self,
        settings: Sequence[SACDiscreteSettings],
        encoder: Encoder,
        action_space: gymnasium.Space[object],
        streams: Sequence[Streams],
        *,
        gamma: float,
        device: str,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if not isinstance(action_space, gymnasium.spaces.Discrete):
            raise AgentRefused(f"SACDiscrete needs discrete actions, not {action_space}")
        self._actions = n = int(action_space.n)
        self._policy = Softmax(n)
        default = _ENTROPY_SHARE * math.log(n)
        super().__init__(
            settings,
            encoder,
            Widths(stored=1, critic_input=0, critic_output=n, heads=(n,)),
            [default if one.target_entropy is None else one.target_entropy for one in settings],
            streams,
            gamma=gamma,
            device=device,
            dtype=dtype,
        )

    def draw(self, h: Tensor) -> Tensor:
        return self._policy.draw(h, self._acting_noise)

    def mode(self, h: Tensor) -> Tensor:
        return self._policy.mode(h)

    def uniform_action(self) -> Tensor:
        u = self._acting_noise.uniform(1, 1)[:, 0, 0]
        return (u * self._actions).long().clamp_(max=self._actions - 1)

    def learn(self, batch: Batch, h: Tensor) -> None:
        B = batch.rewards.shape[1]
        p, log_p, backward = self._policy.expected(h)

        x, alpha = self._critic_input, self._temperature.alpha
        x.set(batch.next_states)
        q = self._critics.target_values(x).amin(1)
        p_next, log_p_next = p[:, B:], log_p[:, B:]
        y = self.bootstrap(batch, (p_next * q).sum(-1), (p_next * log_p_next).sum(-1))
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
        self._temperature.tune(self.log_prob)
