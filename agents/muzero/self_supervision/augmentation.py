"""Pictures moved and made brighter or darker at random (Kostrikov et al. 2021, Schwarzer et al.
2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Augmentation:
    """A shift with the edges repeated, then a factor 1 + intensity * clamp(N(0, 1), -2, 2).

    Args:
        shift: pixels at most, to each side.
        rng: all draws.
    """

    def __init__(self, shift: int, intensity: float, rng: np.random.Generator) -> None:
        self._shift, self._intensity, self._rng = shift, intensity, rng

    def __call__(self, pictures: Tensor, scale: float = 1.0) -> Tensor:
        """Of [..., height, width, channels], times a scale; a stack is moved as one."""
        each = pictures.flatten(0, -4)
        N, height, width, channels = each.shape
        rows = torch.from_numpy((np.arange(height) + self._drawn(N)).clip(0, height - 1))
        columns = torch.from_numpy(self._drawn(N) + self._shift)
        edges = each[:, :, :1], each[:, :, -1:]
        left, right = (edge.expand(-1, -1, self._shift, -1) for edge in edges)
        wide = torch.cat((left, each, right), 2).flatten(2)
        # whole rows of pixels are copied, from where in the wider row they begin
        windows = wide.unfold(2, width * channels, channels)
        which = torch.arange(N, device=each.device)[:, None]
        moved = windows[which, rows.to(each.device), columns.to(each.device)].view(each.shape)
        draws = self._rng.standard_normal(N, np.float32).clip(-2, 2)
        factors = torch.from_numpy(scale * (1 + np.float32(self._intensity) * draws))
        factors = factors.to(moved.device)[:, None, None, None]
        return moved.float().mul_(factors).view(pictures.shape)

    def _drawn(self, count: int) -> NDArray[np.int64]:
        """[count, 1] by how many pixels."""
        return self._rng.integers(-self._shift, self._shift, size=(count, 1), endpoint=True)

    def state_dict(self) -> dict[str, Any]:
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._rng.bit_generator.state = state["rng"]
