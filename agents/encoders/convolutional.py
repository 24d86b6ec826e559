"""Convolutional autoencoders, variational or not.

vae (Ha and Schmidhuber 2018, A.1; the floor as in their code), for each picture x, D latents:

    z = μ + σ·ε,  ε ~ N(0, 1);   KL = ½·Σ_d (μ_d² + σ_d² - ln σ_d² - 1)
    loss = Σ (x - x̂)² + β·max(KL, λ·D),   β = 1, λ = 0.5

beta_vae (Higgins et al. 2017; free bits of Kingma et al. 2016, eq. 15): the floor is of each
latent's KL, a mean over the batch:

    loss = Σ (x - x̂)² + β·Σ_d max(KL_d, λ),   β = 4, λ = 0

autoencoder: loss = Σ (x - x̂)².
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.encoders.interface import (
    CERTAIN,
    Losses,
    ObservationEncoder,
    Observations,
    summed_squares,
)
from agents.encoders.layers import Decoder, encoder_layers
from agents.encoders.observations import Observed
from agents.encoders.settings import EncoderSettings


def divergences(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL [B, D] of N(mean, exp(log_variance)) from N(0, 1), each latent's own, in nats."""
    return (mean.square() + log_variance.exp() - log_variance - 1) / 2


def drawn(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """Latents [B, D] of their distributions, differentiable."""
    noise = torch.randn(mean.shape, generator=generator, device=mean.device)
    return mean + (log_variance / 2).exp() * noise


class PictureEncoder(ObservationEncoder):
    """Shows pictures with channels last."""

    def shown(self, seen: Tensor) -> Tensor:
        return seen.permute(0, 2, 3, 1)


class Autoencoder(PictureEncoder):
    """A plain autoencoder."""

    def __init__(self, settings: EncoderSettings, observed: Observed) -> None:
        super().__init__(settings, observed)
        self.representation_size = settings.representation_size
        channels, side, _ = observed.size
        self.layers, features = encoder_layers(channels, side, settings.encoder_width)
        self.mean = nn.Linear(features, self.representation_size)
        self.decoder = Decoder(self.representation_size, channels, side, settings.encoder_width)

    def posterior(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.mean(self.layers(seen)).float()
        return mean, torch.full_like(mean, CERTAIN)

    def reconstruction(self, latents: Tensor) -> Tensor:
        pictures: Tensor = self.decoder(latents)
        return pictures

    def losses(self, observations: Observations, generator: torch.Generator) -> Losses:
        seen = self.read(observations)
        pictures = self.reconstruction(self.posterior(seen)[0])
        error = summed_squares(pictures - seen).mean()
        return Losses(error, {"error": error.detach()}, pictures)


class ConvolutionalVAE(Autoencoder):
    """`vae` and `beta_vae`."""

    def __init__(self, settings: EncoderSettings, observed: Observed) -> None:
        super().__init__(settings, observed)
        self.log_variance = nn.Linear(self.mean.in_features, self.representation_size)

    def posterior(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        features = self.layers(seen)
        return self.mean(features).float(), self.log_variance(features).float()

    def losses(self, observations: Observations, generator: torch.Generator) -> Losses:
        seen = self.read(observations)
        mean, log_variance = self.posterior(seen)
        pictures = self.reconstruction(drawn(mean, log_variance, generator))
        error = summed_squares(pictures - seen).mean()
        nats = divergences(mean, log_variance)
        free = self.settings.free_bits
        if self.settings.encoder == "vae":
            floored = nats.sum(1).clamp(min=free * self.representation_size).mean()
        else:
            floored = nats.mean(0).clamp(min=free).sum()
        loss = error + self.settings.kl_weight * floored
        parts = {"error": error.detach(), "kl": nats.sum(1).mean().detach()}
        return Losses(loss, parts, pictures)
