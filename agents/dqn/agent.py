"""Deep Q-networks (Mnih et al. 2015), double as an option (van Hasselt et al. 2016).

With Q_T the target network and c = 0 on termination:

    y = r + γ c max_a Q_T(s', a)                 or, double,   r + γ c Q_T(s', argmax_a Q(s', a))
    L = mean ℓ(Q(s, a) - y),   ℓ(e) = e², or of Huber: min(|e|, 1) (2 |e| - min(|e|, 1))

Actions are greedy but for a probability ε, which falls linearly with the timesteps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.neural.actions import number_of_actions, uniform_among
from agents.neural.actor_critic import build_critics
from agents.neural.group import LearnerGroup
from agents.neural.learner import Learner, Setup
from agents.neural.replay import Batch


class ValueLearner(Learner):
    """Settings are `DQNSettings`; actions are numbered from 0."""

    def __init__(self, setup: Setup) -> None:
        static = setup.static
        self._actions = number_of_actions(setup.action_space, agent="DQN")
        super().__init__(setup, stored_action=1)
        self._critics = build_critics(setup, 0, self._actions, 1)
        self._acting_input = self._critics.input(2, self._width, 0)
        self._critic_input = self._critics.input(static.batch_size, self._width, 0)
        self._double, self._huber = static.double_q, static.huber_loss
        self._epsilon, self._least, self._falling = (
            setup.column(name) for name in ("epsilon", "epsilon_min", "epsilon_steps")
        )
        self.mean_value = torch.zeros_like(self._epsilon)

    # -- acting

    def choose(self, states: Tensor, *, explore: bool) -> Tensor:
        self._acting_input.set(states)
        greedy = self._critics.values(self._acting_input)[:, 0, 0].argmax(-1)
        if not explore:
            return greedy
        exploring = self._acting_noise.uniform(1, 2)[:, 0, :1] < self.epsilon()
        anything = uniform_among(self._actions, self._acting_noise)
        return torch.where(exploring[:, 0], anything, greedy)

    def epsilon(self) -> Tensor:
        """ε [M, 1] of this timestep."""
        share = (self.steps / self._falling).clamp_(max=1)
        return self._epsilon + share * (self._least - self._epsilon)

    def uniform_action(self) -> Tensor:
        return uniform_among(self._actions, self._acting_noise)

    # -- learning

    def learn(self, batch: Batch) -> None:
        x = self._critic_input
        x.set(batch.next_states)
        target = self._critics.target_values(x)[:, 0]
        if self._double:
            best = self._critics.values(x)[:, 0].argmax(-1, keepdim=True)
            value = target.gather(-1, best).squeeze(-1)
        else:
            value = target.amax(-1)
        y = torch.addcmul(batch.rewards, value, self._gamma * batch.continues)
        x.set(batch.states)
        self._critics.regress(x, y, taken=batch.actions[..., 0].long(), huber=self._huber)
        if self.updates % self._static.target_update_interval == 0:
            self._critics.follow()
        torch.mean(y, 1, keepdim=True, out=self.mean_value)

    # -- leaving and coming back

    def losses(self) -> dict[str, np.ndarray]:
        return {"the loss": self._critics.loss.cpu().numpy()}

    def parts(self) -> dict[str, Any]:
        return {"critics": self._critics, **super().parts()}

    def shown(self) -> dict[str, Tensor]:
        return {"mean_value": self.mean_value}

    def metrics(self, slot: int) -> dict[str, float]:
        if not self.updates:
            return {}
        return {
            "loss": float(self._critics.loss[slot]),
            "mean_value": float(self.mean_value[slot]),
            "epsilon": float(self.epsilon()[slot]),
        }


class DQN(LearnerGroup):
    """For discrete actions."""

    learner = ValueLearner
