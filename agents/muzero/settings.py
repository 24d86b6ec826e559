"""Hyperparameters of MuZero. Imports no torch.

Names are those of the original's flags where it has one, with underscores for hyphens.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.base import Rule
from agents.muzero.network_settings import NetworkSettings
from agents.muzero.ranges import Count, Decay, NotNegative, Positive, Share

SelfSupervision = Literal["none", "consistency", "nce", "moco", "curl", "spr", "simsiam"]


class MuZeroSettings(NetworkSettings, frozen=True, kw_only=True):
    """MuZero: search in a learned model (Schrittwieser et al. 2020), in environments of its own."""

    # -- targets
    jumps: Annotated[
        int, Meta(ge=0, le=1000, description="K, steps that the model is unrolled for")
    ] = 5
    multistep: Annotated[int, Meta(ge=1, le=10_000, description="n, rewards in a value target")] = (
        10
    )
    search_value_targets: Annotated[
        bool,
        Meta(description="value stored for bootstraps: the search's; false: the network's"),
    ] = True
    local_target_net: Annotated[
        bool,
        Meta(
            description="bootstrap from what the target network says now, not from what was stored"
        ),
    ] = True
    target_update_interval: Annotated[
        Count, Meta(description="updates between two renewals of the target network")
    ] = 100
    reanalyze: Annotated[
        bool | NotNegative,
        Meta(
            description="stored positions that are searched again with the target network, for "
            "each timestep; their policies and values are renewed; true: 1"
        ),
    ] = 0.0
    num_reanalyze_envs: Annotated[Count, Meta(description="positions of one such search")] = 64
    prioritized: Annotated[bool, Meta(description="sample by how far off values were")] = False
    input_priorities: Annotated[
        bool,
        Meta(
            description="new steps enter with their own priority, by the search's value less the "
            "network's; false: with the greatest so far"
        ),
    ] = False
    priority_exponent: Annotated[NotNegative, Meta(description="of priorities")] = 0.6
    priority_weight: Annotated[
        NotNegative, Meta(description="exponent of the weights that make up for priorities")
    ] = 0.4

    # -- learning
    batch_size_per_worker: Annotated[
        int, Meta(ge=1, le=2**16, description="sequences in an update, of each trainer")
    ] = 128
    optimizer: Annotated[
        Literal["adam", "adamw", "sgd"],
        Meta(description="what turns gradients into steps; sgd has betas[0] for momentum"),
    ] = "adam"
    learning_rate: Annotated[NotNegative, Meta(description="step size at its highest")] = 1e-3
    learning_rate_end: Annotated[
        Share, Meta(description="share of it that is left at the end of training")
    ] = 0.05
    learning_rate_schedule: Annotated[
        Literal["exponential", "linear", "cosine"], Meta(description="how it gets there")
    ] = "linear"
    warm_up: Annotated[
        Share, Meta(description="share of all updates in which it rises from 0, linearly")
    ] = 0.0
    betas: Annotated[
        tuple[Decay, Decay], Meta(description="Adam's decay rates of both moments")
    ] = (0.9, 0.999)
    adam_eps: Annotated[Positive, Meta(description="Adam's ε, outside the root")] = 1e-8
    weight_decay: Annotated[
        NotNegative, Meta(description="of all parameters: AdamW's, or in the gradient elsewhere")
    ] = 0.0
    max_grad_norm: Annotated[
        Positive | None, Meta(description="longest gradient of all parameters; null: any")
    ] = 5.0
    grad_scale_factor: Annotated[
        Share, Meta(description="what the gradient entering each step of the model is cut to")
    ] = 0.5
    policy_loss_weight: Annotated[NotNegative, Meta(description="of the policy's loss")] = 1.0
    value_loss_weight: Annotated[NotNegative, Meta(description="of the value's loss")] = 0.25
    reward_loss_weight: Annotated[NotNegative, Meta(description="of the reward's loss")] = 1.0
    entropy_loss_weight: Annotated[
        NotNegative, Meta(description="of the policy's entropy, which is raised")
    ] = 0.0
    ssl: Annotated[
        SelfSupervision,
        Meta(
            description="what else states of the model are drawn to; consistency: what the network "
            "sees in the observation, by the squared distance; simsiam, spr: the same by angles of "
            "projections; nce, moco, curl: to be told by them from other observations"
        ),
    ] = "consistency"
    contrastive_loss_weight: Annotated[
        NotNegative | None,
        Meta(description="of that loss; null: 1, but 2 for simsiam and 5 for spr, as published"),
    ] = None
    autocast: Annotated[
        bool,
        Meta(
            description="networks in torch learn in bfloat16, which new processors are faster in; "
            "parameters and searches are in single precision, values to bootstrap with are not"
        ),
    ] = False
    symmetries: Annotated[
        Literal["none", "mirror", "square"],
        Meta(
            description="boards that are learned from are drawn from those that look alike, with "
            "what was done there: mirror: left and right; square: all eight ways to lay a square"
        ),
    ] = "none"
    cuda: Annotated[bool, Meta(description="train on the GPU, like --device cuda")] = False

    # -- self-supervision
    no_nce: Annotated[bool, Meta(description='true is ssl "none"')] = False
    use_all_targets: Annotated[
        bool,
        Meta(description="nce, curl: other steps of the same sequence are negatives too"),
    ] = False
    projection_dim: Annotated[
        int, Meta(ge=1, le=2**14, description="features of what is compared, not of consistency")
    ] = 128
    ssl_temperature: Annotated[
        Positive | None,
        Meta(
            description="that scores are divided by; null: 0.1 for nce, 0.07 for moco, 1 for curl"
        ),
    ] = None
    ssl_momentum: Annotated[
        Annotated[float, Meta(gt=0, le=1)] | None,
        Meta(
            description="share of the network that its slow copy takes over at each update; null: "
            "0.001 for moco, 0.05 for curl, for spr 0.01, or 1 with augmentation"
        ),
    ] = None
    queue_size: Annotated[
        int, Meta(ge=1, le=2**24, description="moco: keys that are kept as negatives")
    ] = 2**14
    augmentation: Annotated[
        bool, Meta(description="pictures that are learned from are moved and scaled at random")
    ] = False
    augmentation_shift: Annotated[
        int, Meta(ge=0, le=2**10, description="pixels that they are moved by at most")
    ] = 4
    augmentation_intensity: Annotated[
        float, Meta(ge=0, lt=0.5, description="they are scaled by 1 + this times N(0, 1)")
    ] = 0.05

    @property
    def self_supervision(self) -> SelfSupervision:
        """`ssl`, or what a flag makes of it."""
        return "none" if self.no_nce else self.ssl

    @property
    def ssl_weight(self) -> float:
        """Of its loss."""
        if self.contrastive_loss_weight is not None:
            return self.contrastive_loss_weight
        return {"simsiam": 2.0, "spr": 5.0}.get(self.self_supervision, 1.0)

    @property
    def stores_for(self) -> int:
        """Until the replay is full."""
        return self.buffer_size

    @property
    def batch_size(self) -> int:
        """Sequences in an update, of all trainers together."""
        return self.batch_size_per_worker * self.num_trainers

    @property
    def stores_searched_values(self) -> bool:
        """Whether bootstraps are stored as the search says."""
        return self.search_value_targets and not self.no_search_value_targets

    @property
    def searches(self) -> bool:
        """Whether a step of the model is ever taken to decide, in training or evaluation."""
        return self.num_simulations > 0 or (self.eval_simulations or 0) > 0

    @property
    def learns_from_actions(self) -> bool:
        """Whether what is learned of acting is what was done, not what a search advised."""
        return self.q_learning or self.num_simulations == 0

    @classmethod
    def group_size(cls, device: str) -> int:
        """One: it has a batch of environments already."""
        return 1

    RULES: ClassVar[tuple[Rule, ...]] = (
        *NetworkSettings.RULES,
        Rule(
            ("num_envs", "buffer_size", "jumps", "multistep"),
            lambda num_envs, buffer_size, jumps, multistep: (
                buffer_size >= num_envs * (jumps + multistep + 1)
            ),
            "buffer_size >= num_envs * (jumps + multistep + 1)",
        ),
        Rule(
            ("value_loss_weight", "policy_loss_weight"),
            lambda value_loss_weight, policy_loss_weight: (
                value_loss_weight + policy_loss_weight > 0
            ),
            "value_loss_weight + policy_loss_weight > 0: nothing would be learned",
        ),
        Rule(
            ("ssl", "batch_size_per_worker", "jumps"),
            lambda ssl, batch_size_per_worker, jumps: (
                ssl != "simsiam" or batch_size_per_worker * jumps != 1
            ),
            'batch_size_per_worker * jumps > 1 for ssl "simsiam", which normalises by the batch',
        ),
        Rule(
            ("reward_layers", "value_prefix"),
            lambda reward_layers, value_prefix: reward_layers == 0 or not value_prefix,
            "reward_layers needs value_prefix false: a recurrent layer is in their place",
        ),
        Rule(
            ("network", "q_learning", "value_prefix", "film"),
            lambda network, q_learning, value_prefix, film: (
                network != "board" or not (q_learning or value_prefix or film)
            ),
            'network "board" needs q_learning, value_prefix and film false: it has no such heads '
            "and no such actions",
        ),
        Rule(
            ("policy_std",),
            lambda policy_std: policy_std[0] <= policy_std[1],
            "policy_std ascending",
        ),
        Rule(
            ("input_priorities", "prioritized"),
            lambda input_priorities, prioritized: prioritized or not input_priorities,
            "input_priorities needs prioritized",
        ),
        Rule(
            ("input_priorities", "num_simulations"),
            lambda input_priorities, num_simulations: num_simulations > 0 or not input_priorities,
            "input_priorities needs a search: num_simulations > 0",
        ),
        Rule(
            ("q_learning", "value_loss_weight"),
            lambda q_learning, value_loss_weight: value_loss_weight > 0 or not q_learning,
            "q_learning needs value_loss_weight > 0: it is the weight of Q's loss",
        ),
        Rule(
            ("value_distribution", "q_learning", "local_target_net"),
            lambda value_distribution, q_learning, local_target_net: (
                value_distribution != "c51" or (q_learning and local_target_net)
            ),
            'value_distribution "c51" needs q_learning and local_target_net: it learns '
            "distributions of Q, and stored values are numbers",
        ),
        Rule(
            ("c51_bounds",),
            lambda c51_bounds: c51_bounds[0] < c51_bounds[1],
            "c51_bounds: the first one below the second",
        ),
        Rule(
            ("actors", "num_envs"),
            lambda actors, num_envs: actors <= num_envs,
            "actors <= num_envs: each needs an environment",
        ),
        Rule(
            ("actor_device", "actors"),
            lambda actor_device, actors: actor_device == "cpu" or actors > 0,
            'actor_device "cuda" needs actors',
        ),
    )
