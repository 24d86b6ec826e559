"""Returns of trajectories."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def lambda_returns(
    rewards: Tensor, values: Tensor, ends: Tensor, gamma: float, lambda_: float
) -> Tensor:
    """G_t = r_t + γ (1 − d_t) [(1 − λ) v_{t+1} + λ G_{t+1}], G_T = v_T.

    Args:
        rewards, ends: [B, T].
        values: [B, T + 1], of the frames before and after each step.

    Returns:
        [B, T].
    """
    discounts = gamma * (~ends).to(values.dtype)
    following = values[:, -1]
    returns = torch.empty_like(rewards)
    for step in range(rewards.shape[1] - 1, -1, -1):
        mixed = (1 - lambda_) * values[:, step + 1] + lambda_ * following
        following = rewards[:, step] + discounts[:, step] * mixed
        returns[:, step] = following
    return returns


def discounted_returns(rewards: NDArray[np.float32], gamma: float) -> NDArray[np.float32]:
    """[T] sums of rewards [T] from each step on."""
    returns = np.empty_like(rewards)
    following = 0.0
    for step in range(len(rewards) - 1, -1, -1):
        following = float(rewards[step]) + gamma * following
        returns[step] = following
    return returns
