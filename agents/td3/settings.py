"""Hyperparameters of twin delayed DDPG. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from agents.base import Rule
from agents.neural import settings as neural
from agents.neural.settings import ActorSettings


class TD3Settings(ActorSettings, frozen=True, kw_only=True):
    """Twin delayed deterministic policy gradient (Fujimoto et al. 2018).

    Noise is in units of half the range of an action.
    """

    exploration_noise: Annotated[
        float, Meta(ge=0, description="standard deviation of what is added to actions in training")
    ] = 0.1
    target_noise: Annotated[
        float, Meta(ge=0, description="standard deviation of what is added to the target's actions")
    ] = 0.2
    target_noise_clip: Annotated[float, Meta(ge=0, description="the most that is added")] = 0.5
    policy_delay: Annotated[
        int, Meta(ge=1, description="critic updates to one of the policy and of the targets")
    ] = 2

    STATIC: ClassVar[tuple[str, ...]] = (*neural.STATIC, "policy_delay")
    RULES: ClassVar[tuple[Rule, ...]] = (
        *neural.ACTOR_RULES,
        Rule(
            ("target_update_interval",),
            lambda target_update_interval: target_update_interval == 1,
            "target_update_interval == 1: the targets move with the policy, see policy_delay",
        ),
    )
