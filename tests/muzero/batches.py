"""Settings, and batches to learn from, for tests."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.muzero.replay import Batch
from agents.muzero.settings import MuZeroSettings
from agents.muzero.targets import Targets

#: Of small networks.
SMALL = {
    "hidden_size": 8,
    "hidden_dim": 12,
    "batch_size_per_worker": 6,
    "value_support": 4,
    "reward_support": 3,
}


def small(**options: Any) -> MuZeroSettings:
    """Settings of a small network and of whatever is given."""
    return msgspec.convert(SMALL | options, MuZeroSettings)


def some_batch(
    rng: np.random.Generator, settings: MuZeroSettings, *, inputs: int, actions: int
) -> tuple[NDArray[np.float32], Batch, NDArray[np.float32]]:
    """Observations [K + 1, B, inputs], a batch with holes in it, and values [B, K + 1]."""
    B, K = settings.batch_size_per_worker, settings.jumps
    targets = Targets.empty(B, K)
    for mask in (targets.value_mask, targets.reward_mask, targets.policy_mask):
        mask[:] = rng.random(mask.shape) < 0.7
    targets.reward_mask[:, 0] = 0
    targets.rewards[:] = rng.normal(size=targets.rewards.shape)
    places = np.arange(targets.rows.size).reshape(targets.rows.shape)
    targets.rows[:] = np.where(rng.random(targets.rows.shape) < 0.7, places, -1)
    policies = rng.dirichlet(np.ones(actions), (B, K + 1)) * targets.policy_mask[..., None]
    batch = Batch(
        np.arange(B),
        rng.uniform(0.2, 1.0, B).astype(np.float32),
        targets,
        rng.integers(actions, size=(B, K)),
        policies.astype(np.float32),
    )
    observations = rng.normal(size=(K + 1, B, inputs)).astype(np.float32)
    return observations, batch, (5 * rng.normal(size=(B, K + 1))).astype(np.float32)
