"""Random numbers that compiled and plain code draw alike."""

from __future__ import annotations

import numpy as np

from agents.planning.kernels.forms import Stream


def stream_of(rng: np.random.Generator) -> Stream:
    """A stream of its own, begun by one draw from `rng`."""
    return rng.integers(0, 2**64, size=1, dtype=np.uint64)
