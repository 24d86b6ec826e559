"""A codebook: vectors that stand for those near them (van den Oord et al. 2017).

    k(z) = argmin_k |z - e_k|²;   what the decoder sees is z + sg(e_k - z): its gradient goes
    straight through to z.

Codes are learned by their own loss, |sg z - e_k|² (eq. 3), or as moving means (appendix A.1), with
n_k the share and s_k the sum, divided by the number of vectors, of those that code k stands for:

    N_k ← γ·N_k + (1-γ)·n_k,   m_k ← γ·m_k + (1-γ)·s_k,   e_k = m_k / N_k

A code whose N_k is below a share of 1/K is dead, and becomes a vector of the last batch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Quantised(NamedTuple):
    """Vectors [M, c] as their codes.

    Attributes:
        vectors: [M, c] the codes, with the gradient passed straight through.
        tokens: [M] which codes they are.
        codebook_loss: mean over M of |sg z - e|².
        commitment: mean over M of |z - sg e|².
    """

    vectors: Tensor
    tokens: Tensor
    codebook_loss: Tensor
    commitment: Tensor


class Codebook(nn.Module):
    """K codes of c numbers.

    Args:
        moving: learned as moving means; else by their own loss.
        decay: γ.
        revival: share of 1/K below which a code is dead.
    """

    usage: Tensor
    sums: Tensor

    def __init__(
        self, codes: int, size: int, *, moving: bool, decay: float, revival: float
    ) -> None:
        super().__init__()
        self.moving, self.decay, self.revival = moving, decay, revival
        self.codes = nn.Parameter(torch.randn(codes, size), requires_grad=not moving)
        self.register_buffer("usage", torch.full((codes,), 1 / codes))
        self.register_buffer("sums", self.codes.detach() / codes)
        self._last: tuple[Tensor, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @torch.no_grad()
    def start_at(self, vectors: Tensor) -> None:
        """Makes vectors [M, c] its codes, evenly spaced ones of them; the last codes stay as they
        are where M is less than K."""
        rows = torch.linspace(0, len(vectors) - 1, min(len(self), len(vectors))).long()
        self._replace(torch.arange(len(rows), device=vectors.device), vectors[rows])

    def nearest(self, vectors: Tensor) -> Tensor:
        """[M] of vectors [M, c]."""
        # |z|² is the same for all codes
        distances = self.codes.square().sum(1) - 2 * vectors @ self.codes.T
        return distances.argmin(1)

    def forward(self, vectors: Tensor) -> Quantised:
        with torch.no_grad():
            tokens = self.nearest(vectors)
        codes = functional.embedding(tokens, self.codes)
        if self.training:
            self._last = vectors.detach(), tokens
        return Quantised(
            vectors + (codes - vectors).detach(),
            tokens,
            (vectors.detach() - codes).square().sum(1).mean(),
            (vectors - codes.detach()).square().sum(1).mean(),
        )

    def perplexity(self, tokens: Tensor) -> Tensor:
        """exp of the entropy of tokens [M]: how many codes are as good as in use, 1 to K."""
        shares = torch.bincount(tokens, minlength=len(self)) / len(tokens)
        perplexity: Tensor = torch.special.entr(shares).sum().exp()
        return perplexity

    @torch.no_grad()
    def settle(self, generator: torch.Generator) -> None:
        """Follows an update: usage and moving means by the last batch, then revival."""
        if self._last is None:
            return
        vectors, tokens = self._last
        self._last = None
        # a product, as sums by index come in any order on a GPU
        hot = functional.one_hot(tokens, len(self)).to(vectors.dtype)
        shares, keep = hot.mean(0), self.decay
        self.usage.mul_(keep).add_(shares, alpha=1 - keep)
        self.sums.mul_(keep).add_(hot.T @ vectors / len(vectors), alpha=1 - keep)
        if self.moving:
            # of the others both have shrunk alike
            used = shares > 0
            self.codes[used] = self.sums[used] / self.usage[used, None]
        dead = torch.nonzero(self.usage < self.revival / len(self)).flatten()
        if len(dead):
            rows = torch.randint(
                len(vectors), (len(dead),), generator=generator, device=vectors.device
            )
            self._replace(dead, vectors[rows])

    def _replace(self, which: Tensor, vectors: Tensor) -> None:
        self.codes[which] = vectors.to(self.codes.dtype)
        self.usage[which] = 1 / len(self)
        self.sums[which] = self.codes[which] / len(self)
