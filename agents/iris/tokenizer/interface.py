"""What a tokenizer is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from agents.iris.frames import Frames


class Tokenizer(nn.Module, ABC):
    """Frames to tokens and back.

    Attributes:
        frames: how it reads observations.
        tokens_per_frame: K.
        vocabulary: V.
    """

    tokens_per_frame: int
    vocabulary: int

    def __init__(self, frames: Frames) -> None:
        super().__init__()
        self.frames = frames

    @abstractmethod
    def encode(self, observed: Tensor) -> Tensor:
        """int64 [B, K], the tokens of frames [B, ...] as the environment gives them."""

    @abstractmethod
    def decode(self, tokens: Tensor) -> Tensor:
        """Frames as the actor-critic sees them, of tokens [B, K]: [B, C, H, W] within [0, 1], or
        vectors [B, D]."""

    @abstractmethod
    def loss(
        self, observed: Tensor, generator: torch.Generator, returns: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What is minimised, and its parts, detached scalars by name.

        Args:
            observed: [B, ...], a batch of frames.
            generator: for what is random in learning.
            returns: [B] discounted ones from each frame on, NaN where unknown; None: of none.
        """
