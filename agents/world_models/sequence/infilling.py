"""Filling in hidden spans of latents from both sides, beside predicting what comes next.

The transformer reads a window in which the latents of some spans are 0 and flagged, and each step
sees those before and after it; a head of its own says what was there. Actions are never hidden.

With a GAN loss (Goodfellow et al. 2014), a discriminator of convolutions over time learns to tell
windows with filled-in steps from real ones, and filling in learns to deceive it: -log σ(D) at the
filled-in steps. Samples are μ_k + σ_k ε with the component k drawn, so the gradient reaches means
and deviations, not the mixture's weights, which the likelihood alone teaches.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.world_models.sequence.interface import draw_noise
from agents.world_models.sequence.outputs import Output
from agents.world_models.sequence.transformer import TransformerCore


class Filled(NamedTuple):
    """loss: scalar, for each dimension and hidden step; latents [B, L, D], hidden steps filled in
    by samples; hidden [B, L] bool."""

    loss: Tensor
    latents: Tensor
    hidden: Tensor


def hide_spans(present: Tensor, span: int, share: float, generator: torch.Generator) -> Tensor:
    """[B, L] bool: spans that begin at random, so that about that share of steps is hidden; none
    where `present` [B, L] is False."""
    # a step stays visible if no span begins at it or at the span - 1 steps before it
    begins = 1 - (1 - share) ** (1 / span)
    start = torch.rand(present.shape, generator=generator, device=present.device) < begins
    spread = functional.pad(start.float().unsqueeze(1), (span - 1, 0))
    hidden = functional.max_pool1d(spread, span, stride=1).squeeze(1) > 0
    return hidden & present


class Infilling(nn.Module):
    """The head, and how it is taught."""

    def __init__(self, output: Output, span: int, share: float) -> None:
        super().__init__()
        self.output, self.span, self.share = output, span, share

    def fill(
        self,
        core: TransformerCore,
        columns: Tensor,
        latents: Tensor,
        present: Tensor,
        generator: torch.Generator,
    ) -> Filled:
        """
        Args:
            columns: [B, L, I - D - 1] what the core reads after the latents and before the flag.
            latents: [B, L, D] in the core's units.
            present: [B, L] bool, steps before the end of their rollouts.
        """
        hidden = hide_spans(present, self.span, self.share, generator)
        flag = hidden.unsqueeze(-1).to(latents)
        inputs = torch.cat((latents * (1 - flag), columns, flag), -1)
        parameters = self.output(core(inputs, ahead=True, present=present, generator=generator))
        nll = self.output.nll(parameters, latents).mean(-1)
        loss = torch.where(hidden, nll, 0.0).sum() / hidden.sum().clamp(min=1)
        noise = draw_noise(tuple(hidden.shape), latents.shape[-1], generator)
        sample = self.output.sample(parameters, 1.0, noise)
        return Filled(loss, torch.where(hidden.unsqueeze(-1), sample, latents), hidden)


class Discriminator(nn.Module):
    """Logits [B, L] that a step is real, from the steps around it."""

    def __init__(self, latent_size: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(latent_size, width, 5, padding=2),
            nn.LeakyReLU(0.2),
            nn.Conv1d(width, width, 5, padding=2),
            nn.LeakyReLU(0.2),
            nn.Conv1d(width, 1, 1),
        )

    def forward(self, latents: Tensor) -> Tensor:
        logits: Tensor = self.layers(latents.transpose(1, 2)).squeeze(1)
        return logits

    def deceived(self, filled: Filled) -> Tensor:
        """-log σ(D) at filled-in steps: what filling in minimises. Leaves no gradient here."""
        self.requires_grad_(False)
        each = functional.softplus(-self(filled.latents))
        self.requires_grad_(True)
        return torch.where(filled.hidden, each, 0.0).sum() / filled.hidden.sum().clamp(min=1)

    def loss(self, filled: Filled, real: Tensor) -> Tensor:
        """Of telling the two apart at the hidden steps."""
        count = filled.hidden.sum().clamp(min=1)
        fake = functional.softplus(self(filled.latents.detach()))
        true = functional.softplus(-self(real))
        return torch.where(filled.hidden, fake + true, 0.0).sum() / (2 * count)
