"""A policy network and its critics: what all actor-critics with replay have in common.

For members that all step together. What a subclass does with a batch is its `improve`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.neural.actions import Actions
from agents.neural.actor import Actor
from agents.neural.critics import CriticInput, Critics
from agents.neural.learner import Learner, Setup
from agents.neural.parameters import Shape
from agents.neural.replay import Batch


class ActorCritic(Learner):
    """K critics, their targets, and a policy that acts.

    Attributes:
        actor_loss: [M, 1] of the last update.
        log_prob: [M, 1] mean of ln π(a|s) in the last update.
    """

    def __init__(self, setup: Setup, actions: Actions, *, critics: int) -> None:
        """`critics` is K."""
        super().__init__(setup, stored_action=actions.stored)
        M, B = len(setup.settings), setup.static.batch_size
        self._actions = actions
        self._actor = build_actor(setup, actions.heads)
        self._critics = build_critics(setup, actions.read, actions.valued, critics)
        # a state and its successor go through the policy in one pass
        self._states = torch.zeros(M, 2 * B, self._width, dtype=setup.dtype, device=setup.device)
        self._state_half, self._next_half = self._states[:, :B], self._states[:, B:]
        self._critic_input = self._critics.input(B, self._width, actions.read)
        self._target_input = self._critics.input(B, self._width, actions.read)
        self.actor_loss = torch.zeros(M, 1, dtype=setup.dtype, device=setup.device)
        self.log_prob = torch.zeros_like(self.actor_loss)

    def choose(self, states: Tensor, *, explore: bool) -> Tensor:
        h = self._actor.forward(states)[:, :1]
        action = self._actions.draw(h, self._acting_noise) if explore else self._actions.mode(h)
        return action[:, 0]

    def uniform_action(self) -> Tensor:
        return self._actions.uniform(self._acting_noise)

    def learn(self, batch: Batch) -> None:
        self._state_half.copy_(batch.states)
        self._next_half.copy_(batch.next_states)
        self.improve(batch, self._actor.forward(self._states))

    @abstractmethod
    def improve(self, batch: Batch, h: Tensor) -> None:
        """One gradient step.

        Args:
            batch: B transitions.
            h: [M, 2B, H] the policy network's outputs for states, then for next states.
        """

    def bootstrap(self, batch: Batch, next_values: Tensor) -> Tensor:
        """y = r + γ c v of values v [M, B] of the next states; c = 0 on termination."""
        return torch.addcmul(batch.rewards, next_values, self._gamma * batch.continues)

    def follow_critics(self) -> None:
        """The targets' step, when due."""
        if self.updates % self._static.target_update_interval == 0:
            self._critics.follow()

    # -- continuous actions

    def target_values(self, batch: Batch, next_actions: Tensor) -> Tensor:
        """min_k Q_k(s', a') [M, B] of the target networks."""
        self._target_input.set(batch.next_states, next_actions)
        return self._critics.target_values(self._target_input).amin(1).squeeze(-1)

    def regress_critics(self, batch: Batch, y: Tensor) -> None:
        """The critics' step towards y [M, B] at the actions taken."""
        self._critic_input.set(batch.states, batch.actions)
        self._critics.regress(self._critic_input, y)

    def values(self, x: CriticInput, states: Tensor, actions: Tensor, repeats: int) -> Tensor:
        """min_k Q_k [M, B R] of R actions at each state, side by side in `actions`."""
        x.set(states.repeat_interleave(repeats, 1) if repeats > 1 else states, actions)
        return self._critics.values(x).amin(1).squeeze(-1)

    # -- leaving and coming back

    def losses(self) -> dict[str, np.ndarray]:
        return {
            "the critic loss": self._critics.loss.cpu().numpy(),
            "the actor loss": self.actor_loss[:, 0].cpu().numpy(),
        }

    def parts(self) -> dict[str, Any]:
        return {"actor": self._actor, "critics": self._critics, **super().parts()}

    def shown(self) -> dict[str, Tensor]:
        return {"actor_loss": self.actor_loss, "log_prob": self.log_prob}

    def metrics(self, slot: int) -> dict[str, float]:
        if not self.updates:
            return {}
        return {
            "critic_loss": float(self._critics.loss[slot]),
            "actor_loss": float(self.actor_loss[slot]),
            "entropy": -float(self.log_prob[slot]),
        }


def build_actor(
    setup: Setup, heads: tuple[int, ...], *, name: str = "actor", tau: Tensor | None = None
) -> Actor:
    """A network of states with these linear heads."""
    return Actor(
        Shape(setup.encoder.width, setup.hidden, heads, setup.encoder.trunk),
        setup.static.activation,
        setup.static.weight_init,
        setup.adam(lambda one: one.actor_step_size),
        setup.weights,
        tau=tau,
        name=name,
        device=setup.device,
        dtype=setup.dtype,
    )


def build_critics(setup: Setup, read: int, valued: int, copies: int) -> Critics:
    """Networks of states and `read` numbers of an action, with `valued` outputs."""
    return Critics(
        Shape(setup.encoder.width + read, setup.hidden, (valued,), setup.encoder.trunk),
        setup.static.activation,
        setup.static.weight_init,
        copies,
        setup.adam(lambda one: one.critic_lr),
        setup.column("tau"),
        setup.weights,
        device=setup.device,
        dtype=setup.dtype,
    )
