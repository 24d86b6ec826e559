"""Encoders made from settings."""

from __future__ import annotations

from typing import Any

import gymnasium
import torch

from agents.encoders.convolutional import Autoencoder, ConvolutionalVAE
from agents.encoders.interface import ObservationEncoder
from agents.encoders.observations import Observed, observed
from agents.encoders.settings import EncoderSettings, encoder_settings
from agents.encoders.vectors import VectorEncoder
from agents.encoders.vq_vae import VQVAE

_TYPES: dict[str, type[ObservationEncoder]] = {
    "vae": ConvolutionalVAE,
    "beta_vae": ConvolutionalVAE,
    "autoencoder": Autoencoder,
    "vq_vae": VQVAE,
    "mlp": VectorEncoder,
    "mlp_vae": VectorEncoder,
}


def build_encoder(
    settings: EncoderSettings, observation_space: gymnasium.Space[Any], seed: int
) -> ObservationEncoder:
    """An untrained encoder on the processor, with weights drawn from `seed`.

    Raises:
        AgentRefused: it cannot read these observations.
    """
    return build_observed(settings, observed(observation_space, settings), seed)


def build_observed(settings: EncoderSettings, observed: Observed, seed: int) -> ObservationEncoder:
    """An untrained encoder of what is `observed`."""
    own = encoder_settings(settings)
    # layers draw their first weights from torch's own generator, which is left as it was
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = _TYPES[own.encoder](own, observed)
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return encoder
