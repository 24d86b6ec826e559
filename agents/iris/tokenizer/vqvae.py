"""The tokenizer of pictures: a VQ-VAE (van den Oord, Vinyals and Kavukcuoglu 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.base import AgentRefused
from agents.iris.frames import Frames
from agents.iris.tokenizer.codebook import Codebook, perplexity
from agents.iris.tokenizer.interface import Before, Tokenizer
from agents.iris.tokenizer.losses import focal_frequency_loss, ssim_loss, worst_pixel
from agents.iris.tokenizer.networks import (
    decoder_of,
    encoder_of,
    fitted,
    sides_of_levels,
)
from agents.iris.tokenizer.perceptual import Perceptual
from agents.iris.tokenizer_settings import TokenizerSettings
from agents.parallel.sharing import per_rank
from agents.precision import computed_in


class VQVAE(Tokenizer):
    """K codes, a grid of them, for each picture.

    Args:
        beside_pictures, beside_codes: channels that encoder and decoder take in besides.

    Raises:
        AgentRefused: pictures that its losses cannot compare, or whose codes are no grid.
    """

    def __init__(
        self,
        settings: TokenizerSettings,
        frames: Frames,
        generator: torch.Generator,
        *,
        beside_pictures: int = 0,
        beside_codes: int = 0,
    ) -> None:
        super().__init__(frames)
        self.settings = settings
        channels, height, width = frames.shape
        size, inner = settings.tokenizer_embed_dim, settings.tokenizer_z_channels
        self.encoder = encoder_of(settings, channels + beside_pictures, inner, height)
        self.decoder = decoder_of(settings, inner + beside_codes, channels, height)
        side = settings.tokenizer_patch
        self.to_codes = nn.Conv2d(inner, size, side, stride=side)
        self.from_codes: nn.Module = (
            nn.Conv2d(size, inner, 1)
            if side == 1
            else nn.ConvTranspose2d(size, inner, side, stride=side)
        )
        self.vocabulary = settings.tokenizer_vocab_size
        self.codebook = Codebook(
            self.vocabulary,
            size,
            kind=settings.tokenizer_codebook,
            decay=settings.tokenizer_codebook_decay,
            revive_after=settings.tokenizer_revive_after,
            generator=generator,
        )
        self.smallest = tuple(sides_of_levels(settings, pixels)[-1] for pixels in (height, width))
        if any(places % side for places in self.smallest):
            rows, columns = self.smallest
            raise AgentRefused(
                f"tokenizer_patch {side} does not divide the {rows} x {columns} places that "
                f"pictures of {height} x {width} pixels are encoded to"
            )
        self.grid = (self.smallest[0] // side, self.smallest[1] // side)
        self.tokens_per_frame = self.grid[0] * self.grid[1]
        hidden = settings.tokenizer_critic_hidden
        self.critic = (
            nn.Sequential(
                nn.Linear(self.tokens_per_frame * size, hidden),
                nn.ReLU(),
                nn.Linear(hidden, hidden),
                nn.ReLU(),
                nn.Linear(hidden, 1),
            )
            if settings.tokenizer_critic_loss_weight
            else None
        )
        self._perceptual: list[Perceptual] = []  # no module of this one: it has no state
        if settings.tokenizer_lpips_weight:
            if channels not in (1, 3):
                raise AgentRefused(
                    f"tokenizer_lpips_weight needs pictures of 1 or 3 channels, not {channels}"
                )
            assert settings.tokenizer_lpips_path is not None  # a rule of the settings
            self._perceptual.append(Perceptual(settings.tokenizer_lpips_path))

    def latents(self, pictures: Tensor, before: Before | None = None) -> Tensor:
        """[B * K, D] of [B, C, H, W] within [0, 1]."""
        grids: Tensor = self.to_codes(self.encoder(self.encoder_input(pictures * 2 - 1, before)))
        return grids.permute(0, 2, 3, 1).flatten(0, 2)

    def pictures(self, codes: Tensor, before: Before | None = None) -> Tensor:
        """[B, C, H, W] of codes [B * K, D], not bounded."""
        rows, columns = self.grid
        grids = codes.view(-1, rows, columns, codes.shape[-1]).permute(0, 3, 1, 2)
        decoded: Tensor = self.decoder(self.decoder_input(self.from_codes(grids), before))
        return (fitted(decoded, self.frames.shape[1:]) + 1) / 2

    def encoder_input(self, pictures: Tensor, before: Before | None) -> Tensor:
        """[B, C + beside_pictures, H, W] of [B, C, H, W] within [-1, 1]."""
        return pictures

    def decoder_input(self, grids: Tensor, before: Before | None) -> Tensor:
        """[B, Z + beside_codes, h, w] of what codes became, [B, Z, h, w]."""
        return grids

    def encode(self, observed: Tensor, before: Before | None = None) -> Tensor:
        latents = self.latents(self.frames.prepare(observed), before)
        return self.codebook.nearest(latents).view(len(observed), self.tokens_per_frame)

    def decode(self, tokens: Tensor, before: Before | None = None) -> Tensor:
        codes = functional.embedding(tokens.flatten(), self.codebook.codes)
        return self.pictures(codes, before).clamp(0, 1)

    def loss(
        self,
        observed: Tensor,
        generator: torch.Generator,
        returns: Tensor | None = None,
        before: Before | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        settings, pictures = self.settings, self.frames.prepare(observed)
        exact = computed_in("float32", pictures.device)  # whatever networks are computed in
        latents = self.latents(pictures, before).float()
        with exact:
            quantized = self.codebook(latents)
        reconstructed = self.pictures(quantized.codes, before).float()
        error = reconstructed - pictures
        weighted: dict[str, tuple[float, Callable[[], Tensor]]] = {
            "l1": (settings.tokenizer_l1_weight, lambda: error.abs().mean()),
            "mse": (settings.tokenizer_mse_weight, lambda: error.square().mean()),
            "worst_pixel": (
                settings.tokenizer_worst_pixel_weight,
                lambda: worst_pixel(reconstructed, pictures),
            ),
            "ssim": (settings.tokenizer_ssim_weight, lambda: ssim_loss(reconstructed, pictures)),
            "focal_frequency": (
                settings.tokenizer_focal_frequency_weight,
                lambda: focal_frequency_loss(reconstructed, pictures),
            ),
            "lpips": (
                settings.tokenizer_lpips_weight,
                lambda: self._perceptual[0].forward(reconstructed, pictures),
            ),
            "commitment": (
                settings.tokenizer_commitment_weight,
                lambda: quantized.commitment_loss,
            ),
        }
        with exact:
            parts = {name: of() for name, (weight, of) in weighted.items() if weight}
        total = quantized.codebook_loss
        for name, part in parts.items():
            total = total + weighted[name][0] * part
        if self.critic is not None and returns is not None:
            parts["critic"] = self._critic_loss(quantized.codes, returns)
            total = total + settings.tokenizer_critic_loss_weight * parts["critic"]
        parts["revived"] = self.codebook.learn_from(quantized, generator)
        parts["perplexity"] = perplexity(self.codebook.usage)
        return total, {name: part.detach() for name, part in parts.items()}

    def _critic_loss(self, codes: Tensor, returns: Tensor) -> Tensor:
        """Mean squared error over the frames whose return [B] is known."""
        assert self.critic is not None
        # [B], as returns are
        told = self.critic(codes.view(len(returns), -1)).squeeze(-1).float()
        known = torch.isfinite(returns)
        errors = torch.where(known, told - returns.nan_to_num(), 0.0)
        return errors.square().sum() / per_rank(known.sum())
