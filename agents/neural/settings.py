"""Hyperparameters that agents with neural networks share. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agents.base import AgentSettings, Rule

Decay = Annotated[float, Meta(ge=0, lt=1)]
StepSize = Annotated[float, Meta(ge=0)]


class NeuralSettings(AgentSettings, frozen=True, kw_only=True):
    """Replay, networks and optimizers."""

    replay_capacity: Annotated[
        int, Meta(ge=1, le=10**8, description="most recent transitions that are kept")
    ] = 100_000
    batch_size: Annotated[
        int, Meta(ge=1, le=2**20, description="transitions in an update, drawn with replacement")
    ] = 32
    steps_before_learning: Annotated[
        int, Meta(ge=0, description="timesteps before the first update (at least batch_size)")
    ] = 0
    uniform_exploration_steps: Annotated[
        int, Meta(ge=0, description="timesteps of uniformly random actions at the beginning")
    ] = 0
    update_interval: Annotated[
        int, Meta(ge=1, description="timesteps from one time of learning to the next")
    ] = 1
    gradient_steps: Annotated[int, Meta(ge=1, le=2**16, description="updates each time")] = 1
    tau: Annotated[
        float, Meta(ge=0, le=1, description="step of the target networks towards their critics")
    ] = 0.01
    target_update_interval: Annotated[
        int, Meta(ge=1, description="updates between two steps of the target networks")
    ] = 1
    critic_lr: Annotated[float, Meta(ge=0, description="Adam step size of the critics")] = 1e-3
    betas: Annotated[
        tuple[Decay, Decay], Meta(description="Adam's decay rates of both moments")
    ] = (0.9, 0.999)
    adam_eps: Annotated[
        float, Meta(gt=0, description="Adam's ε, added to the root of the second moment")
    ] = 1e-8
    encoder: Annotated[
        Literal["auto", "nature", "minatar", "flat"],
        Meta(
            description="convolutions before the hidden layers: nature of Mnih et al. 2015, "
            "minatar of Young & Tian 2019; flat: none; auto: none for vectors, nature for pictures "
            "of 36 pixels a side or more, minatar for smaller ones"
        ),
    ] = "auto"
    image_channels: Annotated[
        Literal["auto", "first", "last"],
        Meta(
            description="which dimension of a picture is its channels; auto: the one that differs "
            "from the other two, or the lesser of first and last; last where all are equal"
        ),
    ] = "auto"
    hidden_dim: Annotated[
        int, Meta(ge=2, le=2**16, description="units in each hidden layer of every network")
    ] = 64
    num_hidden: Annotated[int, Meta(ge=1, le=16, description="hidden layers of every network")] = 2
    activation: Annotated[
        Literal["relu", "tanh"], Meta(description="what follows a hidden layer")
    ] = "relu"
    weight_init: Annotated[
        Literal[
            "xavier_uniform",
            "xavier_normal",
            "uniform",
            "normal",
            "orthogonal",
            "kaiming_uniform",
            "zeros",
        ],
        Meta(
            description="how weights begin (biases at 0); xavier with the activation's gain, "
            "kaiming_uniform as torch's own layers, biases included"
        ),
    ] = "xavier_uniform"
    cuda: Annotated[bool, Meta(description="train on the GPU, like --device cuda")] = False

    @property
    def stores_for(self) -> int:
        """Until the replay is full: memory is taken as it is written."""
        return self.replay_capacity


class ActorSettings(NeuralSettings, frozen=True, kw_only=True):
    """With a policy network beside the critics."""

    actor_lr_scale: Annotated[
        StepSize | None,
        Meta(description="the policy's Adam step size in units of critic_lr; null: 1"),
    ] = None
    actor_lr: Annotated[
        StepSize | None,
        Meta(description="the policy's Adam step size itself; null: by actor_lr_scale"),
    ] = None

    @property
    def actor_step_size(self) -> float:
        """The policy's Adam step size."""
        if self.actor_lr is not None:
            return self.actor_lr
        return self.critic_lr * (1.0 if self.actor_lr_scale is None else self.actor_lr_scale)


#: Hyperparameters that shape arrays or time the updates: equal in all members of a batch.
STATIC = (
    "replay_capacity",
    "batch_size",
    "steps_before_learning",
    "uniform_exploration_steps",
    "update_interval",
    "gradient_steps",
    "target_update_interval",
    "encoder",
    "image_channels",
    "hidden_dim",
    "num_hidden",
    "activation",
    "weight_init",
    "cuda",
)

RULES = (
    Rule(
        ("batch_size", "replay_capacity"),
        lambda batch_size, replay_capacity: batch_size <= replay_capacity,
        "batch_size <= replay_capacity",
    ),
)

ACTOR_RULES = (
    *RULES,
    Rule(
        ("actor_lr", "actor_lr_scale"),
        lambda actor_lr, actor_lr_scale: actor_lr is None or actor_lr_scale is None,
        "actor_lr or actor_lr_scale, not both",
    ),
)
