"""From settings and spaces to a network, its learner and its replay."""

from __future__ import annotations

import numpy as np

from agents.base import AgentRefused
from agents.muzero.dense import Widths, initial
from agents.muzero.dense_learner import DenseLearner
from agents.muzero.interfaces import Learner
from agents.muzero.observations import Observations
from agents.muzero.settings import MuZeroSettings
from agents.muzero.supports import supports


def build_learner(
    settings: MuZeroSettings,
    observations: Observations,
    actions: int,
    rng: np.random.Generator,
    device: str,
    capacity: int,
) -> Learner:
    """A new network and what makes it learn.

    Args:
        actions: A.
        rng: its first parameters.
        capacity: the most observations that are acted on at once.

    Raises:
        AgentRefused: this network cannot be there.
    """
    if device != "cpu":
        raise AgentRefused(f"MuZero's dense networks learn on the processor, not on {device!r}")
    widths = widths_of(settings, observations.width, actions)
    return DenseLearner(settings, widths, initial(widths, rng), capacity=capacity)


def widths_of(settings: MuZeroSettings, inputs: int, actions: int) -> Widths:
    """Of a network of dense layers."""
    H, hidden = settings.hidden_size, settings.hidden_dim
    values, rewards = supports(settings)
    return Widths(
        representation=(inputs, hidden, H),
        dynamics=(H + actions, hidden, H),
        reward=(H, rewards.bins),
        trunk=(H, hidden),
        policy=(hidden, actions),
        value=(hidden, values.bins),
    )
