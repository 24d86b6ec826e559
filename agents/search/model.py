"""What a search asks of a learned model."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Steps(NamedTuple):
    """One step of the model from each of B latent states.

    Attributes:
        latents: [B, ...] the states that follow, of the roots' shape and type.
        rewards: [B] for the steps, to the player who made them.
        logits: [B, A] of the policy there, or, for "q_ucb", Q of each action. -inf: not legal
            there; a row of nothing else: the episode is over, and any action may be imagined.
        values: [B] of the states, to the player who moves there; "q_ucb" takes the greatest Q.
    """

    latents: NDArray[Any]
    rewards: NDArray[np.floating]
    logits: NDArray[np.floating]
    values: NDArray[np.floating]


class Model(Protocol):
    """A learned model, in numpy.

    A latent state may be a number that stands for one: a model that keeps its states on another
    device, say, hands out their row numbers.
    """

    def recurrent(self, latents: NDArray[Any], actions: NDArray[Any]) -> Steps:
        """What follows on `actions` [B] in `latents` [B, ...]; both are overwritten later. Actions
        of a box are [B, D] in [-1, 1] (see `agents.search.sampling`)."""
        ...
