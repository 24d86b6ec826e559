"""What both soft actor-critics share: acting, replay, and the order of an update.

For members that all step together. One gradient step of everything each timestep:

    critics -> targets -> policy -> temperature
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.neural.actor import Actor
from agents.neural.adam import AdamSettings
from agents.neural.critics import Critics
from agents.neural.noise import Noise
from agents.neural.observations import Encoder
from agents.neural.parameters import Shape
from agents.neural.replay import Batch, Replay
from agents.neural.temperature import Temperature
from agents.soft_actor_critic.settings import SoftSettings


class Streams(NamedTuple):
    """A member's random streams."""

    weights: np.random.Generator
    acting: np.random.Generator
    updates: np.random.Generator
    replay: np.random.Generator


class Widths(NamedTuple):
    """Sizes that follow from the action space.

    Attributes:
        stored: numbers of an action in replay.
        critic_input: how many of them a critic reads beside the state.
        critic_output: values that a critic gives for a state.
        heads: widths of the policy network's linear heads.
    """

    stored: int
    critic_input: int
    critic_output: int
    heads: tuple[int, ...]


class Learner(ABC):
    """Members in lockstep. A subclass knows the actions and the losses.

    Attributes:
        steps: timesteps observed.
        actor_loss: [M, 1] of the last update.
        log_prob: [M, 1] mean of ln π(a|s) in the last update.
    """

    def __init__(
        self,
        settings: Sequence[SoftSettings],
        encoder: Encoder,
        widths: Widths,
        target_entropy: Sequence[float],
        streams: Sequence[Streams],
        *,
        gamma: float,
        device: str,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.settings, self._static = settings, settings[0]
        static, M = self._static, len(settings)
        self._device, self._dtype = device, dtype
        self._encoder, self._width = encoder, encoder.width
        weights = [one.weights for one in streams]
        hidden = (static.hidden_dim,) * static.num_hidden
        self._actor = Actor(
            Shape(self._width, hidden, widths.heads, encoder.trunk),
            static.activation,
            static.weight_init,
            [AdamSettings(one.actor_step_size, one.betas, one.adam_eps) for one in settings],
            weights,
            device=device,
            dtype=dtype,
        )
        self._critics = Critics(
            Shape(
                self._width + widths.critic_input, hidden, (widths.critic_output,), encoder.trunk
            ),
            static.activation,
            static.weight_init,
            2 if static.double_q else 1,
            [AdamSettings(one.critic_lr, one.betas, one.adam_eps) for one in settings],
            self._column([one.tau for one in settings]),
            weights,
            device=device,
            dtype=dtype,
        )
        self._temperature = Temperature(
            self._column([one.alpha for one in settings]),
            self._column(target_entropy),
            [AdamSettings(one.alpha_lr, one.betas, one.adam_eps) for one in settings]
            if static.automatic_entropy_tuning
            else None,
        )
        self._soft = self._column([float(one.soft_q) for one in settings])
        self._entropy_weight = self._soft * self._temperature.alpha  # of the critics' targets
        self._gamma = torch.tensor(gamma, dtype=dtype, device=device)
        self._acting_noise = Noise([one.acting for one in streams], device, dtype)
        self._noise = Noise([one.updates for one in streams], device, dtype)
        self._replay = Replay(
            static.replay_capacity,
            self._width,
            widths.stored,
            static.batch_size,
            [one.replay for one in streams],
            byte_scale=encoder.byte_scale,
            device=device,
            dtype=dtype,
        )
        B = static.batch_size
        # a state and its successor go through the policy in one pass
        self._states = torch.zeros(M, 2 * B, self._width, dtype=dtype, device=device)
        self._state_half, self._next_half = self._states[:, :B], self._states[:, B:]
        self._critic_input = self._critics.input(B, self._width, widths.critic_input)
        self._target_input = self._critics.input(B, self._width, widths.critic_input)
        # acting on two equal rows: a single one would take other routines of matrix products
        self._seen = np.zeros((M, 2, self._width), dtype=self._states.cpu().numpy().dtype)
        self._seen_tensor = torch.from_numpy(self._seen)

        self.steps = self.updates = 0
        self.actor_loss = torch.zeros(M, 1, dtype=dtype, device=device)
        self.log_prob = torch.zeros(M, 1, dtype=dtype, device=device)
        self.last_batch: Batch | None = None

    # -- acting

    @torch.no_grad()
    def act(self, observations: np.ndarray, *, explore: bool) -> np.ndarray:
        """Actions of all members, as replay stores them: [M, A] or int64 [M]."""
        if explore and self.steps < self._static.uniform_exploration_steps:
            return self.uniform_action().cpu().numpy()
        self._seen[:] = self._encoder.read(observations)[:, None]
        h = self._actor.forward(self._seen_tensor.to(self._device))[:, :1]
        action = self.draw(h) if explore else self.mode(h)
        return action[:, 0].cpu().numpy()

    @abstractmethod
    def draw(self, h: Tensor) -> Tensor:
        """a ~ π(·|s), [M, 1, ...]."""

    @abstractmethod
    def mode(self, h: Tensor) -> Tensor:
        """The action of evaluation, [M, 1, ...]."""

    @abstractmethod
    def uniform_action(self) -> Tensor:
        """Uniformly random actions [M, ...]."""

    # -- learning

    def store(
        self,
        observations: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        next_observations: np.ndarray,
        terminated: np.ndarray,
    ) -> None:
        """Takes in one step of each member."""
        self._replay.add(
            self._encoder.stored(observations),
            actions.reshape(len(actions), -1),
            rewards,
            self._encoder.stored(next_observations),
            terminated,
        )
        self.steps += 1

    @property
    def update_is_due(self) -> bool:
        """Whether there is enough to learn from."""
        return self.steps >= max(self._static.steps_before_learning, self._static.batch_size)

    @torch.no_grad()
    def update(self) -> None:
        """One gradient step of everything."""
        batch = self._replay.sample()
        self._state_half.copy_(batch.states)
        self._next_half.copy_(batch.next_states)
        self.last_batch = batch
        self.updates += 1
        self.learn(batch, self._actor.forward(self._states))

    def losses(self) -> dict[str, np.ndarray]:
        """What was minimised in the last update, [M] each, by name."""
        return {
            "the critic loss": self._critics.loss.cpu().numpy(),
            "the actor loss": self.actor_loss[:, 0].cpu().numpy(),
        }

    @abstractmethod
    def learn(self, batch: Batch, h: Tensor) -> None:
        """Critics, targets (`follow_critics`), policy, temperature.

        Args:
            batch: B transitions.
            h: [M, 2B, H] the policy network's outputs for states, then for next states.
        """

    def bootstrap(self, batch: Batch, value: Tensor, log_prob: Tensor) -> Tensor:
        """y = r + γ c (Q(s', a') - α ln π(a'|s')), without the entropy where not soft_q.

        For a sum over actions, pass both as their expectations.
        """
        if self._temperature.tuned:
            torch.mul(self._soft, self._temperature.alpha, out=self._entropy_weight)
        value = torch.addcmul(value, self._entropy_weight, log_prob, value=-1)
        return torch.addcmul(batch.rewards, value, self._gamma * batch.continues)

    def follow_critics(self) -> None:
        """The targets' step, when due."""
        if self.updates % self._static.target_update_interval == 0:
            self._critics.follow()

    def _column(self, numbers: Sequence[float]) -> Tensor:
        return torch.tensor(numbers, dtype=self._dtype, device=self._device).unsqueeze(-1)

    # -- leaving and coming back

    def state_dict(self, slot: int) -> dict[str, Any]:
        """A member's everything."""
        return {
            "steps": self.steps,
            "updates": self.updates,
            "actor_loss": float(self.actor_loss[slot]),
            "log_prob": float(self.log_prob[slot]),
            **{name: part.state_dict(slot) for name, part in self._parts().items()},
        }

    def load_state_dict(self, slot: int, state: dict[str, Any]) -> None:
        """Continues a member's. All members must be at the same step."""
        self.steps, self.updates = state["steps"], state["updates"]
        self.actor_loss[slot] = state["actor_loss"]
        self.log_prob[slot] = state["log_prob"]
        for name, part in self._parts().items():
            part.load_state_dict(slot, state[name])

    def _parts(self) -> dict[str, Any]:
        return {
            "actor": self._actor,
            "critics": self._critics,
            "temperature": self._temperature,
            "replay": self._replay,
            "acting_noise": self._acting_noise,
            "noise": self._noise,
        }

    def metrics(self, slot: int) -> dict[str, float]:
        """Of the last update; empty before the first."""
        if not self.updates:
            return {}
        return {
            "critic_loss": float(self._critics.loss[slot]),
            "actor_loss": float(self.actor_loss[slot]),
            "entropy": -float(self.log_prob[slot]),
            "alpha": float(self._temperature.alpha[slot]),
        }

    def learned_params(self, slot: int) -> dict[str, np.ndarray]:
        """A member's arrays by name."""
        return {
            **self._actor.learned_params(slot),
            **self._critics.learned_params(slot),
            **self._temperature.learned_params(slot),
        }
