"""Encoders of vectors: two hidden layers each way, variational or not.

Vectors are normalised by mean and standard deviation of observations that training begins with:

    mlp:      loss = Σ (x - x̂)²
    mlp_vae:  loss = Σ (x - x̂)² + β·Σ_d max(KL_d, λ), as `beta_vae`; β = 0.01, λ = 0

β is small as the error of a few normalised numbers is, beside that of a picture's thousands.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.encoders.convolutional import divergences, drawn
from agents.encoders.interface import (
    CERTAIN,
    Losses,
    ObservationEncoder,
    Observations,
    summed_squares,
)
from agents.encoders.observations import Observed
from agents.encoders.settings import EncoderSettings

#: Numbers that vary less than this are not blown up.
_LEAST_SCALE = 1e-4


class VectorEncoder(ObservationEncoder):
    """`mlp` and `mlp_vae`."""

    is_picture = False
    centre: Tensor
    scale: Tensor

    def __init__(self, settings: EncoderSettings, observed: Observed) -> None:
        super().__init__(settings, observed)
        (numbers,), hidden = observed.size, settings.encoder_hidden
        self.representation_size = settings.representation_size
        self.is_variational = settings.encoder == "mlp_vae"
        heads = self.representation_size * (2 if self.is_variational else 1)
        self.layers = _layers(numbers, hidden, heads)
        self.decoder = _layers(self.representation_size, hidden, numbers)
        self.register_buffer("centre", torch.zeros(numbers))
        self.register_buffer("scale", torch.ones(numbers))

    def begin(self, sample: NDArray[Any]) -> None:
        vectors = self.prepare(sample).to(torch.float64)
        self.centre.copy_(vectors.mean(0))
        self.scale.copy_(vectors.std(0, correction=0).clamp(min=_LEAST_SCALE))

    def read(self, observations: Observations) -> Tensor:
        return (super().read(observations) - self.centre) / self.scale

    def shown(self, seen: Tensor) -> Tensor:
        return seen * self.scale + self.centre

    def posterior(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        heads = self.layers(seen).float()
        if not self.is_variational:
            return heads, torch.full_like(heads, CERTAIN)
        mean, log_variance = heads.chunk(2, dim=1)
        return mean, log_variance

    def reconstruction(self, latents: Tensor) -> Tensor:
        vectors: Tensor = self.decoder(latents)
        return vectors.float()

    def losses(self, observations: Observations, generator: torch.Generator) -> Losses:
        seen = self.read(observations)
        mean, log_variance = self.posterior(seen)
        latents = drawn(mean, log_variance, generator) if self.is_variational else mean
        vectors = self.reconstruction(latents)
        error = summed_squares(vectors - seen).mean()
        if not self.is_variational:
            return Losses(error, {"error": error.detach()}, vectors)
        nats = divergences(mean, log_variance).mean(0)
        loss = error + self.settings.kl_weight * nats.clamp(min=self.settings.free_bits).sum()
        parts = {"error": error.detach(), "kl": nats.sum().detach()}
        return Losses(loss, parts, vectors)


def _layers(before: int, hidden: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(before, hidden),
        nn.SiLU(),
        nn.Linear(hidden, hidden),
        nn.SiLU(),
        nn.Linear(hidden, after),
    )
