"""One embedding of a frame, for world models that see frames beside tokens (Δ-IRIS)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.first_weights import drawn_from
from agents.iris.world_model_settings import WorldModelSettings


class FrameEmbedding(nn.Module):
    """Convolutions that halve the sides, a linear layer and a norm.

    Args:
        shape: of a frame, [C, H, W].
        width: d.
    """

    def __init__(
        self,
        settings: WorldModelSettings,
        shape: tuple[int, ...],
        width: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        channels, *sides = shape
        layers: list[nn.Module] = []
        with drawn_from(int(torch.randint(2**62, (), generator=generator))):
            for wider in settings.world_model_frame_channels:
                layers += [nn.Conv2d(channels, wider, 3, stride=2, padding=1), nn.SiLU()]
                channels, sides = wider, [-(-side // 2) for side in sides]
            self.body = nn.Sequential(*layers, nn.Flatten())
            self.linear = nn.Linear(channels * sides[0] * sides[1], width)
        self.norm = nn.LayerNorm(width)

    def forward(self, frames: Tensor) -> Tensor:
        """[..., d] of frames [..., C, H, W] within [0, 1]."""
        flat = frames.flatten(0, -4)
        embedded: Tensor = self.norm(self.linear(self.body(flat * 2 - 1)))
        return embedded.view(*frames.shape[:-3], -1)
