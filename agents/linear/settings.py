"""Hyperparameters of the linear agents."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from agents.base import AgentSettings, Rule


class LinearSettings(AgentSettings, frozen=True, kw_only=True):
    """What every linear agent has: its features and its traces."""

    STATIC: ClassVar[tuple[str, ...]] = ("tilings", "bins", "table_size")

    @classmethod
    def group_size(cls, device: str) -> int:
        # from here on a step's fixed cost is small beside what it costs each member
        return 200

    decay: Annotated[float, Meta(ge=0, le=1, description="trace decay rate λ")] = 0.5
    tilings: Annotated[int, Meta(ge=1, le=1024, description="overlapping tilings")] = 16
    bins: Annotated[int, Meta(ge=1, le=1024, description="tiles per dimension of a tiling")] = 8
    table_size: Annotated[
        int,
        Meta(
            ge=2,
            le=2**28,
            description="most weights per function; tiles are hashed when there are more",
        ),
    ] = 2**20
    accumulate_trace: Annotated[
        bool, Meta(description="keep the traces when an episode ends instead of clearing them")
    ] = False


class LinearACSettings(LinearSettings, frozen=True, kw_only=True):
    """Linear actor-critic with eligibility traces (Degris, Pilarski & Sutton 2012)."""

    critic_lr: Annotated[
        float, Meta(ge=0, description="critic step size, shared over the active tiles")
    ] = 0.1
    actor_lr: Annotated[
        float, Meta(ge=0, description="actor step size, shared over the active tiles")
    ] = 0.01
    avg_reward_lr: Annotated[
        float,
        Meta(
            ge=0,
            description="step size of the average reward; 0: the discounted form with the "
            "environment's gamma (above 0 there is no discounting, gamma is not used)",
        ),
    ] = 0.0
    scaled: Annotated[
        bool, Meta(description="multiply the actor's step by the policy's variance (Gaussian)")
    ] = False
    clip_stddev: Annotated[
        float,
        Meta(description="keep the standard deviation within [1/clip, clip]; 0 or less: no limit"),
    ] = 1000.0
    temperature: Annotated[
        float, Meta(gt=0, description="temperature of the softmax policy (discrete actions)")
    ] = 1.0

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            ("clip_stddev",),
            lambda clip_stddev: clip_stddev <= 0 or clip_stddev >= 1,
            "clip_stddev <= 0 or clip_stddev >= 1",
        ),
    )


class ExpectedSarsaSettings(LinearSettings, frozen=True, kw_only=True):
    """Linear Expected Sarsa(λ) with an ε-greedy policy (van Seijen et al. 2009)."""

    lr: Annotated[float, Meta(ge=0, description="step size, shared over the active tiles")] = 0.1
    epsilon: Annotated[float, Meta(ge=0, le=1, description="exploration rate at the start")] = 0.1
    epsilon_decay: Annotated[
        float, Meta(gt=0, le=1, description="factor on the exploration rate at each timestep")
    ] = 1.0
    epsilon_min: Annotated[float, Meta(ge=0, le=1, description="least exploration rate")] = 0.0

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            ("epsilon_min", "epsilon"),
            lambda epsilon_min, epsilon: epsilon_min <= epsilon,
            "epsilon_min <= epsilon",
        ),
    )
