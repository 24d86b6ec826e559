"""Hyperparameters of the policies in `agents.neural.policies`. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agents.base import Rule
from agents.neural import settings as neural
from agents.neural.settings import ActorSettings

PolicyType = Literal[
    "SquashedGaussian",
    "Gaussian",
    "Beta",
    "BetaV2",
    "StudentT",
    "SquashedGaussianMixture",
    "GaussianMixture",
    "BetaMixture",
]
Impl = Literal["default", "straight_through", "torch"]


class ContinuousPolicySettings(ActorSettings, frozen=True, kw_only=True):
    """A policy of vector actions."""

    policy_type: Annotated[PolicyType, Meta(description="the law of the action")] = (
        "SquashedGaussian"
    )
    clip_stddev: Annotated[
        float,
        Meta(
            description="keep the policy's standard deviation within [1/clip, clip]; "
            "0 or less: ln σ within [-5, 2]"
        ),
    ] = 1000.0
    epsilon: Annotated[
        float, Meta(ge=0, description="added to both shapes of a Beta; 1 keeps it unimodal")
    ] = 1.0
    clip_min: Annotated[float, Meta(gt=0, description="least shape of a Beta")] = 1e-6
    clip_max: Annotated[float, Meta(gt=0, description="greatest shape of a Beta")] = 1e6
    num_components: Annotated[
        int, Meta(ge=1, le=1024, description="components of a mixture policy")
    ] = 2
    share_std: Annotated[
        bool, Meta(description="one standard deviation for all components of a mixture")
    ] = False
    temperature: Annotated[
        float, Meta(gt=0, description="of a mixture's relaxed choice of a component")
    ] = 0.1
    hard: Annotated[
        bool,
        Meta(
            description="draw one component of a mixture, relaxed in the gradient only; false: "
            'relaxed in the action that it goes through as well (impl "torch")'
        ),
    ] = True
    impl: Annotated[
        Impl | None,
        Meta(
            description='how a gradient passes a mixture\'s choice of a component: "default", '
            'by Gumbel noise, relaxed in the gradient; "torch", the same, or as hard says; '
            '"straight_through", of the heaviest, without noise, with the gradient of the weights; '
            'null: "default", or "torch" where hard is false'
        ),
    ] = None
    eps: Annotated[
        float,
        Meta(ge=0, le=1e-3, description="least number whose logarithm Gumbel noise takes"),
    ] = 1e-20
    repulsive_coef: Annotated[
        float,
        Meta(ge=0, description="weight of a loss that keeps a mixture's Gaussians apart (SAC)"),
    ] = 0.0
    lmbda: Annotated[
        float,
        Meta(
            description="estimate of the entropy of a GaussianMixture whose gradient is by "
            "likelihood (SAC): -1 ln π; -2 an upper bound, from the component drawn; -3 that "
            "sharpened by pairwise KL divergences; in [0, 1] a lower bound, by Chernoff's"
        ),
    ] = -1.0
    eta: Annotated[
        float, Meta(ge=0, description="weight in that estimate of which component was drawn")
    ] = 1.0
    clip_actions: Annotated[
        bool, Meta(description="clip actions to the environment's bounds before they are stored")
    ] = False


class SoftmaxSettings(ActorSettings, frozen=True, kw_only=True):
    """A policy of discrete actions."""

    policy_type: Annotated[Literal["Softmax"], Meta(description="the law of the action")] = (
        "Softmax"
    )
    clip_stddev: Annotated[
        float, Meta(description="of no effect: a softmax has none; files of old have it")
    ] = 1000.0


CONTINUOUS_STATIC = (
    *neural.STATIC,
    "policy_type",
    "num_components",
    "share_std",
    "hard",
    "impl",
    "lmbda",
    "clip_actions",
)
CONTINUOUS_RULES: tuple[Rule, ...] = (
    *neural.ACTOR_RULES,
    Rule(
        ("clip_stddev",),
        lambda clip_stddev: clip_stddev <= 0 or clip_stddev >= 1,
        "clip_stddev <= 0 or clip_stddev >= 1",
    ),
    Rule(
        ("clip_min", "clip_max"),
        lambda clip_min, clip_max: clip_min <= clip_max,
        "clip_min <= clip_max",
    ),
    Rule(
        ("hard", "impl"),
        lambda hard, impl: hard or impl in (None, "torch"),
        'hard false needs impl "torch"',
    ),
    Rule(
        ("repulsive_coef", "policy_type"),
        lambda repulsive_coef, policy_type: (
            repulsive_coef == 0 or policy_type in ("GaussianMixture", "SquashedGaussianMixture")
        ),
        "repulsive_coef > 0 needs policy_type GaussianMixture or SquashedGaussianMixture",
    ),
    Rule(
        ("lmbda",),
        lambda lmbda: lmbda in (-1, -2, -3) or 0 <= lmbda <= 1,
        "lmbda in [0, 1], -1, -2 or -3",
    ),
    Rule(
        ("lmbda", "policy_type"),
        lambda lmbda, policy_type: lmbda == -1 or policy_type == "GaussianMixture",
        "lmbda == -1 unless policy_type is GaussianMixture",
    ),
    Rule(
        ("eta", "lmbda"),
        lambda eta, lmbda: eta == 1 or lmbda != -1,
        "eta == 1 where lmbda == -1, which has no use for it",
    ),
)
#: Of agents that use no more of a mixture than its likelihood.
LIKELIHOOD_RULES: tuple[Rule, ...] = (
    *CONTINUOUS_RULES,
    Rule(
        ("lmbda", "repulsive_coef"),
        lambda lmbda, repulsive_coef: lmbda == -1 and repulsive_coef == 0,
        "lmbda == -1 and repulsive_coef == 0: only SAC has other losses of a mixture",
    ),
)
