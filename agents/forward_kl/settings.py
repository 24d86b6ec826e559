"""Hyperparameters of the forward KL actor-critic. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from agents.base import Rule
from agents.neural.policy_settings import (
    CONTINUOUS_STATIC,
    LIKELIHOOD_RULES,
    ContinuousPolicySettings,
)


class FKLSettings(ContinuousPolicySettings, frozen=True, kw_only=True):
    """Actor-critic that minimises the forward KL divergence to the Boltzmann policy of its critic
    (Chan et al. 2022)."""

    alpha: Annotated[float, Meta(gt=0, description="temperature of the Boltzmann policy")] = 0.1
    num_samples: Annotated[
        int, Meta(ge=2, le=2**16, description="actions a state of the importance sampling")
    ] = 30
    soft_q: Annotated[
        bool, Meta(description="action values include the entropy to come; false: rewards only")
    ] = True

    STATIC: ClassVar[tuple[str, ...]] = (*CONTINUOUS_STATIC, "num_samples")
    RULES: ClassVar[tuple[Rule, ...]] = LIKELIHOOD_RULES
