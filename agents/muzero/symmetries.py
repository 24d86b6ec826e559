"""Boards that look alike: what is learned from is turned and mirrored at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.base import AgentRefused
from agents.muzero.action_planes import meaning
from agents.muzero.actions import Actions
from agents.muzero.observations import Observations
from agents.muzero.replay import Batch
from agents.muzero.settings import MuZeroSettings

Floats = NDArray[np.float32]


class Symmetries:
    """Of a board of (height, width) whose actions are its columns or its cells.

    Args:
        picture: (height, width, channels) of observations.
        square: turns too, and all that they make with mirroring: eight; else left and right: two.

    Attributes:
        observations: [S, height * width * channels] for each symmetry, whence each number comes.
        actions: [S, A] whence each action's share of a policy comes.
        renamed: [S, A] what each action is then.

    Raises:
        ValueError: the board has none of them.
    """

    def __init__(self, picture: tuple[int, int, int], actions: int, *, square: bool) -> None:
        height, width, channels = picture
        means = meaning((height, width), actions)
        if means == "anything" or (square and (means != "cells" or height != width)):
            raise ValueError("no such symmetry")
        cells = np.arange(height * width).reshape(height, width)
        boards = [np.rot90(cells, turns) for turns in range(4 if square else 1)]
        boards += [board[:, ::-1] for board in boards]
        whence = np.array([board.ravel() for board in boards])
        within = np.arange(channels)
        self.observations = (whence[:, :, None] * channels + within).reshape(len(whence), -1)
        self.actions = whence if means == "cells" else whence[:, :width]
        self.renamed = np.argsort(self.actions, axis=1)

    def drawn(self, seen: Floats, batch: Batch, rng: np.random.Generator) -> tuple[Floats, Batch]:
        """Observations [T, B, inputs] and a batch, each of its sequences in one of the symmetries.

        Args:
            rng: which.
        """
        which = rng.integers(len(self.actions), size=len(batch.starts))
        seen = np.take_along_axis(seen, self.observations[which][None], axis=2)
        policies = np.take_along_axis(batch.policies, self.actions[which][:, None], axis=2)
        actions = np.take_along_axis(self.renamed[which], batch.actions, axis=1)
        return seen, batch._replace(actions=actions, policies=policies)


def symmetries_of(
    settings: MuZeroSettings, observations: Observations, actions: Actions
) -> Symmetries | None:
    """What `symmetries` asks for.

    Raises:
        AgentRefused: the board has none of them.
    """
    if settings.symmetries == "none":
        return None
    square = settings.symmetries == "square"
    try:
        if observations.picture is None or actions.sampling is not None:
            raise ValueError
        return Symmetries(observations.picture, actions.width, square=square)
    except ValueError:
        needed = (
            "square boards, an action for each cell"
            if square
            else ("boards, an action for each of their columns or cells")
        )
        raise AgentRefused(
            f'MuZero with symmetries "{settings.symmetries}" needs {needed}, and observations '
            '[height, width, channels]: choose "none"'
        ) from None
