"""Hyperparameters of π-IW and π-HIW. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.base import Rule
from agents.planning.settings import Count, PlanningSettings, Positive

Decay = Annotated[float, Meta(ge=0, lt=1)]


class PiIWSettings(PlanningSettings, frozen=True, kw_only=True):
    """π-IW: Rollout IW that a policy network guides and learns from (Junyent et al. 2019)."""

    nodes: Annotated[
        Count | None,
        Meta(description="new nodes of a decision; null: `seconds` alone says"),
    ] = 50
    features: Annotated[
        str,
        Meta(
            min_length=1,
            description='"dynamic": the network\'s last hidden layer; "basic", "ram", "pixel", '
            '"b-prost", "auto" or "module:function" as for rolloutIW',
        ),
    ] = "dynamic"
    two_sided: Annotated[
        bool, Meta(description="of dynamic features: that a unit is off is an atom too")
    ] = True

    # -- the network
    encoder: Annotated[
        Literal["auto", "mnih2013", "flat"],
        Meta(
            description="mnih2013: convolutions of 16 and 32 filters before the hidden layer; "
            "flat: two hidden layers; auto: by whether the observation is a picture"
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
        int, Meta(ge=1, le=2**14, description="units of a fully connected hidden layer")
    ] = 256
    input_scale: Annotated[
        Positive,
        Meta(
            description="what pixels are multiplied by: 1 as published, 0.00392156862745098 = /255"
        ),
    ] = 1.0
    weight_init: Annotated[
        Literal["torch", "glorot"],
        Meta(
            description="torch: uniform within 1/sqrt(fan in), biases too; "
            "glorot: uniform by Glorot & Bengio (2010), biases 0"
        ),
    ] = "torch"
    batch_normalization: Annotated[
        bool, Meta(description="normalise hidden layers by the batch")
    ] = False

    # -- what it learns from
    optimizer: Annotated[
        Literal["rmsprop", "adam"], Meta(description="what turns gradients into steps")
    ] = "rmsprop"
    learning_rate: Annotated[float, Meta(ge=0, description="step size")] = 5e-4
    rmsprop_decay: Annotated[Decay, Meta(description="decay rate of the mean square")] = 0.99
    rmsprop_epsilon: Annotated[Positive, Meta(description="RMSProp's ε")] = 0.1
    rmsprop_epsilon_inside: Annotated[
        bool,
        Meta(
            description="true: divide by sqrt(ms + ε), as TensorFlow 1; "
            "false: by sqrt(ms) + ε, as torch and Keras"
        ),
    ] = True
    rmsprop_initial: Annotated[
        float, Meta(ge=0, description="mean square at the start: 1 in TensorFlow 1, 0 elsewhere")
    ] = 1.0
    betas: Annotated[
        tuple[Decay, Decay], Meta(description="Adam's decay rates of both moments")
    ] = (0.9, 0.999)
    adam_eps: Annotated[Positive, Meta(description="Adam's ε, outside the root")] = 1e-8
    max_grad_norm: Annotated[
        Positive | None, Meta(description="longest gradient of all parameters; null: any")
    ] = 40.0
    regularization_factor: Annotated[
        float, Meta(ge=0, description="weight of half the sum of squares of all parameters")
    ] = 1e-3
    batch_size: Annotated[
        int, Meta(ge=1, le=2**16, description="decisions in a minibatch; one minibatch a decision")
    ] = 32
    replay_capacity: Annotated[
        int, Meta(ge=1, le=10**7, description="most recent decisions that are kept")
    ] = 1000
    replay_min_transitions: Annotated[
        int, Meta(ge=1, description="decisions in the replay before it learns (at least a batch)")
    ] = 100
    replay_add: Annotated[
        Literal["step", "episode", "improved_episode"],
        Meta(
            description="when decisions enter the replay: at once; at the end of the episode; "
            "then, and only if its return is at least the best so far"
        ),
    ] = "episode"

    # -- how it guides
    guide: Annotated[
        Literal["network", "uniform"],
        Meta(description="what rollouts follow; uniform: the network learns but does not guide"),
    ] = "network"
    evaluation: Annotated[
        Literal["planning", "policy"],
        Meta(description="what acts in evaluations: the planner, or the network by itself"),
    ] = "planning"
    guide_temperature: Annotated[
        Positive, Meta(description="guiding policy = softmax(logits / this)")
    ] = 1.0
    guide_temperature_min: Annotated[
        Positive | None, Meta(description="what it falls to, linearly; null: it stays")
    ] = None
    guide_temperature_interactions: Annotated[
        int, Meta(ge=1, description="interactions in which it falls")
    ] = 1_000_000

    # -- a value beside the policy
    value_head: Annotated[
        Literal["none", "scalar", "categorical"],
        Meta(
            description="what is learned of the return: nothing; a number; a distribution over "
            "bins. Leaves of the tree count as worth that"
        ),
    ] = "none"
    value_factor: Annotated[float, Meta(ge=0, description="weight of the value's loss")] = 1.0
    value_bins: Annotated[int, Meta(ge=2, le=2**14, description="bins, if categorical")] = 301
    value_min: Annotated[float, Meta(description="the first bin")] = -300.0
    value_max: Annotated[float, Meta(description="the last bin")] = 300.0
    value_everywhere: Annotated[
        bool, Meta(description="a node is worth its own value where that is above its children's")
    ] = False
    cuda: Annotated[bool, Meta(description="train on the GPU, like --device cuda")] = False

    @property
    def stores_for(self) -> int:
        """Until the replay is full."""
        return self.replay_capacity

    RULES: ClassVar[tuple[Rule, ...]] = (
        *PlanningSettings.RULES,
        Rule(
            ("batch_size", "replay_capacity"),
            lambda batch_size, replay_capacity: batch_size <= replay_capacity,
            "batch_size <= replay_capacity",
        ),
        Rule(
            ("replay_min_transitions", "replay_capacity"),
            lambda replay_min_transitions, replay_capacity: (
                replay_min_transitions <= replay_capacity
            ),
            "replay_min_transitions <= replay_capacity",
        ),
        Rule(
            ("value_head", "replay_add"),
            lambda value_head, replay_add: value_head == "none" or replay_add != "step",
            'value_head == "none" or replay_add != "step": returns are known when an episode ends',
        ),
        Rule(
            ("value_min", "value_max"),
            lambda value_min, value_max: value_min < value_max,
            "value_min < value_max",
        ),
        Rule(
            ("guide_temperature", "guide_temperature_min"),
            lambda guide_temperature, guide_temperature_min: (
                guide_temperature_min is None or guide_temperature_min <= guide_temperature
            ),
            "guide_temperature_min <= guide_temperature",
        ),
    )


class PiHIWSettings(PiIWSettings, frozen=True, kw_only=True):
    """π-HIW: π-IW inside regions of a coarser search (Junyent, Gómez & Jonsson 2021)."""

    nodes: Annotated[
        Count | None, Meta(description="new nodes of a decision; null: `seconds` alone says")
    ] = 30
    cached_in_table: Annotated[
        bool, Meta(description="nodes kept from the last decision are always in the novelty table")
    ] = True
    max_tree_size: Annotated[
        Annotated[int, Meta(ge=2)] | None,
        Meta(description="nodes from which on a tree grows no further; null: no limit"),
    ] = 5000
    target_temperature: Annotated[
        float,
        Meta(ge=0, description="of the softmax over Q at the root; 0: uniform over the highest"),
    ] = 0.01
    subtree_temperature: Annotated[
        Positive | None,
        Meta(
            description="act by the softmax over Q times that over the subtrees' sizes / this; "
            "null: by that over Q alone"
        ),
    ] = 1.0
    weight_init: Annotated[
        Literal["torch", "glorot"], Meta(description="how weights begin, as of piIW")
    ] = "glorot"
    batch_normalization: Annotated[
        bool, Meta(description="normalise hidden layers by the batch")
    ] = True
    learning_rate: Annotated[float, Meta(ge=0, description="step size")] = 7e-4
    rmsprop_epsilon_inside: Annotated[
        bool, Meta(description="ε under the root, or outside, as of piIW")
    ] = False
    rmsprop_initial: Annotated[
        float, Meta(ge=0, description="mean square at the start: 1 in TensorFlow 1, 0 elsewhere")
    ] = 0.0
    max_grad_norm: Annotated[
        Positive | None, Meta(description="longest gradient of all parameters; null: any")
    ] = 50.0
    replay_capacity: Annotated[
        int, Meta(ge=1, le=10**7, description="most recent decisions that are kept")
    ] = 10_000
    replay_min_transitions: Annotated[
        int, Meta(ge=1, description="decisions in the replay before it learns (at least a batch)")
    ] = 32
    value_head: Annotated[
        Literal["none", "scalar", "categorical"],
        Meta(description="what is learned of the return, as of piIW"),
    ] = "categorical"
    value_everywhere: Annotated[
        bool, Meta(description="a node is worth its own value where that is above its children's")
    ] = True
    low_level_planner: Annotated[
        Literal["rollout-iw", "iw"],
        Meta(description="inside a region: guided Rollout IW, or IW by breadth-first search"),
    ] = "rollout-iw"
    high_level_width: Annotated[
        Count | None,
        Meta(description="tiles of a combination that may be novel; null: whole pictures of tiles"),
    ] = 1
    downsampling_tiles_w: Annotated[
        int, Meta(ge=1, le=84, description="tiles in a row of the high-level state")
    ] = 2
    downsampling_tiles_h: Annotated[int, Meta(ge=1, le=84, description="rows of tiles")] = 2
    downsampling_pix_values: Annotated[
        int, Meta(ge=2, le=256, description="shades of grey that a tile may have")
    ] = 256
    count_temperature: Annotated[
        Positive,
        Meta(description="of the choice of a region: softmax of 1 / (visits + 1) over this"),
    ] = 0.005

    RULES: ClassVar[tuple[Rule, ...]] = (
        *PiIWSettings.RULES,
        Rule(
            ("cached_in_table",),
            lambda cached_in_table: cached_in_table,
            "cached_in_table: the search of a region goes on where it was",
        ),
    )
