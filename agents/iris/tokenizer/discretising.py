"""The tokenizer of vectors: each dimension falls into one of V bins."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.iris.frames import Frames
from agents.iris.tokenizer.interface import Before, Tokenizer
from agents.parallel.sharing import gathered


class Discretising(Tokenizer):
    """A token for each dimension; what it decodes to is the middle of a bin.

    Bins are equally wide between the bounds of the observation space. A dimension without bounds
    has those of the frames that it has learned from, half a bin beyond on each side: so it learns,
    while there are updates of the tokenizer, and tokens change their meaning with it.
    """

    low: Tensor
    high: Tensor
    bounded: Tensor

    def __init__(self, frames: Frames, bins: int) -> None:
        super().__init__(frames)
        self.vocabulary, self.tokens_per_frame = bins, frames.shape[0]
        # bounds as wide as floats are, are none
        bounded = (frames.high - frames.low).isfinite() & (frames.high < 1e30)
        self.register_buffer("bounded", bounded)
        self.register_buffer("low", torch.where(bounded, frames.low, torch.inf))
        self.register_buffer("high", torch.where(bounded, frames.high, -torch.inf))

    def encode(self, observed: Tensor, before: Before | None = None) -> Tensor:
        low, width = self._bins()
        places = (self.frames.prepare(observed) - low) / width
        return places.floor().clamp(0, self.vocabulary - 1).long()

    def decode(self, tokens: Tensor, before: Before | None = None) -> Tensor:
        low, width = self._bins()
        return low + (tokens + 0.5) * width

    def loss(
        self,
        observed: Tensor,
        generator: torch.Generator,
        returns: Tensor | None = None,
        before: Before | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Zero: there are no gradients. The bins are widened to what is observed."""
        observed = gathered(observed)
        vectors = self.frames.prepare(observed)
        self.low.copy_(torch.where(self.bounded, self.low, self.low.minimum(vectors.amin(0))))
        self.high.copy_(torch.where(self.bounded, self.high, self.high.maximum(vectors.amax(0))))
        error = (self.decode(self.encode(observed)) - vectors).abs().mean()
        return vectors.new_zeros(()), {"l1": error}

    def _bins(self) -> tuple[Tensor, Tensor]:
        """Where they begin, and how wide they are, [D] each."""
        seen = self.high > self.low
        low = torch.where(seen, self.low, torch.where(self.low.isfinite(), self.low - 0.5, -0.5))
        high = torch.where(seen, self.high, low + 1)
        margin = torch.where(self.bounded, 0.0, 0.5 * (high - low) / max(self.vocabulary - 1, 1))
        low, high = low - margin, high + margin
        return low, (high - low) / self.vocabulary
