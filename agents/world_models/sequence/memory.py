"""A sequence model as acting needs it: only what is remembered, in numpy.

A `Memory` is a copy of the weights. It can be pickled, imports no torch, and carries the states of
a batch of members, each at its own place in its own episode.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Memory(Protocol):
    """Of B members that step together. What a member gets depends on its neighbours by no more
    than the rounding of matrix products of another size.

    Attributes:
        feature_size: F.
        features: [B, F] what a controller sees beside z; overwritten by `step`.
    """

    feature_size: int
    features: Floats

    def begin(self, batch: int) -> None:
        """All members are at the start of an episode."""
        ...

    def restart(self, members: NDArray[np.int64] | NDArray[np.bool_]) -> None:
        """These members are at the start of an episode."""
        ...

    def step(self, latents: Floats, actions: Floats) -> None:
        """Takes in what was seen and done, latents [B, D] and coded actions [B, A]."""
        ...
