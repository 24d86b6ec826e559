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
        bool, Meta(description="draw one component of a mixture, relaxed in the gradient only")
    ] = True
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
)
