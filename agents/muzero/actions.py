"""Actions as searches choose them, networks read them, and environments are sent them."""

from __future__ import annotations

from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agents.muzero.replay import Field
from agents.muzero.sampled.box import BoxActions
from agents.muzero.settings import MuZeroSettings
from agents.search.sampling import Sampling


class Actions(Protocol):
    """Of an environment.

    Attributes:
        width: numbers by which the model is told one.
        outputs: of a policy's head.
        choices: that a search chooses from.
        sampling: how actions of a box are drawn; None: they are not a box.
        fields: what a replay keeps of actions and of policies.
    """

    width: int
    outputs: int
    choices: int
    sampling: Sampling | None
    fields: dict[str, Field]

    def sent(self, actions: NDArray[Any]) -> list[Any]:
        """What environments are sent for actions [B, ...]."""
        ...


class DiscreteActions:
    """A actions from 0 on; see `Actions`."""

    def __init__(self, space: gymnasium.spaces.Discrete) -> None:
        self._first = int(space.start)
        self.width = self.outputs = self.choices = int(space.n)
        self.sampling: Sampling | None = None
        self.fields = {
            "actions": Field((), np.int64),
            "policies": Field((self.width,), np.float32),
            "legal": Field((self.width,), np.bool_),
        }

    def sent(self, actions: NDArray[np.int64]) -> list[Any]:
        """See `Actions`."""
        sent: list[Any] = (actions + self._first).tolist()
        return sent


def actions_of(
    settings: MuZeroSettings, space: gymnasium.spaces.Discrete | gymnasium.spaces.Box
) -> Actions:
    """Of a space that was checked."""
    if isinstance(space, gymnasium.spaces.Box):
        return BoxActions(settings, space)
    return DiscreteActions(space)
