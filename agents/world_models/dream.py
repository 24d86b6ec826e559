"""The environment that a sequence model is: rollouts of latents that it makes up itself.

Members of a dream step together, and each has random numbers of its own, which depend on its seed
and the step alone. So the same seed is the same luck, for every candidate of a population and
in a batch of any size.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from agents.world_models.sequence.interface import SequenceModel


class DreamStep(NamedTuple):
    """Of B members; once a member is over, its rewards are 0 and its latents stand still.

    Attributes:
        latents: [B, D] float32, z_{t+1}.
        rewards: [B] float32.
        terminated: [B] bool, the model said that the episode is over, now or earlier.
        truncated: [B] bool, `max_steps` were taken.
    """

    latents: Tensor
    rewards: Tensor
    terminated: Tensor
    truncated: Tensor


class Dream:
    """A batched environment in a sequence model, without gradients.

    Attributes:
        latents: [B, D] where members are.
        features: [B, F] what the model remembers of each, beside z for a controller to see.

    Raises:
        ValueError: the model predicts nothing, or no reward where its reward is asked for.
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
    ) -> None:
        """
        Args:
            model: weights are read now, and stay on the model's device.
            temperature: of samples; 0 is the likeliest.
            max_steps: after which members are truncated.
            reward: the model's, or 1 for each step survived.
            ends: drawn with the predicted probability; where it is above one half; or not at all.
        """
        raise NotImplementedError

    def reset(self, latents: NDArray[np.float32] | Tensor, seeds: NDArray[np.int64]) -> None:
        """B members start in these latents [B, D], of real rollouts, with seeds [B]."""
        raise NotImplementedError

    def step(self, actions: NDArray[np.float32] | Tensor) -> DreamStep:
        """Members do coded actions [B, A]."""
        raise NotImplementedError
