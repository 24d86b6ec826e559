"""Observations as the rows that networks read: boxes flattened, discrete states one-hot."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np

from agents.base import AgentRefused
from agents.neural.pictures import Channels, EncoderName, Pictures, trunk_for
from agents.neural.trunk import Trunk


class Encoder:
    """Encodes the observations of all members at once.

    Attributes:
        width: numbers in an encoded observation.
        byte_scale: where observations are bytes or truth values, to be stored as bytes: what
            these are divided by in use (255 or 1); else None.
        trunk: the convolutions that read them, then channels last; None: no pictures.
    """

    def __init__(
        self,
        space: gymnasium.Space[Any],
        *,
        agent: str,
        encoder: EncoderName = "auto",
        image_channels: Channels = "auto",
    ) -> None:
        """
        Raises:
            AgentRefused: neither a box nor discrete, or no pictures that `encoder` can read.
        """
        self.byte_scale: int | None = None
        self.trunk: Trunk | None = None
        self._pictures: Pictures | None = None
        self._first: int | None = None
        if isinstance(space, gymnasium.spaces.Discrete):
            self.width, self._first = int(space.n), int(space.start)
            shape: tuple[int, ...] = (self.width,)
        elif isinstance(space, gymnasium.spaces.Box):
            shape = space.shape
            self.width = max(1, math.prod(shape))
            self.byte_scale = {"uint8": 255, "bool": 1}.get(space.dtype.name)
        else:
            raise AgentRefused(f"{agent} needs a box or a discrete observation, not {space}")
        chosen = trunk_for(shape, encoder, image_channels, agent=agent)
        if chosen is not None:
            self._pictures, self.trunk = chosen

    def stored(self, observations: np.ndarray) -> np.ndarray:
        """[M, width] as replay keeps it: floats, or bytes."""
        if self._first is not None:
            one_hot = np.zeros((len(observations), self.width), dtype=np.float32)
            one_hot[np.arange(len(observations)), observations - self._first] = 1.0
            return one_hot
        if self._pictures is not None:
            observations = self._pictures.channels_last(observations)
        rows = observations.reshape(len(observations), -1)
        return rows if self.byte_scale is None else rows.astype(np.uint8, copy=False)

    def read(self, observations: np.ndarray) -> np.ndarray:
        """[M, width] as a network reads it."""
        stored = self.stored(observations)
        if self.byte_scale is None:
            return stored
        return stored.astype(np.float32) / np.float32(self.byte_scale)
