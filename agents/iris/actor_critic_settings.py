"""Hyperparameters of IRIS's actor-critic. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from agents.base import Rule
from agents.iris.tokenizer_settings import Count, NotNegative, Positive, Share, Whole
from agents.iris.world_model_settings import WorldModelSettings


class ActorCriticSettings(WorldModelSettings, frozen=True, kw_only=True):
    """What acts, and learns in imagination: see `agents.iris.actor_critic`."""

    # -- the actor-critic
    actor_critic_channels: Annotated[
        tuple[Count, ...],
        Meta(description="pictures: of convolutions, each followed by a halving of the sides"),
    ] = (32, 32, 64, 64)
    actor_critic_hidden: Annotated[
        tuple[Count, ...], Meta(description="vectors: units of dense layers")
    ] = (256,)
    actor_critic_lstm: Annotated[Count, Meta(description="units of the LSTM")] = 512
    actor_critic_imagine_horizon: Annotated[
        int, Meta(ge=2, le=2**12, description="H, frames of an imagined trajectory")
    ] = 20
    actor_critic_burn_in: Annotated[
        Whole, Meta(description="real frames, reconstructed, that the LSTM sees before")
    ] = 20
    actor_critic_gamma: Annotated[Share, Meta(description="discount")] = 0.995
    actor_critic_lambda: Annotated[Share, Meta(description="λ of returns")] = 0.95
    actor_critic_entropy_weight: Annotated[
        NotNegative, Meta(description="of the policy's entropy, which is raised")
    ] = 0.001
    actor_critic_mask_ends: Annotated[
        bool,
        Meta(description="nothing is learned from what is imagined after an end (Δ-IRIS)"),
    ] = True
    actor_critic_target_rate: Annotated[
        Annotated[float, Meta(gt=0, le=1)] | None,
        Meta(
            description="returns bootstrap from a slow copy, which takes over this share of the "
            "network at each update (Δ-IRIS); null: from the network itself"
        ),
    ] = None

    # -- its training
    actor_critic_batch_size: Annotated[Count, Meta(description="trajectories of an update")] = 64
    actor_critic_learning_rate: Annotated[Positive, Meta(description="Adam's step size")] = 1e-4
    actor_critic_start_epoch: Annotated[
        Whole, Meta(description="first epoch in which it learns")
    ] = 50
    actor_critic_steps: Annotated[Whole, Meta(description="updates an epoch")] = 200
    actor_critic_grad_acc_steps: Annotated[Count, Meta(description="batches of an update")] = 1
    actor_critic_max_grad_norm: Annotated[
        Positive | None, Meta(description="longest gradient; null: any")
    ] = 10.0

    RULES: ClassVar[tuple[Rule, ...]] = (
        *WorldModelSettings.RULES,
        Rule(
            ("actor_critic_channels",),
            lambda actor_critic_channels: len(actor_critic_channels) > 0,
            "actor_critic_channels: one convolution or more",
        ),
    )
