"""The tokenizer of what is new: Δ-IRIS's (Micheli, Alonso and Fleuret 2024).

Encoder and decoder are given the frame before and the action taken there, so that tokens need only
tell what these two do not.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from agents.iris.frames import Frames
from agents.iris.tokenizer.interface import Before
from agents.iris.tokenizer.networks import encoder_of
from agents.iris.tokenizer.vqvae import VQVAE
from agents.iris.tokenizer_settings import TokenizerSettings


class DeltaVQVAE(VQVAE):
    """z = E(x before, a, x) and x = D(x before, a, z).

    The encoder sees both pictures and a plane for the action; the decoder the codes beside grids of
    the same sides, one of the picture before and one of the action. The actor-critic sees real
    frames as they are.

    Args:
        actions: how many there are.
    """

    is_delta: ClassVar = True

    def __init__(
        self,
        settings: TokenizerSettings,
        frames: Frames,
        actions: int,
        generator: torch.Generator,
    ) -> None:
        channels, height, width = frames.shape
        beside, acting = settings.tokenizer_frame_channels, settings.tokenizer_action_channels
        super().__init__(
            settings,
            frames,
            generator,
            beside_pictures=channels + 1,
            beside_codes=beside + acting,
        )
        self.frame_encoder = encoder_of(settings, channels, beside, height)
        self.action_plane = nn.Embedding(actions, height * width)
        self.action_grid = nn.Embedding(actions, acting * self.smallest[0] * self.smallest[1])

    def seen(self, observed: Tensor) -> Tensor:
        return self.frames.prepare(observed)

    def encoder_input(self, pictures: Tensor, before: Before | None) -> Tensor:
        assert before is not None  # `is_delta`
        plane = self.action_plane(before.actions).view(-1, 1, *pictures.shape[2:])
        return torch.cat((before.frames * 2 - 1, plane, pictures), 1)

    def decoder_input(self, grids: Tensor, before: Before | None) -> Tensor:
        assert before is not None  # `is_delta`
        acting = self.action_grid(before.actions).view(len(grids), -1, *grids.shape[2:])
        return torch.cat((self.frame_encoder(before.frames * 2 - 1), acting, grids), 1)
