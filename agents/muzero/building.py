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

#: Pixels a side of the smallest pictures that convolutional networks are made for.
LEAST_SIDE = {"minatar": 5, "atari": 48}


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
    kind = network_kind(settings, observations)
    if kind == "mlp":
        widths = widths_of(settings, observations.width, actions)
        values = initial(widths, rng)
        if device == "cpu" and settings.num_trainers == 1:
            return DenseLearner(settings, widths, values, capacity=capacity)
    # what needs no torch does not import it
    from agents.muzero.torch_building import build_torch_learner, dense_network, picture_network

    if kind == "mlp":
        network = dense_network(settings, widths, values)
    else:
        network = picture_network(settings, kind, observations, actions, rng)
    if settings.num_trainers > 1:
        from agents.muzero.parallel.trainers import Trainers

        return Trainers(settings, network, observations, device)
    return build_torch_learner(settings, network, observations, device)


def network_kind(settings: MuZeroSettings, observations: Observations) -> str:
    """ "mlp", "minatar" or "atari".

    Raises:
        AgentRefused: the settings name a network that cannot read such observations.
    """
    picture = observations.picture
    if settings.network == "auto":
        if picture is None or min(picture[:2]) < LEAST_SIDE["minatar"]:
            return "mlp"
        return "atari" if min(picture[:2]) >= LEAST_SIDE["atari"] else "minatar"
    least = LEAST_SIDE.get(settings.network, 0)
    if least and (picture is None or min(picture[:2]) < least):
        raise AgentRefused(
            f'MuZero with network "{settings.network}" needs pictures of {least} pixels a side or '
            'more: choose "auto" or "mlp"'
        )
    return settings.network


def widths_of(settings: MuZeroSettings, inputs: int, actions: int) -> Widths:
    """Of a network of dense layers."""
    H, hidden = settings.hidden_size or 64, settings.hidden_dim
    values, rewards = supports(settings)
    return Widths(
        representation=(inputs, hidden, H),
        dynamics=(H + actions, hidden, H),
        reward=(H, rewards.bins),
        trunk=(H, hidden),
        policy=(hidden, actions),
        value=(hidden, values.bins),
    )
