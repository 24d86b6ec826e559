"""Random generators as plain data."""

from __future__ import annotations

from typing import Any

import numpy as np


def generator_state(generator: np.random.Generator | None) -> dict[str, Any] | None:
    """The state of a generator that was seeded; None for one that does not exist yet."""
    return None if generator is None else dict(generator.bit_generator.state)


def restored_generator(state: dict[str, Any] | None) -> np.random.Generator | None:
    """A new generator that continues where the saved one stood."""
    if state is None:
        return None
    # the seed is overwritten at once; without one NumPy would ask the system for entropy
    bits = getattr(np.random, state["bit_generator"])(0)
    bits.state = state
    return np.random.Generator(bits)
