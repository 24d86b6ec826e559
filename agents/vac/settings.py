"""Hyperparameters of vanilla actor-critic. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.base import Rule
from agents.neural import settings as neural
from agents.neural.policy_settings import (
    CONTINUOUS_STATIC,
    LIKELIHOOD_RULES,
    ContinuousPolicySettings,
    SoftmaxSettings,
)

EntropyScale = Annotated[float, Meta(ge=0, description="weight of the policy's entropy")]


class VACSettings(ContinuousPolicySettings, frozen=True, kw_only=True):
    """Vanilla actor-critic for continuous actions, by a likelihood gradient with a baseline."""

    alpha: EntropyScale = 0.1
    num_samples: Annotated[
        int,
        Meta(
            ge=2,
            le=2**16,
            description="actions a state beside the one that is scored: all but one give the "
            "baseline (2: no baseline), one the entropy",
        ),
    ] = 30
    reparameterized: Annotated[
        Literal[False], Meta(description="the gradient is always by likelihood")
    ] = False

    STATIC: ClassVar[tuple[str, ...]] = (*CONTINUOUS_STATIC, "num_samples")
    RULES: ClassVar[tuple[Rule, ...]] = LIKELIHOOD_RULES


class VACDiscreteSettings(SoftmaxSettings, frozen=True, kw_only=True):
    """Vanilla actor-critic for discrete actions, expectations over them exact."""

    alpha: EntropyScale = 0.1
    num_samples: Annotated[
        int,
        Meta(ge=1, description="of no effect: sums over actions are exact; files of old have it"),
    ] = 30

    STATIC: ClassVar[tuple[str, ...]] = neural.STATIC
    RULES: ClassVar[tuple[Rule, ...]] = neural.ACTOR_RULES
