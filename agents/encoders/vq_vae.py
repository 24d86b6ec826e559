"""VQ-VAE: latents are vectors of a codebook (van den Oord et al. 2017).

    loss = Σ (x - x̂)² + Σ_positions (|sg z - e|² + κ·|z - sg e|²)

with κ the commitment; the middle term is absent where codes are moving means. A picture is a grid
of g × g tokens; a latent is their codes, one position after another, row by row.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from agents.encoders.codebook import Codebook, Quantised
from agents.encoders.convolutional import PictureEncoder
from agents.encoders.interface import CERTAIN, Losses, Observations, summed_squares
from agents.encoders.observations import Observed
from agents.encoders.settings import EncoderSettings, halvings


class VQVAE(PictureEncoder):
    """`vq_vae`.

    Attributes:
        codebook: of K codes.
        grid: g, tokens a side.
        code_size: numbers of a code, D / g².
    """

    def __init__(self, settings: EncoderSettings, observed: Observed) -> None:
        super().__init__(settings, observed)
        self.representation_size = settings.representation_size
        self.grid = settings.encoder_code_grid
        self.code_size = self.representation_size // self.grid**2
        channels, side, _ = observed.size
        times = halvings(side, self.grid)
        assert times is not None  # a rule of the settings
        filters = [settings.encoder_width * min(8, 2**n) for n in range(times)]
        self.encoder = nn.Sequential(
            *_down([channels, *filters]), Residual(filters[-1]), _point(filters[-1], self.code_size)
        )
        self.codebook = Codebook(
            settings.encoder_codes,
            self.code_size,
            moving=settings.encoder_codebook == "ema",
            decay=settings.encoder_code_decay,
            revival=settings.encoder_revival,
        )
        self.decoder = nn.Sequential(
            _point(self.code_size, filters[-1]),
            Residual(filters[-1]),
            *_up([*reversed(filters), channels]),
        )

    def begin(self, sample: NDArray[Any]) -> None:
        with torch.no_grad():
            self.codebook.start_at(self._vectors(self.read(sample)))

    def tokens(self, observations: Observations) -> Tensor:
        """[B, g²] which codes stand for observations [B, ...]."""
        vectors = self._vectors(self.read(observations))
        return self.codebook.nearest(vectors).reshape(-1, self.grid**2)

    def embed(self, tokens: Tensor) -> Tensor:
        """Latents [B, D] of tokens [B, g²]."""
        return functional.embedding(tokens, self.codebook.codes).flatten(1)

    def posterior(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        latents = self._quantised(seen).vectors.reshape(len(seen), -1)
        return latents, torch.full_like(latents, CERTAIN)

    def reconstruction(self, latents: Tensor) -> Tensor:
        grid = latents.reshape(-1, self.grid, self.grid, self.code_size).permute(0, 3, 1, 2)
        pictures: Tensor = self.decoder(grid)
        return torch.sigmoid(pictures.float())

    def losses(self, observations: Observations, generator: torch.Generator) -> Losses:
        seen = self.read(observations)
        quantised = self._quantised(seen)
        pictures = self.reconstruction(quantised.vectors.reshape(len(seen), -1))
        error = summed_squares(pictures - seen).mean()
        own = self.settings.encoder_commitment * quantised.commitment
        if not self.codebook.moving:
            own = own + quantised.codebook_loss
        parts = {
            "error": error.detach(),
            "commitment": quantised.commitment.detach() * self.grid**2,
            "perplexity": self.codebook.perplexity(quantised.tokens),
        }
        return Losses(error + own * self.grid**2, parts, pictures)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Of independent codes, each as often as it is used."""
        tokens = torch.multinomial(
            self.codebook.usage, count * self.grid**2, replacement=True, generator=generator
        )
        return self.embed(tokens.reshape(count, -1))

    def settle(self, generator: torch.Generator) -> None:
        self.codebook.settle(generator)

    def _quantised(self, seen: Tensor) -> Quantised:
        quantised: Quantised = self.codebook(self._vectors(seen))
        return quantised

    def _vectors(self, seen: Tensor) -> Tensor:
        """[B·g², c] before quantisation."""
        grid: Tensor = self.encoder(seen)
        return grid.float().permute(0, 2, 3, 1).reshape(-1, self.code_size)


class Residual(nn.Module):
    """Adds two convolutions, as in the paper's networks."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(),
            _point(channels, channels),
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        added: Tensor = features + self.layers(features)
        return added


def _point(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 1)


def _down(channels: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(channels):
        layers += [nn.Conv2d(before, after, 4, 2, padding=1), nn.ReLU()]
    # the residual block begins with one of its own
    return layers[:-1]


def _up(channels: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(channels):
        layers += [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, padding=1)]
    return layers
