"""Frames as environments give them, and as networks take them."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from agents.base import AgentRefused
from agents.iris.tokenizer_settings import TokenizerSettings


class Frames(NamedTuple):
    """How to read observations.

    Attributes:
        shape: of a frame for networks, [C, H, W] or [D].
        channels_last: where the channels of a picture are that is observed; those of a stack of
            pictures [S, H, W, C] are last, and become S C channels.
        scale: what its numbers are divided by, to lie in [0, 1].
        low, high: [D] bounds of a vector, infinite where there are none.
    """

    shape: tuple[int, ...]
    channels_last: bool
    scale: float
    low: Tensor
    high: Tensor

    @property
    def is_picture(self) -> bool:
        return len(self.shape) == 3

    def prepare(self, observed: Tensor) -> Tensor:
        """Pictures [B, C, H, W] within [0, 1], or vectors [B, D], of what was observed [B, ...]."""
        if not self.is_picture:
            return observed.flatten(1).float()
        if observed.dim() == 5:
            observed = observed.permute(0, 2, 3, 1, 4).flatten(3)
        pictures = observed.permute(0, 3, 1, 2) if self.channels_last else observed
        pictures = pictures.float() / self.scale
        if pictures.shape[2:] == self.shape[1:]:
            return pictures
        return functional.interpolate(
            pictures, self.shape[1:], mode="bilinear", align_corners=False, antialias=True
        )


def frames_of(settings: TokenizerSettings, space: gymnasium.Space[Any]) -> Frames:
    """
    Raises:
        AgentRefused: observations are neither pictures nor vectors.
    """
    if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) not in (1, 3, 4):
        raise AgentRefused(f"IRIS needs observations that are pictures or vectors, not {space}")
    low, high = (
        torch.as_tensor(np.asarray(b, np.float32).ravel()) for b in (space.low, space.high)
    )
    if len(space.shape) == 1:
        return Frames(space.shape, False, 1.0, low, high)
    channels_last, sides = True, tuple[int, ...]()
    if len(space.shape) == 4:
        channels, sides = space.shape[0] * space.shape[3], space.shape[1:3]
    else:
        first, _, last = space.shape
        choice = settings.tokenizer_image_channels
        channels_last = last <= first if choice == "auto" else choice == "last"
        channels, sides = (last, space.shape[:2]) if channels_last else (first, space.shape[1:])
    size = settings.tokenizer_frame_size
    sides = sides if size is None else (size, size)
    scale = 255.0 if space.dtype == np.uint8 else 1.0
    return Frames((channels, *sides), channels_last, scale, low, high)
