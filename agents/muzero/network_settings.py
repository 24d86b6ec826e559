"""Hyperparameters of MuZero's networks."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agents.muzero.acting_settings import ActingSettings
from agents.muzero.ranges import Positive, Share


class NetworkSettings(ActingSettings, frozen=True, kw_only=True):
    """See the module's text."""

    # -- the network
    network: Annotated[
        Literal["auto", "mlp", "board", "minatar", "atari"],
        Meta(
            description="mlp: dense layers, of any observation flattened; minatar, atari: residual "
            "blocks for pictures of some 10 or 90 pixels a side; board: for board games in which "
            "lines of cells count; auto: by the observation, never board"
        ),
    ] = "auto"
    image_channels: Annotated[
        Literal["auto", "first", "last"],
        Meta(
            description="which dimension of a picture is its channels; auto: the one that differs "
            "from the other two, or the lesser of first and last; last where all are equal"
        ),
    ] = "auto"
    hidden_size: Annotated[
        Annotated[int, Meta(ge=2, le=2**14)] | None,
        Meta(
            description="features of a latent state, or its channels; null: 64, minatar 32, "
            "board 16"
        ),
    ] = None
    hidden_dim: Annotated[
        int, Meta(ge=1, le=2**14, description="units of the dense layers in between")
    ] = 64
    dynamics_blocks: Annotated[
        int, Meta(ge=0, le=64, description="residual blocks of h, where it has some, and of g")
    ] = 1
    stem: Annotated[
        Literal["residual", "strided"],
        Meta(
            description="atari: what h begins with; strided: the large strides of DQN, "
            "which updates take a third to a half of the time with"
        ),
    ] = "residual"
    line_length: Annotated[
        int, Meta(ge=2, le=64, description="board: cells of the lines that it looks at")
    ] = 4
    film: Annotated[
        bool,
        Meta(description="an action scales and shifts channels, in place of a plane of its own"),
    ] = False
    normalization: Annotated[
        Literal["auto", "none", "layer", "batch"],
        Meta(description="after convolutions; auto: batch for atari, else none"),
    ] = "auto"
    activation: Annotated[
        Literal["relu", "tanh", "elu"], Meta(description="between dense layers")
    ] = "relu"
    latent_transform: Annotated[
        Literal["min_max", "tanh"],
        Meta(description="what keeps latent states in bounds: each one's own range, or tanh"),
    ] = "min_max"
    residual: Annotated[bool, Meta(description="the dynamics adds to the latent state before")] = (
        True
    )
    value_support: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="values are distributions over bins from -this to this in h-space: 25 "
            "reaches to 640, 300 to 45,000",
        ),
    ] = 25
    reward_support: Annotated[int, Meta(ge=1, le=10_000, description="rewards likewise")] = 25
    scalar_transform: Annotated[
        bool,
        Meta(
            description="values and rewards are compressed by h before they have their bins; "
            "false: bins are values, and a few whole rewards are told apart best"
        ),
    ] = True
    reward_layers: Annotated[
        int,
        Meta(
            ge=0, le=16, description="mlp: hidden layers of hidden_dim units of the rewards' head"
        ),
    ] = 0
    weight_init: Annotated[
        Literal["fan_in", "he"],
        Meta(
            description="first weights: uniform within 1/√(fan in), biases too; he: of "
            "variance 2/(fan in), biases 0, which keeps signals' size through relu layers"
        ),
    ] = "fan_in"

    value_prefix: Annotated[
        bool,
        Meta(description="rewards are differences of a running sum, said by a recurrent layer"),
    ] = False
    # -- continuous actions
    num_sampled_actions: Annotated[
        int,
        Meta(
            ge=2,
            le=2**12,
            description="K, actions drawn at each node from the policy there, where they are a box",
        ),
    ] = 20
    sampled_prior: Annotated[
        Literal["corrected", "density"],
        Meta(
            description="of samples in a search: the policy's density by that which they were "
            "drawn from, or the policy's density"
        ),
    ] = "corrected"
    broad_samples: Annotated[
        Share, Meta(description="share of the samples that are drawn from a broader Gaussian")
    ] = 0.0
    broad_scale: Annotated[
        float, Meta(ge=1, description="how many times as broad as the policy's that is")
    ] = 3.0
    policy_std: Annotated[
        tuple[Positive, Positive],
        Meta(description="least and greatest standard deviation of the policy, before squashing"),
    ] = (0.1, 2.0)
    evaluated_action: Annotated[
        Literal["most_visited", "mean"],
        Meta(
            description="in evaluation: the sampled action that the search thinks best, or the "
            "mean of all, each with its share"
        ),
    ] = "most_visited"
