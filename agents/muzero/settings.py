"""Hyperparameters of MuZero. Imports no torch.

Names are those of the original's flags where it has one, with underscores for hyphens.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.base import Rule
from agents.muzero.original_flags import OriginalFlags

Count = Annotated[int, Meta(ge=1)]
Whole = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Decay = Annotated[float, Meta(ge=0, lt=1)]
SelfSupervision = Literal["none", "consistency", "nce", "moco", "curl", "spr", "simsiam"]


class MuZeroSettings(OriginalFlags, frozen=True, kw_only=True):
    """MuZero: search in a learned model (Schrittwieser et al. 2020), in environments of its own."""

    # -- interaction
    num_envs: Annotated[
        int, Meta(ge=1, le=2**16, description="environments that it acts in at once")
    ] = 8
    replay_ratio: Annotated[
        NotNegative, Meta(description="updates for each timestep of all environments together")
    ] = 0.25
    steps_before_learning: Annotated[
        Whole, Meta(description="timesteps before the first update (at least one round)")
    ] = 500
    buffer_size: Annotated[
        int, Meta(ge=1, le=10**8, description="most recent timesteps that are kept")
    ] = 100_000
    discount: Annotated[
        Share | None, Meta(description="of a step; null: the environment file's gamma")
    ] = None

    # -- processes
    actors: Annotated[
        int,
        Meta(
            ge=0,
            le=1024,
            description="processes that act, each in its share of the environments; 0: this one "
            "acts and learns in turn, and runs repeat to the bit",
        ),
    ] = 0
    actor_device: Annotated[
        Literal["cpu", "cuda"], Meta(description="where actors have their networks")
    ] = "cpu"
    max_policy_lag: Annotated[
        Count, Meta(description="rounds that actors may be ahead of what was learned from")
    ] = 16
    num_trainers: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="processes that learn, each from batch_size_per_worker sequences of an "
            "update; their gradients are averaged",
        ),
    ] = 1
    no_gpu_0_train: Annotated[
        bool, Meta(description="several trainers leave the first GPU to others")
    ] = False

    # -- search
    search: Annotated[
        Literal["puct", "gumbel"],
        Meta(
            description="puct as published; gumbel: sequential halving, and policies improved by "
            "the searched Q (Danihelka et al. 2022), better where there are few simulations"
        ),
    ] = "puct"
    num_simulations: Annotated[
        int,
        Meta(
            ge=0,
            le=2**15,
            description="nodes added to the tree at each decision; 0: no search, the network's "
            "word is final",
        ),
    ] = 16
    eval_simulations: Annotated[
        Annotated[int, Meta(ge=0, le=2**15)] | None,
        Meta(description="the same in evaluations; null: as in training"),
    ] = None
    c1: Annotated[
        NotNegative | None,
        Meta(description="pUCT: weight of exploration; null: 1.25, with q_learning 0.25"),
    ] = None
    c2: Annotated[
        Positive, Meta(description="pUCT: visits at which exploration has grown by ln 2")
    ] = 19652.0
    dirichlet_alpha: Annotated[
        Positive, Meta(description="pUCT: concentration of the noise in the root's prior")
    ] = 0.3
    dirichlet_fraction: Annotated[
        Share, Meta(description="pUCT: how much of the root's prior is noise")
    ] = 0.25
    q_normalisation: Annotated[
        Literal["tree", "node", "none"],
        Meta(description="pUCT: whose bounds Q is brought to [0, 1] by"),
    ] = "tree"
    unvisited_q: Annotated[
        Literal["worst", "parent_mean", "parent_value"],
        Meta(description="pUCT: what an action counts as that was not taken"),
    ] = "parent_value"
    max_considered: Annotated[
        Count, Meta(description="Gumbel: actions that the halving begins with at most")
    ] = 16
    c_visit: Annotated[NotNegative, Meta(description="Gumbel: visits added, in scaling Q")] = 50.0
    c_scale: Annotated[NotNegative, Meta(description="Gumbel: scale of Q beside the logits")] = 0.1
    visit_temp: Annotated[
        NotNegative | tuple[tuple[Share, NotNegative], ...],
        Meta(
            description="pUCT: T, when acting in training by visits^(1/T); or [[share of training, "
            "T from then on], ...]"
        ),
    ] = ((0.0, 1.0), (0.5, 0.5), (0.75, 0.25))
    engine: Annotated[
        Literal["auto", "fused", "numba", "numpy"],
        Meta(
            description="of searches; auto: fused for dense networks on the processor, else numba"
        ),
    ] = "auto"

    # -- Q-learning
    q_learning: Annotated[
        bool,
        Meta(
            description="one head says Q of each action, in place of a policy and a value: a "
            "search goes by UCB1 over it, and without one the greatest is done"
        ),
    ] = False
    epsilon: Annotated[
        Share | tuple[tuple[Share, Share], ...],
        Meta(
            description="q_learning: share of random actions in training, and a tenth of it in "
            "evaluation; or [[share of training, ε from then on], ...]"
        ),
    ] = 0.01
    q_dirichlet: Annotated[
        bool, Meta(description="q_learning with a search: noise at the root, as for pUCT")
    ] = False
    value_distribution: Annotated[
        Literal["two_hot", "c51"],
        Meta(
            description="what Q is learned towards: the target's place among the bins of "
            "value_support; or the target's distribution (C51, Bellemare et al. 2017)"
        ),
    ] = "two_hot"
    c51_atoms: Annotated[int, Meta(ge=2, le=10_001, description="bins of C51")] = 51
    c51_bounds: Annotated[
        tuple[float, float], Meta(description="the outermost ones; values are not compressed")
    ] = (-10.0, 10.0)
    clip_rewards: Annotated[
        Positive | None,
        Meta(description="what is learned from lies within ± this; null: rewards as they are"),
    ] = None
    advantage_temperature: Annotated[
        Positive,
        Meta(
            description="without a search and without q_learning: actions are learned by "
            "exp(advantage / this), in standard deviations"
        ),
    ] = 1.0

    # -- the network
    network: Annotated[
        Literal["auto", "mlp", "minatar", "atari"],
        Meta(
            description="mlp: dense layers, of any observation flattened; minatar, atari: residual "
            "blocks for pictures of some 10 or 90 pixels a side; auto: by the observation"
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
        Meta(description="features of a latent state, or its channels; null: 64, minatar 32"),
    ] = None
    hidden_dim: Annotated[
        int, Meta(ge=1, le=2**14, description="units of the dense layers in between")
    ] = 64
    dynamics_blocks: Annotated[
        int, Meta(ge=0, le=64, description="residual blocks of h, where it has some, and of g")
    ] = 1
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
            description="mlp: first weights: uniform within 1/√(fan in), biases too; he: normal "
            "of variance 2/(fan in), biases 0, which keeps signals' size through relu layers"
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
            "0.001 for moco and curl, for spr 0.01, or 1 with augmentation"
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
        *OriginalFlags.RULES,
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
