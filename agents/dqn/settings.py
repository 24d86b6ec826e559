"""Hyperparameters of deep Q-networks. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from agents.base import Rule
from agents.neural import settings as neural
from agents.neural.settings import NeuralSettings

Probability = Annotated[float, Meta(ge=0, le=1)]


class DQNSettings(NeuralSettings, frozen=True, kw_only=True):
    """Deep Q-networks (Mnih et al. 2015), double as an option (van Hasselt et al. 2016)."""

    epsilon: Annotated[
        Probability, Meta(description="probability of a random action at the beginning")
    ] = 1.0
    epsilon_min: Annotated[Probability, Meta(description="what it falls to, linearly")] = 0.05
    epsilon_steps: Annotated[int, Meta(ge=1, description="timesteps in which it falls")] = 10_000
    double_q: Annotated[
        bool, Meta(description="the next action by the network itself, its value by the target")
    ] = True
    huber_loss: Annotated[
        bool, Meta(description="errors above 1 count linearly; false: squared, as all others")
    ] = True

    STATIC: ClassVar[tuple[str, ...]] = (*neural.STATIC, "double_q", "huber_loss")
    RULES: ClassVar[tuple[Rule, ...]] = (
        *neural.RULES,
        Rule(
            ("epsilon", "epsilon_min"),
            lambda epsilon, epsilon_min: epsilon_min <= epsilon,
            "epsilon_min <= epsilon",
        ),
    )
