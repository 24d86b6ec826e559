"""Hyperparameters of World Models: the whole of the five stages. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.base import Rule
from agents.collecting.settings import PolicyName
from agents.encoders.settings import Count
from agents.world_models.controller.settings import ControllerSettings

#: The stages, in their order.
STAGES = ("rollouts", "encoder", "latents", "sequence", "controller")
Stage = Literal["rollouts", "encoder", "latents", "sequence", "controller"]


class WorldModelSettings(ControllerSettings, frozen=True, kw_only=True):
    """World Models: rollouts, encoder, sequence model, controller (Ha and Schmidhuber 2018)."""

    # -- rollouts
    rollout_policy: Annotated[
        PolicyName,
        Meta(
            description="who acts in them: random: uniformly; held, brownian, perlin: actions that "
            "resemble those before; random_network: a recurrent network of random weights"
        ),
    ] = "random"
    rollouts: Annotated[Count, Meta(description="how many are collected")] = 100
    rollout_max_steps: Annotated[
        Count | None,
        Meta(description="steps after which one is cut; null: as the environment's episodes"),
    ] = None
    rollouts_from: Annotated[
        str | None,
        Meta(
            description="a folder of rollouts that were collected before, by python -m "
            "agents.world_models.collect, to be used instead; null: collect"
        ),
    ] = None
    workers: Annotated[
        int,
        Meta(
            ge=0,
            le=1024,
            description="processes that play in the environment; 0: the run's own. They change no "
            "number",
        ),
    ] = 0

    # -- the stages together
    iterations: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="times that all stages are gone through; from the second on, rollouts of "
            "the controller so far are added",
        ),
    ] = 1
    iteration_rollouts: Annotated[
        Count | None, Meta(description="how many are added each time; null: as many as rollouts")
    ] = None
    iteration_sigma: Annotated[
        Annotated[float, Meta(ge=0)],
        Meta(
            description="standard deviation of what is added to the controller's weights, anew in "
            "each of these rollouts, so that they differ"
        ),
    ] = 0.0
    last_stage: Annotated[
        Stage,
        Meta(
            description="the run ends with it: its result is kept, and its losses are the record's "
            "metrics"
        ),
    ] = "controller"

    @property
    def added_rollouts(self) -> int:
        """By each iteration after the first."""
        return self.rollouts if self.iteration_rollouts is None else self.iteration_rollouts

    @classmethod
    def group_size(cls, device: str) -> int:
        """One: it has batches of everything already."""
        return 1

    RULES: ClassVar[tuple[Rule, ...]] = (
        *ControllerSettings.RULES,
        Rule(
            ("iterations", "last_stage"),
            lambda iterations, last_stage: iterations == 1 or last_stage == "controller",
            'more iterations than one need last_stage "controller"',
        ),
    )
