"""Hyperparameters of IRIS. Imports no torch.

Names and defaults are those of the original's trainer.yaml, with underscores for dots.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.base import Rule
from agents.iris.actor_critic_settings import ActorCriticSettings
from agents.iris.tokenizer_settings import Count, NotNegative, Share, Whole

#: See `agents.precision`, which imports torch.
Precision = Literal["float32", "bfloat16"]


class IrisSettings(ActorCriticSettings, frozen=True, kw_only=True):
    """IRIS: an actor-critic in the imagination of a token world model (Micheli et al. 2023)."""

    # -- epochs
    epochs: Annotated[
        Count | None,
        Meta(
            description="rounds of collecting and learning; null: until all timesteps are taken; "
            "more: the last ones learn only"
        ),
    ] = None
    collection_num_envs: Annotated[Count, Meta(description="environments to collect from")] = 1
    collection_num_steps: Annotated[
        Count, Meta(description="timesteps of an epoch, of all environments together")
    ] = 200
    collection_epsilon: Annotated[Share, Meta(description="share of random actions")] = 0.01
    collection_should_sample: Annotated[
        bool, Meta(description="actions are drawn from the policy; false: the likeliest")
    ] = True
    collection_temperature: Annotated[
        float, Meta(gt=0, description="of the policy; 0.01 for sparse rewards such as Freeway's")
    ] = 1.0
    evaluation_epsilon: Annotated[Share, Meta(description="the same in evaluations")] = 0.0
    evaluation_should_sample: Annotated[bool, Meta(description="the same in evaluations")] = True
    evaluation_temperature: Annotated[float, Meta(gt=0, description="the same in evaluations")] = (
        0.5
    )

    # -- the episodes that are learned from
    dataset_capacity: Annotated[
        Count | None,
        Meta(description="timesteps that are kept, whole episodes, the latest; null: all"),
    ] = None
    sampling_weights: Annotated[
        tuple[NotNegative, ...] | None,
        Meta(
            description="how often each part of the episodes is drawn, from the oldest on, such as "
            "[0.125, 0.125, 0.25, 0.5] for quarters; null: all alike"
        ),
    ] = None
    imagination_temperature: Annotated[
        float, Meta(gt=0, description="of tokens, rewards and ends that are imagined")
    ] = 1.0

    imagination_precision: Annotated[
        Precision,
        Meta(
            description="that networks imagine in; bfloat16 is many times as fast at published "
            "sizes where the processor multiplies in it"
        ),
    ] = "float32"

    # -- how updates are computed
    num_trainers: Annotated[
        Count,
        Meta(
            description="processes that learn together, a GPU each with --device cuda, in turn; "
            "each has a share of every batch"
        ),
    ] = 1
    training_precision: Annotated[
        Precision,
        Meta(
            description="that networks learn in; bfloat16: their matrix products and convolutions "
            "alone, while weights, losses and optimizers stay in float32"
        ),
    ] = "float32"
    compile: Annotated[
        bool,
        Meta(
            description="encoder, decoder, the transformer over segments and the actor-critic's "
            "layers before its LSTM are compiled by torch.compile, for minutes; meant for GPUs, "
            "slower on a CPU"
        ),
    ] = False

    # -- what is kept in the folder of the run
    num_episodes_to_save: Annotated[
        Whole,
        Meta(description="the latest of each kind, and the best; 0: none"),
    ] = 10
    save_every: Annotated[
        Count,
        Meta(description="epochs from one saving of networks, pictures and imagination to another"),
    ] = 5
    save_reconstructions: Annotated[
        bool, Meta(description="pictures of frames, and of what the tokenizer makes of them")
    ] = True

    @property
    def stores_for(self) -> int:
        """Until the episodes that are kept are all there."""
        return self.dataset_capacity or 10**9

    @classmethod
    def group_size(cls, device: str) -> int:
        """One: its batches fill the machine."""
        return 1

    RULES: ClassVar[tuple[Rule, ...]] = (
        *ActorCriticSettings.RULES,
        *(
            Rule(
                (f"{part}_batch_size", "num_trainers"),
                lambda num_trainers, **size: next(iter(size.values())) % num_trainers == 0,
                f"{part}_batch_size a multiple of num_trainers",
            )
            for part in ("tokenizer", "world_model", "actor_critic")
        ),
        Rule(
            ("sampling_weights",),
            lambda sampling_weights: sampling_weights is None or sum(sampling_weights) > 0,
            "sampling_weights: one above 0",
        ),
    )
