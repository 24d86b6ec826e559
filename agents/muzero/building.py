"""From settings and spaces to a network, its learner and its replay."""

from __future__ import annotations

import numpy as np

from agents.base import AgentRefused
from agents.muzero.actions import Actions
from agents.muzero.dense import Widths, initial
from agents.muzero.dense_learner import DenseLearner
from agents.muzero.interfaces import Learner
from agents.muzero.observations import Observations
from agents.muzero.settings import MuZeroSettings
from agents.muzero.supports import supports

#: Pixels a side of the smallest pictures that convolutional networks are made for.
LEAST_SIDE = {"board": 2, "minatar": 5, "atari": 48}


def build_learner(
    settings: MuZeroSettings,
    observations: Observations,
    actions: Actions,
    rng: np.random.Generator,
    device: str,
    capacity: int,
) -> Learner:
    """A new network and what makes it learn.

    Args:
        actions: what they are.
        rng: its first parameters.
        capacity: the most observations that are acted on at once.

    Raises:
        AgentRefused: this network cannot be there.
    """
    kind = network_kind(settings, observations)
    if kind == "mlp":
        widths = widths_of(settings, observations.width, actions.width, actions.outputs)
        values = initial(widths, rng, settings.weight_init)
        if settings.augmentation:
            raise AgentRefused(
                "MuZero with augmentation needs pictures, and convolutions that read them: choose "
                "augmentation false"
            )
        compiled = settings.self_supervision in ("none", "consistency") and not (
            settings.value_prefix or settings.q_learning
        )
        if device == "cpu" and compiled and settings.num_trainers == 1:
            return DenseLearner(
                settings, widths, values, capacity=capacity, sampling=actions.sampling
            )
    # what needs no torch does not import it
    from agents.muzero.torch_building import (
        board_network,
        build_torch_learner,
        dense_network,
        picture_network,
    )

    if kind == "mlp":
        network = dense_network(settings, widths, values, rng)
    elif kind == "board":
        if actions.sampling is not None:
            raise AgentRefused(
                'MuZero with network "board" needs discrete actions: choose "auto" or "mlp"'
            )
        network = board_network(settings, observations, actions.width, rng)
    else:
        network = picture_network(
            settings, kind, observations, actions.width, rng, outputs=actions.outputs
        )
    if settings.num_trainers > 1:
        from agents.muzero.parallel.trainers import Trainers

        return Trainers(settings, network, observations, device, rng, sampling=actions.sampling)
    return build_torch_learner(
        settings, network, observations, device, rng, sampling=actions.sampling
    )


def network_kind(settings: MuZeroSettings, observations: Observations) -> str:
    """ "mlp", "board", "minatar" or "atari".

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


def widths_of(
    settings: MuZeroSettings, inputs: int, actions: int, outputs: int | None = None
) -> Widths:
    """Of a network of dense layers; `outputs`: of the policy's head, if these are not A."""
    H, hidden = settings.hidden_size or 64, settings.hidden_dim
    values, rewards = supports(settings)
    q = settings.q_learning
    before_rewards = (hidden,) * settings.reward_layers
    return Widths(
        representation=(inputs, hidden, H),
        dynamics=(H + actions, hidden, H),
        reward=(H,) if settings.value_prefix else (H, *before_rewards, rewards.bins),
        trunk=(H, hidden),
        policy=(hidden, actions * values.bins if q else actions if outputs is None else outputs),
        value=(hidden,) if q else (hidden, values.bins),
    )
