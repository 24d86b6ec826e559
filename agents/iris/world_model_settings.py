"""Hyperparameters of IRIS's world models. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.base import Rule
from agents.iris.tokenizer_settings import (
    Count,
    Decay,
    NotNegative,
    Positive,
    TokenizerSettings,
    Whole,
)


class WorldModelSettings(TokenizerSettings, frozen=True, kw_only=True):
    """From tokens and actions so far to what comes next: see `agents.iris.world_models`."""

    # -- the world model
    world_model: Annotated[
        Literal["transformer", "gpt2", "ncp_single_step", "ncp_multi_step", "dummy"],
        Meta(
            description="transformer; gpt2: the same, its blocks those of a GPT-2; ncp_...: neural "
            "circuits (Lechner et al. 2020), all tokens of a frame at once or one after another; "
            "dummy: the environment itself, an upper bound"
        ),
    ] = "transformer"
    sequence_length: Annotated[
        int, Meta(ge=2, le=2**12, description="L, steps of a segment, and the longest memory")
    ] = 20
    world_model_embed_dim: Annotated[
        int, Meta(ge=1, le=2**14, description="width; gpt2 from a file has its own")
    ] = 256
    world_model_layers: Annotated[
        int, Meta(ge=1, le=256, description="blocks, or neural circuits on top of each other")
    ] = 10
    world_model_heads: Annotated[int, Meta(ge=1, le=256, description="of attention")] = 4
    world_model_attention: Annotated[
        Literal["causal", "block_causal"],
        Meta(
            description="causal: a frame's tokens one after another; block_causal: all at once, a "
            "pass a frame, tokens of a frame and its action seeing each other"
        ),
    ] = "causal"
    world_model_frame_channels: Annotated[
        tuple[Count, ...],
        Meta(
            description="tokenizer_delta: of convolutions, each of which halves the sides, that "
            "make one embedding of a frame"
        ),
    ] = (32, 32, 64)
    world_model_dropout: Annotated[
        Decay, Meta(description="of embeddings, attention and what blocks add")
    ] = 0.1
    world_model_frozen: Annotated[
        bool | Whole | tuple[Whole, ...],
        Meta(
            description="blocks whose attention and dense layers do not learn: true: all; a "
            "number n: all but the last n; [i, ...]: these; their norms always learn"
        ),
    ] = False
    gpt2_path: Annotated[
        str | None,
        Meta(
            description="gpt2: a local folder or a name of the Hugging Face hub, such as gpt2; "
            "null: freshly initialised by world_model_layers, _heads and _embed_dim"
        ),
    ] = None
    ncp_units: Annotated[
        Count | None,
        Meta(
            description="neurons of a circuit; null: 1.5 times its outputs, ncp_multi_step 2 times"
        ),
    ] = None
    ncp_sparsity: Annotated[
        float, Meta(ge=0.1, le=0.9, description="share of a circuit's synapses that are missing")
    ] = 0.5
    ncp_mode: Annotated[
        Literal["default", "pure", "no_gate"], Meta(description="of closed-form neurons (CfC)")
    ] = "default"

    # -- its training
    world_model_batch_size: Annotated[Count, Meta(description="segments of an update")] = 64
    world_model_learning_rate: Annotated[Positive, Meta(description="AdamW's step size")] = 1e-4
    world_model_weight_decay: Annotated[
        NotNegative, Meta(description="of weights of linear layers")
    ] = 0.01
    world_model_start_epoch: Annotated[
        Whole, Meta(description="first epoch in which it learns")
    ] = 25
    world_model_stop_epoch: Annotated[
        Whole | None, Meta(description="first epoch in which it no longer does; null: to the end")
    ] = None
    world_model_steps: Annotated[Whole, Meta(description="updates an epoch")] = 200
    world_model_grad_acc_steps: Annotated[Count, Meta(description="batches of an update")] = 1
    world_model_max_grad_norm: Annotated[
        Positive | None, Meta(description="longest gradient; null: any")
    ] = 10.0

    RULES: ClassVar[tuple[Rule, ...]] = (
        *TokenizerSettings.RULES,
        Rule(
            ("world_model", "world_model_embed_dim", "world_model_heads"),
            lambda world_model, world_model_embed_dim, world_model_heads: (
                world_model not in ("transformer", "gpt2")
                or world_model_embed_dim % world_model_heads == 0
            ),
            "world_model_embed_dim a multiple of world_model_heads",
        ),
        Rule(
            ("gpt2_path", "world_model"),
            lambda gpt2_path, world_model: gpt2_path is None or world_model == "gpt2",
            'gpt2_path needs world_model "gpt2"',
        ),
        Rule(
            ("world_model", "world_model_frozen"),
            lambda world_model, world_model_frozen: (
                world_model_frozen is False or world_model in ("transformer", "gpt2")
            ),
            'world_model_frozen needs world_model "transformer" or "gpt2"',
        ),
        Rule(
            ("tokenizer_delta", "world_model"),
            lambda tokenizer_delta, world_model: (
                not tokenizer_delta or world_model in ("transformer", "gpt2")
            ),
            'tokenizer_delta needs world_model "transformer" or "gpt2"',
        ),
        Rule(
            ("tokenizer_delta", "tokenizer"),
            lambda tokenizer_delta, tokenizer: not tokenizer_delta or tokenizer != "discretising",
            'tokenizer_delta needs tokenizer "vqvae"',
        ),
        Rule(
            ("world_model_frame_channels",),
            lambda world_model_frame_channels: len(world_model_frame_channels) > 0,
            "world_model_frame_channels: one convolution or more",
        ),
    )
