"""What actions are on a board, and what they look like there."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

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
