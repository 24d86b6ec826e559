"""A box of actions, and policies over samples of it.

A policy in the replay is one row of K (1 + D) numbers: the share of each of K samples, then the
samples, before they are squashed.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agents.muzero.replay import Field
from agents.muzero.settings import MuZeroSettings
from agents.search.sampling import Sampling

Floats = NDArray[np.float32]


class BoxActions:
    """Vectors [D] in [-1, 1]; see `agents.muzero.actions.Actions`."""

    def __init__(self, settings: MuZeroSettings, space: gymnasium.spaces.Box) -> None:
        self._space = space
        self._low = np.asarray(space.low, np.float64)
        self._half = (np.asarray(space.high, np.float64) - self._low) / 2
        self.width = max(1, math.prod(space.shape))
        sampling = sampling_of(settings, self.width)
        self.sampling: Sampling | None = sampling
        self.outputs, self.choices = sampling.outputs, sampling.samples
        self.fields = {
            "actions": Field((self.width,), np.float32),
            "policies": Field((self.choices * (1 + self.width),), np.float32),
            "legal": Field((1,), np.bool_),
        }

    def sent(self, actions: NDArray[Any]) -> list[Any]:
        """See `Actions`."""
        shaped = actions.reshape(len(actions), *self._space.shape).astype(np.float64)
        scaled = np.clip(self._low + (shaped + 1) * self._half, self._space.low, self._space.high)
        if not np.issubdtype(self._space.dtype, np.floating):
            scaled = np.rint(scaled)
        return list(scaled.astype(self._space.dtype))


def sampling_of(settings: MuZeroSettings, dimensions: int) -> Sampling:
    """As the settings say."""
    samples = settings.num_sampled_actions
    return Sampling(
        samples=samples,
        dimensions=dimensions,
        low=settings.policy_std[0],
        high=settings.policy_std[1],
        broad=min(samples - 1, round(settings.broad_samples * samples)),
        broad_scale=settings.broad_scale,
        density=settings.sampled_prior == "density",
    )


def packed(shares: NDArray[Any], samples: NDArray[Any]) -> Floats:
    """Policies [B, K (1 + D)] of shares [B, K] and samples [B, K, D]."""
    return np.concatenate((shares, samples.reshape(len(samples), -1)), 1, dtype=np.float32)


def unpacked(policies: NDArray[Any], samples: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Shares [..., K] and samples [..., K, D] of policies."""
    shape = (*policies.shape[:-1], samples, -1)
    return policies[..., :samples], policies[..., samples:].reshape(shape)
