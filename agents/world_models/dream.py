"""The environment that a sequence model is: rollouts of latents that it makes up itself.

Members of a dream step together, and each has random numbers of its own, which depend on its seed
and the step alone. So the same seed is the same luck, for every candidate of a population and
in a batch of any size; what differs between batches is the rounding of matrix products.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.world_models.dreaming import CompiledDreamer, Dreamer, Luck, TorchDreamer
from agents.world_models.sequence.interface import SequenceModel
from agents.world_models.sequence.model import LearnedModel


class DreamStep(NamedTuple):
    """Of B members; once a member is over, its rewards are 0 and its latents stand still.

    Attributes:
        latents: [B, D] float32, z_{t+1}.
        rewards: [B] float32.
        terminated: [B] bool, the model said that the episode is over, now or earlier.
        truncated: [B] bool, `max_steps` were taken, and it is not terminated.
    """

    latents: Tensor
    rewards: Tensor
    terminated: Tensor
    truncated: Tensor


class Dream:
    """A batched environment in a sequence model, without gradients.

    Attributes:
        latents: [B, D] where members are.
        features: [B, F] what the model remembers of each, which a controller sees beside z;
            overwritten by `step`.
        device: where all of this is.
    """

    latents: Tensor
    features: Tensor

    def __init__(
        self,
        model: SequenceModel,
        *,
        temperature: float = 1.0,
        max_steps: int = 1000,
        reward: Literal["model", "survival"] = "model",
        ends: Literal["sampled", "likely", "never"] = "sampled",
        compiled: bool | None = None,
    ) -> None:
        """
        Args:
            model: on the processor, weights are copied now; elsewhere it is used where it is.
            temperature: of samples; 0 is the likeliest.
            max_steps: after which members are truncated.
            reward: the model's, or 1 for each step, the one that ends included.
            ends: drawn with the predicted probability; where it is above one half; or not at all.
            compiled: by numpy and compiled loops; None: if the model is on the processor.

        Raises:
            ValueError: the model predicts nothing, or no reward or end where these are asked for.
        """
        if not isinstance(model, LearnedModel):
            raise ValueError("there is no dream in sequence_model null: it predicts nothing")
        if reward == "model" and model.reward_head is None:
            raise ValueError("the sequence model predicts no rewards: set sequence_reward")
        if ends != "never" and model.end_head is None:
            raise ValueError("the sequence model predicts no ends: set sequence_end")
        if temperature < 0:
            raise ValueError(f"temperature must be at least 0, not {temperature}")
        self.device = model.shift.device
        self.max_steps, self._survival, self._ends = max_steps, reward == "survival", ends
        self._latent_size = model.latent_size
        if compiled is None:
            compiled = self.device.type == "cpu"
        self._dreamer: Dreamer
        if compiled:
            self._dreamer = CompiledDreamer(model, temperature)
        else:
            self._dreamer = TorchDreamer(model, temperature)

    def reset(self, latents: NDArray[np.float32] | Tensor, seeds: NDArray[np.int64]) -> None:
        """B members start in these latents [B, D], of real rollouts, with seeds [B]."""
        self.latents = torch.as_tensor(latents, dtype=torch.float32, device=self.device).clone()
        batch = len(self.latents)
        self._luck = Luck(seeds, self._latent_size)
        self._dreamer.begin(batch)
        self.features = self._dreamer.features()
        self._over = torch.zeros(batch, dtype=torch.bool, device=self.device)
        self.steps = 0

    @torch.no_grad()
    def step(self, actions: NDArray[np.float32] | Tensor) -> DreamStep:
        """Members do coded actions [B, A]. Those that are over do nothing."""
        done = torch.as_tensor(actions, dtype=torch.float32, device=self.device)
        noise = self._luck.of(self.steps)
        if self._ends == "likely":
            noise = noise._replace(end=torch.full_like(noise.end, 0.5))
        latents, rewards, ended = self._dreamer.step(self.latents, done, noise)
        before = self._over
        if self._ends != "never":
            self._over = before | ended
        if self._survival:
            rewards = torch.ones_like(rewards)
        if self._ends != "never":
            rewards = rewards.masked_fill(before, 0.0)
            latents = torch.where(before.unsqueeze(1), self.latents, latents)
        self.latents, self.features = latents, self._dreamer.features()
        self.steps += 1
        truncated = torch.logical_not(self._over) & (self.steps >= self.max_steps)
        return DreamStep(latents, rewards, self._over, truncated)
