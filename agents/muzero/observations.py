"""Observations as the replay keeps them, and as networks read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agents.base import AgentRefused
from agents.neural.pictures import Channels, Pictures

Floats = NDArray[np.float32]


class Observations:
    """Boxes flattened, discrete observations one-hot; of pictures channels last.

    Attributes:
        width: numbers in an observation.
        picture: (height, width, channels) of boxes of 3 dimensions, or of 4 (a stack of pictures).
        frame: channels of the newest picture, the last ones, if there are pictures.
        dtype: of what is stored: bytes where observations are bytes or truth values.
        scale: of what is read, beside what is stored.
    """

    def __init__(self, space: gymnasium.Space[Any], channels: Channels = "auto") -> None:
        """
        Args:
            channels: which dimension of a picture they are.

        Raises:
            AgentRefused: neither a box nor discrete.
        """
        self._first: int | None = None
        self.scale = np.float32(1)
        self.dtype: type[np.generic] = np.float32
        self._pictures: Pictures | None = None
        if isinstance(space, gymnasium.spaces.Discrete):
            shape: tuple[int, ...] = (int(space.n),)
            self._first, self.dtype = int(space.start), np.uint8
        elif isinstance(space, gymnasium.spaces.Box):
            shape = space.shape
            if len(shape) in (3, 4):
                self._pictures = Pictures(shape, channels)
            if space.dtype in (np.uint8, np.bool_):
                self.dtype = np.uint8
                self.scale = np.float32(1 if space.dtype == np.bool_ else 1 / 255)
        else:
            raise AgentRefused(f"MuZero needs a box or a discrete observation, not {space}")
        self.width = max(1, math.prod(shape))
        self.picture = None if self._pictures is None else self._pictures.size
        self.frame = 0 if self._pictures is None else self._pictures.newest

    def stored(self, observations: Sequence[Any]) -> NDArray[Any]:
        """[N, width] of N observations."""
        if self._first is not None:
            hot = np.zeros((len(observations), self.width), np.uint8)
            hot[np.arange(len(observations)), np.asarray(observations) - self._first] = 1
            return hot
        array = np.asarray(observations)
        if self._pictures is not None:
            array = self._pictures.channels_last(array)
        return array.reshape(len(observations), self.width).astype(self.dtype)

    def read(self, stored: NDArray[Any]) -> Floats:
        """[..., width] of what was stored [..., width]."""
        if self.dtype == np.float32:
            return stored
        read: Floats = stored.astype(np.float32)
        if self.scale != 1:
            read *= self.scale
        return read
