"""Observations as the vectors that networks read: boxes flattened, discrete states one-hot."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np

from agents.base import AgentRefused


class Encoder:
    """Encodes the observations of all members at once.

    Attributes:
        width: numbers in an encoded observation.
        pixels: whether they are bytes, to be stored as such and divided by 255 in use.
    """

    def __init__(self, space: gymnasium.Space[Any], *, agent: str) -> None:
        """
        Raises:
            AgentRefused: neither a box nor discrete.
        """
        self.pixels = False
        self._first: int | None = None
        if isinstance(space, gymnasium.spaces.Discrete):
            self.width, self._first = int(space.n), int(space.start)
        elif isinstance(space, gymnasium.spaces.Box):
            self.width = max(1, math.prod(space.shape))
            self.pixels = space.dtype == np.uint8
        else:
            raise AgentRefused(f"{agent} needs a box or a discrete observation, not {space}")

    def stored(self, observations: np.ndarray) -> np.ndarray:
        """[M, width] as replay keeps it: floats, or bytes."""
        if self._first is None:
            return observations.reshape(len(observations), -1)
        one_hot = np.zeros((len(observations), self.width), dtype=np.float32)
        one_hot[np.arange(len(observations)), observations - self._first] = 1.0
        return one_hot

    def read(self, observations: np.ndarray) -> np.ndarray:
        """[M, width] as a network reads it."""
        stored = self.stored(observations)
        return stored.astype(np.float32) / np.float32(255) if self.pixels else stored
