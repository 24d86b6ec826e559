"""Actions as pictures, which convolutions read beside a latent state."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Means = Literal["columns", "cells", "anything"]
"""What the actions of a board are."""


def meaning(size: tuple[int, int], actions: int) -> Means:
    """What so many actions are on a board of (height, width); a board of one row has columns."""
    height, width = size
    if actions == width:
        return "columns"
    return "cells" if actions == height * width else "anything"


def planes_of(size: tuple[int, int], actions: int) -> NDArray[np.float32]:
    """[A, P, height, width], P planes for each action: one, of ones in its column or at its cell,
    rows first; where actions are neither, as many as there are, of ones in its own."""
    height, width = size
    match meaning(size, actions):
        case "columns":
            planes = np.broadcast_to(np.eye(width)[:, None, None], (width, 1, height, width))
        case "cells":
            planes = np.eye(actions).reshape(actions, 1, height, width)
        case _:
            one_hot = np.eye(actions)[:, :, None, None]
            planes = np.broadcast_to(one_hot, (actions, actions, height, width))
    return planes.astype(np.float32)


class BoardPlanes(nn.Module):
    """The planes of `planes_of`.

    Attributes:
        planes: how many.
    """

    def __init__(self, size: tuple[int, int], actions: int) -> None:
        super().__init__()
        table = torch.from_numpy(planes_of(size, actions))
        self.planes = table.shape[1]
        # what is not learned is no part of what is kept
        self.register_buffer("_table", table, persistent=False)

    def forward(self, actions: Tensor, states: Tensor) -> Tensor:
        """[B, planes, h, w] of actions [B], beside states."""
        table = self.get_buffer("_table")
        return table[actions].to(states)
