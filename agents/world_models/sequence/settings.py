"""Hyperparameters of sequence models. Imports no torch.

Who has more settings continues the chain, `class MoreSettings(SequenceSettings, ...)`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from agents.base import Rule
from agents.encoders.settings import Count, EncoderSettings, NotNegative, Positive

Whole = Annotated[int, Meta(ge=0)]
Decay = Annotated[float, Meta(ge=0, lt=1)]


class SequenceSettings(EncoderSettings, frozen=True, kw_only=True):
    """From latents and actions so far to what comes next: see `agents.world_models.sequence`."""

    # -- the sequence model
    sequence_model: Annotated[
        Literal["lstm", "transformer", "null"],
        Meta(
            description="what remembers; null: nothing does, and a controller sees the latent "
            "alone (the control without a sequence model)"
        ),
    ] = "lstm"
    sequence_output: Annotated[
        Literal["mixture", "deterministic", "discrete"],
        Meta(
            description="of the next latent, each dimension on its own: a mixture of Gaussians "
            "(lstm with it: the MDN-RNN of Ha and Schmidhuber 2018), one number by squared error, "
            "or a distribution over bins"
        ),
    ] = "mixture"
    sequence_hidden: Annotated[
        int, Meta(ge=1, le=2**14, description="units of the lstm, or width of the transformer")
    ] = 256
    sequence_mixtures: Annotated[
        int, Meta(ge=1, le=1024, description="mixture: Gaussians for each dimension")
    ] = 5
    sequence_bins: Annotated[
        int,
        Meta(
            ge=2,
            le=2**14,
            description="discrete: bins for each dimension, equally often met in the data; where "
            "a dimension has no more values than that, as codes do, these",
        ),
    ] = 32
    sequence_difference: Annotated[
        bool, Meta(description="predict by how much the latent changes, not where to")
    ] = False
    sequence_normalize: Annotated[
        bool,
        Meta(
            description="latents are brought to mean 0 and variance 1 by the training data, and "
            "changes, where these are predicted, to variance 1"
        ),
    ] = False
    sequence_features: Annotated[
        Literal["hidden", "hidden_and_cell"],
        Meta(description="lstm: what a controller sees of it, h or [h; c]"),
    ] = "hidden"
    sequence_reward: Annotated[bool, Meta(description="predict rewards too")] = True
    sequence_end: Annotated[bool, Meta(description="predict ends of episodes too")] = True
    sequence_reward_weight: Annotated[
        NotNegative, Meta(description="of the squared error of rewards, in standard deviations")
    ] = 1.0
    sequence_end_weight: Annotated[
        NotNegative, Meta(description="of the cross-entropy of ends")
    ] = 1.0
    sequence_end_positives: Annotated[
        Positive, Meta(description="how many times a step that ends counts in it")
    ] = 1.0

    # -- the transformer
    sequence_layers: Annotated[int, Meta(ge=1, le=128, description="transformer: blocks")] = 3
    sequence_heads: Annotated[
        int, Meta(ge=1, le=128, description="transformer: heads of attention")
    ] = 4
    sequence_expansion: Annotated[
        int, Meta(ge=1, le=64, description="transformer: units between dense layers, in widths")
    ] = 4
    sequence_dropout: Annotated[Decay, Meta(description="transformer: in training")] = 0.1
    sequence_context: Annotated[
        Annotated[int, Meta(ge=1, le=2**14)] | None,
        Meta(
            description="transformer: latest steps that a step attends to, itself one of them; "
            "older ones are dropped one by one; null: sequence_length"
        ),
    ] = None
    sequence_infilling_weight: Annotated[
        NotNegative,
        Meta(
            description="transformer: weight of also learning to fill in hidden spans, from both "
            "sides; 0: it does not"
        ),
    ] = 0.0
    sequence_infilling_span: Annotated[
        Count, Meta(description="infilling: steps of a hidden span")
    ] = 4
    sequence_infilling_share: Annotated[
        float, Meta(gt=0, lt=1, description="infilling: share of steps that are hidden, about")
    ] = 0.25
    sequence_gan_weight: Annotated[
        NotNegative,
        Meta(
            description="infilling: weight of deceiving a network that learns to tell filled-in "
            "steps from real ones; 0: there is none"
        ),
    ] = 0.0
    sequence_gan_learning_rate: Annotated[
        Positive, Meta(description="infilling: of that network's Adam")
    ] = 1e-3

    # -- retrieval of past experience
    sequence_retrieval: Annotated[
        int,
        Meta(
            ge=0,
            le=1024,
            description="how many windows of the training data, those most like the latest steps, "
            "the model is told the outcome of; 0: none",
        ),
    ] = 0
    sequence_retrieval_window: Annotated[
        Count, Meta(description="retrieval: steps of a window; they lie half of it apart")
    ] = 4
    sequence_retrieval_key: Annotated[
        Count, Meta(description="retrieval: numbers of a window's key, a random projection of it")
    ] = 32
    sequence_retrieval_temperature: Annotated[
        Positive, Meta(description="retrieval: of the softmax over negative squared distances")
    ] = 0.1
    sequence_retrieval_size: Annotated[
        Count, Meta(description="retrieval: windows that are kept at most, drawn at random")
    ] = 4096

    # -- its training
    sequence_updates: Annotated[Whole, Meta(description="batches that are learned from")] = 4000
    sequence_batch_size: Annotated[Count, Meta(description="windows of a batch")] = 100
    sequence_length: Annotated[Count, Meta(description="steps of a window")] = 32
    sequence_sample_latents: Annotated[
        bool,
        Meta(description="latents are drawn anew from mean and variance in each batch; else means"),
    ] = True
    sequence_learning_rate: Annotated[Positive, Meta(description="Adam's step size")] = 1e-3
    sequence_learning_rate_end: Annotated[
        float,
        Meta(ge=0, le=1, description="share of it that is left at the end, which it falls to"),
    ] = 1.0
    sequence_betas: Annotated[
        tuple[Decay, Decay], Meta(description="Adam's decay rates of both moments")
    ] = (0.9, 0.999)
    sequence_adam_eps: Annotated[Positive, Meta(description="Adam's ε")] = 1e-8
    sequence_clip: Annotated[
        Positive | None, Meta(description="greatest entry of a gradient; null: any")
    ] = 1.0
    sequence_held_out: Annotated[
        float, Meta(ge=0, lt=1, description="share of rollouts that are for evaluation only")
    ] = 0.1
    sequence_evaluate_every: Annotated[
        Count, Meta(description="updates between two evaluations")
    ] = 500

    @property
    def context(self) -> int:
        """Steps that the transformer attends to."""
        return self.sequence_context or self.sequence_length

    RULES: ClassVar[tuple[Rule, ...]] = (
        *EncoderSettings.RULES,
        Rule(
            ("sequence_model", "sequence_hidden", "sequence_heads"),
            lambda sequence_model, sequence_hidden, sequence_heads: (
                sequence_model != "transformer" or sequence_hidden % sequence_heads == 0
            ),
            "sequence_hidden a multiple of sequence_heads for a transformer",
        ),
        Rule(
            ("sequence_model", "sequence_infilling_weight"),
            lambda sequence_model, sequence_infilling_weight: (
                sequence_model == "transformer" or sequence_infilling_weight == 0
            ),
            "sequence_infilling_weight needs sequence_model transformer",
        ),
        Rule(
            ("sequence_infilling_weight", "sequence_gan_weight"),
            lambda sequence_infilling_weight, sequence_gan_weight: (
                sequence_infilling_weight > 0 or sequence_gan_weight == 0
            ),
            "sequence_gan_weight needs sequence_infilling_weight",
        ),
        Rule(
            ("sequence_gan_weight", "sequence_output"),
            lambda sequence_gan_weight, sequence_output: (
                sequence_gan_weight == 0 or sequence_output != "discrete"
            ),
            "sequence_gan_weight needs an output that is not discrete",
        ),
    )


def sequence_settings(settings: SequenceSettings) -> SequenceSettings:
    """Those of the encoder and the sequence model alone, of settings that have more."""
    names = SequenceSettings.__struct_fields__
    return SequenceSettings(**{name: getattr(settings, name) for name in names})


def as_builtins(settings: SequenceSettings) -> dict[str, Any]:
    """These as JSON has them, the encoder's left out."""
    builtins: dict[str, Any] = msgspec.to_builtins(sequence_settings(settings))
    return {name: value for name, value in builtins.items() if name.startswith("sequence_")}
