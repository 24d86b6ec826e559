"""Hyperparameters of IRIS's tokenizer. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.base import AgentSettings, Rule

Count = Annotated[int, Meta(ge=1)]
Whole = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Decay = Annotated[float, Meta(ge=0, lt=1)]


class TokenizerSettings(AgentSettings, frozen=True, kw_only=True):
    """From frames to tokens and back: see `agents.iris.tokenizer`."""

    # -- the tokenizer
    tokenizer: Annotated[
        Literal["auto", "vqvae", "discretising"],
        Meta(
            description="vqvae: of pictures; discretising: of vectors, a token for each dimension; "
            "auto: by the observation"
        ),
    ] = "auto"
    tokenizer_path: Annotated[
        str | None,
        Meta(
            description="file, or folder of a run, of a tokenizer that is already trained; null: "
            "it is learned from its beginning"
        ),
    ] = None
    tokenizer_should_train: Annotated[
        bool, Meta(description="false: it stays as it is, which needs tokenizer_path")
    ] = True
    tokenizer_vocab_size: Annotated[
        int, Meta(ge=2, le=2**16, description="V, tokens that there are; discretising: bins")
    ] = 512
    tokenizer_frame_size: Annotated[
        Annotated[int, Meta(ge=4, le=1024)] | None,
        Meta(description="pixels a side that pictures are resized to; null: as they are"),
    ] = 64
    tokenizer_image_channels: Annotated[
        Literal["auto", "first", "last"],
        Meta(
            description="which dimension of a picture is its channels; auto: the lesser of first "
            "and last; last where they are equal"
        ),
    ] = "auto"
    tokenizer_delta: Annotated[
        bool,
        Meta(
            description="tokens are of what is new since the frame before, which encoder, decoder "
            "and world model see beside the action; the actor-critic sees real frames as they are "
            "(Δ-IRIS)"
        ),
    ] = False

    # -- vqvae: its networks
    tokenizer_network: Annotated[
        Literal["residual", "plain"],
        Meta(
            description="residual: blocks with attention, as published; plain: a convolution for "
            "each level, for small pictures"
        ),
    ] = "residual"
    tokenizer_channels: Annotated[
        int,
        Meta(ge=1, le=2**12, description="channels of each level"),
    ] = 64
    tokenizer_downsamplings: Annotated[
        int, Meta(ge=1, le=8, description="how often the sides are halved: 64 pixels to 4 by 4")
    ] = 4
    tokenizer_res_blocks: Annotated[
        int, Meta(ge=1, le=16, description="residual: blocks a level, one more in the decoder")
    ] = 2
    tokenizer_attention: Annotated[
        tuple[Count, ...], Meta(description="residual: sides in pixels of levels with attention")
    ] = (8, 16)
    tokenizer_z_channels: Annotated[
        int, Meta(ge=1, le=2**14, description="channels between networks and codes")
    ] = 512
    tokenizer_embed_dim: Annotated[int, Meta(ge=1, le=2**14, description="numbers of a code")] = 512
    tokenizer_patch: Annotated[
        int,
        Meta(
            ge=1,
            le=2**6,
            description="places of the smallest level, a side, that a token stands for (Δ-IRIS: 4 "
            "of the 8 that 64 pixels become: 4 tokens)",
        ),
    ] = 1
    tokenizer_frame_channels: Annotated[
        Count, Meta(description="delta: of the frame before, in what is decoded")
    ] = 8
    tokenizer_action_channels: Annotated[
        Count, Meta(description="delta: of the action, in what is decoded")
    ] = 4

    # -- vqvae: its codebook
    tokenizer_codebook: Annotated[
        Literal["straight_through", "ema_cosine"],
        Meta(
            description="straight_through: codes are learned by gradients, nearest by distance; "
            "ema_cosine: codes follow what they stand for, nearest by angle (Δ-IRIS)"
        ),
    ] = "straight_through"
    tokenizer_codebook_decay: Annotated[
        Decay, Meta(description="ema_cosine: share of a code that an update leaves")
    ] = 0.99
    tokenizer_commitment_weight: Annotated[
        NotNegative, Meta(description="β, of the distance of latents from their codes")
    ] = 1.0
    tokenizer_revive_after: Annotated[
        Whole,
        Meta(
            description="updates after which a code that stood for nothing becomes a latent of the "
            "batch; 0: codes stay dead"
        ),
    ] = 0
    tokenizer_perplexity_alarm: Annotated[
        NotNegative,
        Meta(description="warn when so few codes are in use, by perplexity, after training; 0: no"),
    ] = 4.0

    # -- vqvae: its losses
    tokenizer_l1_weight: Annotated[NotNegative, Meta(description="of |x - x̂|, a mean")] = 1.0
    tokenizer_mse_weight: Annotated[NotNegative, Meta(description="of (x - x̂)², a mean")] = 0.0
    tokenizer_worst_pixel_weight: Annotated[
        NotNegative, Meta(description="of the greatest (x - x̂)² of a picture (Δ-IRIS: 0.01)")
    ] = 0.0
    tokenizer_ssim_weight: Annotated[
        NotNegative, Meta(description="of 1 - structural similarity (Wang et al. 2004)")
    ] = 0.0
    tokenizer_focal_frequency_weight: Annotated[
        NotNegative, Meta(description="of the focal frequency loss (Jiang et al. 2021)")
    ] = 0.0
    tokenizer_lpips_weight: Annotated[
        NotNegative,
        Meta(description="of the perceptual distance (published: 1); needs tokenizer_lpips_path"),
    ] = 0.0
    tokenizer_lpips_path: Annotated[
        str | None,
        Meta(description="file with the weights of VGG16 and of LPIPS's five linear layers"),
    ] = None
    tokenizer_critic_loss_weight: Annotated[
        NotNegative,
        Meta(description="of the squared error of returns, told from a frame's codes"),
    ] = 0.0
    tokenizer_critic_hidden: Annotated[Count, Meta(description="units of its two layers")] = 512
    tokenizer_returns_gamma: Annotated[Share, Meta(description="discount of these returns")] = 0.99
    tokenizer_ignore_last_of_incomplete: Annotated[
        Whole,
        Meta(description="last steps of an episode cut off whose returns are not learned from"),
    ] = 200

    # -- its training
    tokenizer_batch_size: Annotated[Count, Meta(description="frames of an update")] = 256
    tokenizer_learning_rate: Annotated[Positive, Meta(description="Adam's step size")] = 1e-4
    tokenizer_start_epoch: Annotated[Whole, Meta(description="first epoch in which it learns")] = 5
    tokenizer_stop_epoch: Annotated[
        Whole | None, Meta(description="first epoch in which it no longer does; null: to the end")
    ] = None
    tokenizer_steps: Annotated[Whole, Meta(description="updates an epoch")] = 200
    tokenizer_grad_acc_steps: Annotated[Count, Meta(description="batches of an update")] = 1
    tokenizer_max_grad_norm: Annotated[
        Positive | None, Meta(description="longest gradient; null: any")
    ] = 10.0

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            ("tokenizer_should_train", "tokenizer_path"),
            lambda tokenizer_should_train, tokenizer_path: (
                tokenizer_should_train or tokenizer_path is not None
            ),
            "tokenizer_should_train false needs tokenizer_path",
        ),
        Rule(
            ("tokenizer_lpips_weight", "tokenizer_lpips_path"),
            lambda tokenizer_lpips_weight, tokenizer_lpips_path: (
                tokenizer_lpips_weight == 0 or tokenizer_lpips_path is not None
            ),
            "tokenizer_lpips_weight needs tokenizer_lpips_path",
        ),
        Rule(
            ("tokenizer_network", "tokenizer_channels"),
            lambda tokenizer_network, tokenizer_channels: (
                tokenizer_network == "plain" or tokenizer_channels % 32 == 0
            ),
            'tokenizer_channels a multiple of 32 for tokenizer_network "residual", which '
            "normalises in 32 groups",
        ),
    )
