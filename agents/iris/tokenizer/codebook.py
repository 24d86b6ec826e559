"""Codes: V vectors, the nearest of which stands for a latent."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.parallel.sharing import gathered

#: Share of a code's usage that an update leaves.
USAGE_DECAY = 0.99


class Quantized(NamedTuple):
    """
    Attributes:
        tokens: [N] which code.
        codes: [N, D] those codes; gradients pass them to the latents as they are.
        codebook_loss, commitment_loss: mean squared distances, of codes from latents and of
            latents from codes; codes that follow by themselves have no loss.
        latents: [N, D] as they were compared with codes.
    """

    tokens: Tensor
    codes: Tensor
    codebook_loss: Tensor
    commitment_loss: Tensor
    latents: Tensor


class Codebook(nn.Module):
    """
    Attributes:
        usage: [V] running share of the latents that each code stood for.
        idle: [V] updates since each code stood for one.

    Args:
        kind: "straight_through": nearest by distance, codes learn by gradients (van den Oord et al.
            2017); "ema_cosine": nearest by angle, latents and codes of length 1, and codes are
            running means of their latents (Micheli et al. 2024).
        revive_after: idle updates after which a code is replaced; 0: never.
    """

    usage: Tensor
    idle: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(
        self,
        vocabulary: int,
        size: int,
        *,
        kind: Literal["straight_through", "ema_cosine"],
        decay: float,
        revive_after: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.cosine, self.decay, self.revive_after = kind == "ema_cosine", decay, revive_after
        if self.cosine:
            codes = functional.normalize(torch.randn(vocabulary, size, generator=generator), dim=-1)
        else:
            codes = (torch.rand(vocabulary, size, generator=generator) * 2 - 1) / vocabulary
        self.codes = nn.Parameter(codes, requires_grad=not self.cosine)
        self.register_buffer("usage", torch.full((vocabulary,), 1 / vocabulary))
        self.register_buffer("idle", torch.zeros(vocabulary, dtype=torch.int64))
        if self.cosine:
            self.register_buffer("counts", torch.ones(vocabulary))
            self.register_buffer("sums", codes.clone())

    def nearest(self, latents: Tensor) -> Tensor:
        """[N] of latents [N, D]."""
        if self.cosine:
            return (functional.normalize(latents, dim=-1) @ self.codes.T).argmax(1)
        distances = self.codes.square().sum(1) - 2 * (latents @ self.codes.T)
        return distances.argmin(1)

    def forward(self, latents: Tensor) -> Quantized:
        tokens = self.nearest(latents.detach())
        if self.cosine:
            latents = functional.normalize(latents, dim=-1)
        codes = functional.embedding(tokens, self.codes)
        commitment = (latents - codes.detach()).square().mean()
        pull = codes.new_zeros(()) if self.cosine else (codes - latents.detach()).square().mean()
        passed = latents + (codes - latents).detach()
        return Quantized(tokens, passed, pull, commitment, latents.detach())

    @torch.no_grad()
    def learn_from(self, quantized: Quantized, generator: torch.Generator) -> Tensor:
        """Counts who was used, moves codes that follow by themselves, and revives dead ones;
        returns how many those were.

        To be called once for each batch, after its loss.
        """
        tokens, latents = gathered(quantized.tokens), quantized.latents
        if self.cosine or self.revive_after:
            latents = gathered(latents)
        counts = torch.bincount(tokens, minlength=len(self.codes)).to(latents.dtype)
        self.usage.lerp_(counts / len(tokens), 1 - USAGE_DECAY)
        self.idle.add_(1).masked_fill_(counts > 0, 0)
        if self.cosine:
            sums = torch.zeros_like(self.codes).index_add_(0, tokens, latents)
            self.counts.lerp_(counts, 1 - self.decay)
            self.sums.lerp_(sums, 1 - self.decay)
            self.codes.copy_(functional.normalize(self.sums, dim=-1))
        if not self.revive_after:
            return self.idle.new_zeros(())
        dead = self.idle >= self.revive_after
        drawn = torch.randint(len(latents), dead.shape, generator=generator).to(latents.device)
        new = latents[drawn]
        self.codes.copy_(torch.where(dead[:, None], new, self.codes))
        if self.cosine:
            self.sums.copy_(torch.where(dead[:, None], new, self.sums))
            self.counts.masked_fill_(dead, 1.0)
        self.idle.masked_fill_(dead, 0)
        return dead.sum()


def perplexity(shares: Tensor) -> Tensor:
    """exp of the entropy of shares [V]: how many codes are in use."""
    entropy: Tensor = torch.special.entr(shares / shares.sum()).sum()
    return entropy.exp()
