"""Hyperparameters of how MuZero acts: its environments, its processes, its search."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agents.muzero.original_flags import OriginalFlags
from agents.muzero.ranges import Count, NotNegative, Positive, Share, Whole


class ActingSettings(OriginalFlags, frozen=True, kw_only=True):
    """See the module's text."""

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
    opening_moves: Annotated[
        Whole | None,
        Meta(
            description="pUCT: steps of an episode that T counts in; after them the most visited "
            "action is done; null: all"
        ),
    ] = None
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
