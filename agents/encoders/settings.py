"""Hyperparameters of observation encoders. Imports no torch.

Structs with fields cannot be combined by inheriting from several: who has more settings continues
the chain, `class MoreSettings(EncoderSettings, ...)`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from agents.base import AgentSettings, Rule

Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]

EncoderName = Literal["vae", "beta_vae", "autoencoder", "vq_vae", "mlp", "mlp_vae"]
#: Those of pictures; the others are of vectors.
OF_PICTURES = ("vae", "beta_vae", "autoencoder", "vq_vae")


class EncoderSettings(AgentSettings, frozen=True, kw_only=True):
    """From observations to latents: see `agents.encoders`."""

    # -- the encoder
    encoder: Annotated[
        EncoderName,
        Meta(
            description="of pictures: vae (convolutions as in Ha and Schmidhuber 2018), beta_vae, "
            "autoencoder, vq_vae; of vectors: mlp, mlp_vae"
        ),
    ] = "vae"
    representation_size: Annotated[
        int, Meta(ge=1, le=2**14, description="D, numbers of a latent")
    ] = 32
    encoder_picture_size: Annotated[
        int, Meta(ge=8, le=256, description="pixels a side that pictures are resized to")
    ] = 64
    encoder_rows: Annotated[
        tuple[Annotated[int, Meta(ge=0)], Count] | None,
        Meta(
            description="rows of a picture that are kept, [first, the one after the last]; "
            "[0, 84] leaves out CarRacing's bar of numbers; null: all"
        ),
    ] = None
    encoder_grey: Annotated[
        bool, Meta(description="colours (each three channels) become shades of grey")
    ] = False
    encoder_image_channels: Annotated[
        Literal["auto", "first", "last"],
        Meta(
            description="which dimension of a picture is its channels; auto: the one that differs "
            "from the other two, or the lesser of first and last; last where all are equal"
        ),
    ] = "auto"
    encoder_width: Annotated[
        int,
        Meta(
            ge=1,
            le=512,
            description="filters of the first convolution; each of the next has twice as many, "
            "up to eight times this",
        ),
    ] = 32
    encoder_hidden: Annotated[
        int, Meta(ge=1, le=2**14, description="mlp, mlp_vae: units of both hidden layers")
    ] = 128

    # -- its loss
    encoder_kl_weight: Annotated[
        NotNegative | None,
        Meta(description="β of the KL; null: vae 1, as published, beta_vae 4, mlp_vae 0.01"),
    ] = None
    encoder_free_bits: Annotated[
        NotNegative | None,
        Meta(
            description="nats of KL for each latent that cost nothing: of their sum in a vae, of "
            "each one's mean in beta_vae and mlp_vae; null: vae 0.5, as published, else 0"
        ),
    ] = None
    encoder_gan_weight: Annotated[
        NotNegative,
        Meta(
            description="of the loss by a discriminator that learns to tell reconstructions from "
            "pictures; 0: there is none"
        ),
    ] = 0.0
    encoder_gan_learning_rate: Annotated[
        Positive, Meta(description="the discriminator's step size")
    ] = 1e-4

    # -- codes of a vq_vae
    encoder_codes: Annotated[
        int, Meta(ge=2, le=2**16, description="vq_vae: vectors in the codebook")
    ] = 512
    encoder_code_grid: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="vq_vae: codes a side of a picture, g² in all; a code has "
            "representation_size / g² numbers",
        ),
    ] = 4
    encoder_codebook: Annotated[
        Literal["ema", "gradient"],
        Meta(
            description="vq_vae: how codes are learned: as moving means of what they stand for, "
            "or by their own loss, with the gradient passed straight through in both"
        ),
    ] = "ema"
    encoder_commitment: Annotated[
        NotNegative, Meta(description="vq_vae: weight that draws the encoder's output to its code")
    ] = 0.25
    encoder_code_decay: Annotated[
        float, Meta(ge=0, lt=1, description="vq_vae: of the moving means, and of codes' usage")
    ] = 0.95
    encoder_revival: Annotated[
        NotNegative,
        Meta(
            description="vq_vae: a code used less than this share of the mean usage becomes one "
            "of the encoder's outputs; 0: dead codes stay dead"
        ),
    ] = 0.1

    # -- training
    encoder_updates: Annotated[
        int, Meta(ge=0, le=10**9, description="gradient steps of the encoder")
    ] = 4000
    encoder_batch_size: Annotated[
        int, Meta(ge=1, le=2**16, description="observations in one of them")
    ] = 100
    encoder_learning_rate: Annotated[Positive, Meta(description="Adam's step size")] = 1e-3
    encoder_max_grad_norm: Annotated[
        Positive | None, Meta(description="longest gradient of all parameters; null: any")
    ] = None
    encoder_observations_per_rollout: Annotated[
        int,
        Meta(
            ge=1,
            le=2**16,
            description="observations drawn from a rollout at once: more is faster to read, and "
            "makes the batch less varied",
        ),
    ] = 10
    encoder_held_out: Annotated[
        float,
        Meta(gt=0, lt=1, description="share of the rollouts that the error is reported of"),
    ] = 0.1
    encoder_report_updates: Annotated[
        Count, Meta(description="updates between two looks at the error of held-out rollouts")
    ] = 200
    encoder_precision: Annotated[
        Literal["float32", "bfloat16"],
        Meta(description="of products in training; bfloat16 pays where processors have it"),
    ] = "float32"

    @property
    def kl_weight(self) -> float:
        """β."""
        if self.encoder_kl_weight is not None:
            return self.encoder_kl_weight
        return {"beta_vae": 4.0, "mlp_vae": 0.01}.get(self.encoder, 1.0)

    @property
    def free_bits(self) -> float:
        """Nats of KL for each latent that cost nothing."""
        if self.encoder_free_bits is not None:
            return self.encoder_free_bits
        return 0.5 if self.encoder == "vae" else 0.0

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            ("encoder_rows",),
            lambda encoder_rows: encoder_rows is None or encoder_rows[0] < encoder_rows[1],
            "encoder_rows: the first one below the second",
        ),
        Rule(
            ("encoder", "representation_size", "encoder_code_grid"),
            lambda encoder, representation_size, encoder_code_grid: (
                encoder != "vq_vae" or representation_size % encoder_code_grid**2 == 0
            ),
            "representation_size a multiple of encoder_code_grid² for a vq_vae",
        ),
        Rule(
            ("encoder", "encoder_picture_size", "encoder_code_grid"),
            lambda encoder, encoder_picture_size, encoder_code_grid: (
                encoder != "vq_vae" or halvings(encoder_picture_size, encoder_code_grid) is not None
            ),
            "encoder_picture_size is encoder_code_grid times 2, 4, 8, ... for a vq_vae",
        ),
        Rule(
            ("encoder", "encoder_gan_weight"),
            lambda encoder, encoder_gan_weight: encoder_gan_weight == 0 or encoder in OF_PICTURES,
            "encoder_gan_weight needs an encoder of pictures",
        ),
    )


def halvings(size: int, grid: int) -> int | None:
    """How often `size` is halved to be `grid`, at least once; None: never."""
    times = 0
    while size > grid and size % 2 == 0:
        size, times = size // 2, times + 1
    return times if size == grid and times else None


def encoder_settings(settings: EncoderSettings) -> EncoderSettings:
    """Those of the encoder alone, of settings that have more."""
    names = EncoderSettings.__struct_fields__
    return EncoderSettings(**{name: getattr(settings, name) for name in names})


def as_builtins(settings: EncoderSettings) -> dict[str, Any]:
    """The encoder's settings as JSON has them."""
    builtins: dict[str, Any] = msgspec.to_builtins(encoder_settings(settings))
    return builtins
