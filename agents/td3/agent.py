"""Twin delayed DDPG (Fujimoto et al. 2018, "Addressing Function Approximation Error in Actor-Critic
Methods"), algorithm 1.

A deterministic policy μ, two critics, targets of all three; c = 0 on termination:

    ã   = clip(μ_T(s') + clip(ε, -c̃, c̃)),   ε ~ N(0, σ̃²)
    y   = r + γ c min_k Q_Tk(s', ã)
    L_Q = Σ_k mean (Q_k(s, a) - y)²
    L_μ = -mean Q_1(s, μ(s))                    and the targets' step, every policy_delay updates

μ(s) = tanh(h) in the units of half the action's range, and so is the noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.neural.actions import uniform_in
from agents.neural.actor_critic import build_actor, build_critics
from agents.neural.group import LearnerGroup
from agents.neural.learner import Learner, Setup
from agents.neural.policies.base import ActionBox
from agents.neural.replay import Batch


class DeterministicLearner(Learner):
    """Settings are `TD3Settings`."""

    def __init__(self, setup: Setup) -> None:
        self._box = ActionBox.of(setup.action_space, dtype=setup.dtype, device=setup.device)
        A, B = self._box.dimensions, setup.static.batch_size
        super().__init__(setup, stored_action=A)
        self._delay = setup.static.policy_delay
        self._exploration, self._smoothing, self._most = (
            setup.column(name).unsqueeze(-1)
            for name in ("exploration_noise", "target_noise", "target_noise_clip")
        )
        self._actor = build_actor(setup, (A,), tau=setup.column("tau"))
        self._critics = build_critics(setup, A, 1, 2)
        self._critic_input = self._critics.input(B, self._width, A)
        self._d_q = torch.zeros_like(self._critic_input.states[..., :1])
        self._d_q[:, 0] = -1 / B
        self.actor_loss = self._d_q.new_zeros(len(setup.settings), 1)

    # -- acting

    def choose(self, states: Tensor, *, explore: bool) -> Tensor:
        y = torch.tanh(self._actor.forward(states)[:, :1])
        if explore:
            y = y + self._exploration * self._acting_noise.normal(1, self._box.dimensions)
        return self._scaled(y)[:, 0]

    def uniform_action(self) -> Tensor:
        return uniform_in(self._box, self._acting_noise)

    def _scaled(self, y: Tensor) -> Tensor:
        """The action of y in [-1, 1], cut off at the box."""
        box = self._box
        return (box.centre + box.scale * y).clamp_(box.low, box.high)

    # -- learning

    def learn(self, batch: Batch) -> None:
        x = self._critic_input
        noise = self._smoothing * self._noise.normal(*batch.actions.shape[1:])
        noise = torch.minimum(torch.maximum(noise, -self._most), self._most)
        y = torch.tanh(self._actor.target_forward(batch.next_states)) + noise
        x.set(batch.next_states, self._scaled(y))
        q = self._critics.target_values(x).amin(1).squeeze(-1)
        x.set(batch.states, batch.actions)
        self._critics.regress(x, torch.addcmul(batch.rewards, q, self._gamma * batch.continues))
        if self.updates % self._delay == 0:
            self._improve(batch)

    def _improve(self, batch: Batch) -> None:
        x, box = self._critic_input, self._box
        y = torch.tanh(self._actor.forward(batch.states))
        x.actions.copy_((box.centre + box.scale * y).unsqueeze(1))
        q = self._critics.values(x)
        d_action = self._critics.input_gradient(self._d_q)[..., self._width :]
        self._actor.descend(d_action * box.scale * (1 - y * y))
        torch.mean(q[:, 0, :, 0], 1, keepdim=True, out=self.actor_loss).neg_()
        self._critics.follow()
        self._actor.follow()

    # -- leaving and coming back

    def losses(self) -> dict[str, np.ndarray]:
        return {
            "the critic loss": self._critics.loss.cpu().numpy(),
            "the actor loss": self.actor_loss[:, 0].cpu().numpy(),
        }

    def parts(self) -> dict[str, Any]:
        return {"actor": self._actor, "critics": self._critics, **super().parts()}

    def shown(self) -> dict[str, Tensor]:
        return {"actor_loss": self.actor_loss}

    def metrics(self, slot: int) -> dict[str, float]:
        if not self.updates:
            return {}
        return {
            "critic_loss": float(self._critics.loss[slot]),
            "actor_loss": float(self.actor_loss[slot]),
        }


class TD3(LearnerGroup):
    """For vector actions."""

    learner = DeterministicLearner
