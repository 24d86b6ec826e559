"""Hyperparameters of `rolloutIW`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.base import Rule
from agents.planning.settings import PlanningSettings


class RolloutIWSettings(PlanningSettings, frozen=True, kw_only=True):
    """Width-based planning without learning: Rollout IW and its relatives."""

    planner: Annotated[
        Literal["rollout-iw", "iw", "breadth-first", "count-based", "random"],
        Meta(
            description="Rollout IW(k); IW(k) by breadth-first search; breadth-first search "
            "without duplicates; count-based Rollout IW; random rollouts"
        ),
    ] = "rollout-iw"

    RULES: ClassVar[tuple[Rule, ...]] = (
        *PlanningSettings.RULES,
        Rule(
            ("repeat_frames", "planner"),
            lambda repeat_frames, planner: repeat_frames == 0 or planner == "rollout-iw",
            "repeat_frames == 0 or planner == 'rollout-iw'",
        ),
    )
