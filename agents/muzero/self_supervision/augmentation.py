"""Pictures moved and made brighter or darker at random (Kostrikov et al. 2021, Schwarzer et al.
2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


class Augmentation:
    """A shift with the edges repeated, then a factor 1 + intensity * clamp(N(0, 1), -2, 2).

    Args:
        shift: pixels at most, to each side.
        rng: all draws.
    """

    def __init__(self, shift: int, intensity: float, rng: np.random.Generator) -> None:
        self._shift, self._intensity, self._rng = shift, intensity, rng

    def __call__(self, pictures: Tensor) -> Tensor:
        """Of [..., height, width, channels]; a stack is moved as one."""
        each = pictures.flatten(0, -4)
        rows, columns = (self._moved(len(each), side).to(each.device) for side in each.shape[1:3])
        which = torch.arange(len(each), device=each.device)
        moved = each[which[:, None, None], rows[:, :, None], columns[:, None, :]]
        draws = self._rng.standard_normal(len(each), np.float32).clip(-2, 2)
        factors = torch.from_numpy(1 + np.float32(self._intensity) * draws).to(moved)
        return (moved * factors[:, None, None, None]).view(pictures.shape)

    def _moved(self, count: int, side: int) -> Tensor:
        """[count, side] which rows of pixels are where these were."""
        by = self._rng.integers(-self._shift, self._shift, size=(count, 1), endpoint=True)
        return torch.from_numpy((np.arange(side) + by).clip(0, side - 1))

    def state_dict(self) -> dict[str, Any]:
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._rng.bit_generator.state = state["rng"]
