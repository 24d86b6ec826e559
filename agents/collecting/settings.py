"""Hyperparameters of policies that learn nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agents.base import AgentSettings

PolicyName = Literal["random", "held", "brownian", "perlin", "random_network"]
Positive = Annotated[float, Meta(gt=0)]


class RandomPolicySettings(AgentSettings, frozen=True, kw_only=True):
    """Actions at random, of which those of neighbouring steps resemble one another."""

    policy: Annotated[
        PolicyName,
        Meta(
            description="random: uniform, anew each step; held: uniform, kept for some steps; "
            "brownian: a random walk; perlin: smooth noise; random_network: a recurrent network "
            "of random weights, others in each episode"
        ),
    ] = "random"
    hold: Annotated[
        int, Meta(ge=1, description="held: steps on average for which an action is kept")
    ] = 10
    dt: Annotated[Positive, Meta(description="brownian: variance of a step of the walk")] = 0.02
    time_scale: Annotated[
        Positive, Meta(description="perlin: steps between two zeros of the noise")
    ] = 200.0
    magnitude: Annotated[
        Positive,
        Meta(description="perlin: factor of the noise before it is cut to the range of actions"),
    ] = 1.7
    weight_scale: Annotated[
        Positive,
        Meta(
            description="random_network: an episode's output weights have a standard deviation "
            "between 0 and this"
        ),
    ] = 1.0

    @property
    def parameters(self) -> dict[str, float]:
        """Those that matter to `policy`, by name."""
        names = {
            "held": ("hold",),
            "brownian": ("dt",),
            "perlin": ("time_scale", "magnitude"),
            "random_network": ("weight_scale",),
        }
        return {name: getattr(self, name) for name in names.get(self.policy, ())}
