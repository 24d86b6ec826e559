"""What a tokenizer is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from agents.iris.frames import Frames


class Before(NamedTuple):
    """What came before B frames.

    Attributes:
        frames: [B, ...] as the actor-critic sees them.
        actions: int64 [B], chosen on seeing these.
    """

    frames: Tensor
    actions: Tensor


def nothing_before(frames: Tensor) -> Before:
    """Of first frames [B, ...]: they count as following themselves, by action 0."""
    return Before(frames, torch.zeros(len(frames), dtype=torch.int64, device=frames.device))


class Tokenizer(nn.Module, ABC):
    """Frames to tokens and back.

    Attributes:
        is_delta: whether tokens are of what is new since the frame before; else they are of a frame
            alone, and what came before is not heeded.
        frames: how it reads observations.
        tokens_per_frame: K.
        vocabulary: V.
    """

    is_delta: ClassVar[bool] = False
    tokens_per_frame: int
    vocabulary: int

    def __init__(self, frames: Frames) -> None:
        super().__init__()
        self.frames = frames

    @abstractmethod
    def encode(self, observed: Tensor, before: Before | None = None) -> Tensor:
        """int64 [B, K], the tokens of frames [B, ...] as the environment gives them."""

    @abstractmethod
    def decode(self, tokens: Tensor, before: Before | None = None) -> Tensor:
        """Frames as the actor-critic sees them, of tokens [B, K]: [B, C, H, W] within [0, 1], or
        vectors [B, D]."""

    def seen(self, observed: Tensor) -> Tensor:
        """What the actor-critic sees of real frames [B, ...]."""
        return self.decode(self.encode(observed))

    @abstractmethod
    def loss(
        self,
        observed: Tensor,
        generator: torch.Generator,
        returns: Tensor | None = None,
        before: Before | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What is minimised, and its parts, detached scalars by name.

        Args:
            observed: [B, ...], a batch of frames.
            generator: for what is random in learning.
            returns: [B] discounted ones from each frame on, NaN where unknown; None: of none.
        """
