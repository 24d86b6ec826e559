"""Hyperparameters of Greedy actor-critic. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from agents.base import Rule
from agents.neural import settings as neural
from agents.neural.policy_settings import (
    CONTINUOUS_STATIC,
    LIKELIHOOD_RULES,
    ContinuousPolicySettings,
    SoftmaxSettings,
)

Samples = Annotated[int, Meta(ge=1, le=2**16)]
Share = Annotated[float, Meta(gt=0, le=1)]


class GreedyACSettings(ContinuousPolicySettings, frozen=True, kw_only=True):
    """Greedy actor-critic for continuous actions (Neumann et al. 2023)."""

    n_rho: Annotated[
        tuple[Samples, Share],
        Meta(description="[N, ρ]: of N actions of the proposal policy, the share that is imitated"),
    ] = (30, 0.1)
    alpha: Annotated[float, Meta(ge=0, description="weight of the proposal policy's entropy")] = 0.1
    entropy_from_single_sample: Annotated[
        bool, Meta(description="that entropy from one of the N actions; false: from all of them")
    ] = True

    @property
    def kept(self) -> int:
        """Number of actions that are imitated, int(ρ N) but one at least."""
        samples, share = self.n_rho
        return max(1, int(share * samples + 1e-9))  # 0.7 · 90 is 62.99999999999999

    STATIC: ClassVar[tuple[str, ...]] = (*CONTINUOUS_STATIC, "n_rho", "entropy_from_single_sample")
    RULES: ClassVar[tuple[Rule, ...]] = LIKELIHOOD_RULES


class GreedyACDiscreteSettings(SoftmaxSettings, frozen=True, kw_only=True):
    """Greedy actor-critic for discrete actions: the action of highest value is imitated."""

    STATIC: ClassVar[tuple[str, ...]] = neural.STATIC
    RULES: ClassVar[tuple[Rule, ...]] = neural.ACTOR_RULES
