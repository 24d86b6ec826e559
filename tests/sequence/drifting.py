"""A small world whose dynamics are known: z' = R z + B a + noise, and actions matter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Encoded(NamedTuple):
    """A latent rollout."""

    means: NDArray[np.float32]
    log_variances: NDArray[np.float32]
    actions: NDArray[np.float32]
    rewards: NDArray[np.float32]
    terminated: bool


class Plain:
    """Actions [T, A] that are their own codes."""

    def __init__(self, size: int) -> None:
        self.size = size

    def encode(self, actions: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(actions, np.float32)


def rollout(
    rng: np.random.Generator, steps: int, *, terminated: bool = False, noise: float = 0.05
) -> Encoded:
    """Two latents that turn by a third of a radian, two actions that push them, reward z_0."""
    turn = np.array([[np.cos(0.33), -np.sin(0.33)], [np.sin(0.33), np.cos(0.33)]]) * 0.95
    latents = np.zeros((steps + 1, 2))
    latents[0] = rng.normal(size=2)
    actions = rng.uniform(-1, 1, size=(steps, 2))
    for t in range(steps):
        latents[t + 1] = turn @ latents[t] + 0.7 * actions[t] + noise * rng.normal(size=2)
    return Encoded(
        latents.astype(np.float32),
        np.full((steps + 1, 2), 2 * np.log(0.05), np.float32),
        actions.astype(np.float32),
        latents[1:, 0].astype(np.float32),
        terminated,
    )


def rollouts(seed: int, count: int, steps: int, *, terminated: bool = False) -> list[Encoded]:
    rng = np.random.default_rng(seed)
    return [rollout(rng, steps, terminated=terminated) for _ in range(count)]
