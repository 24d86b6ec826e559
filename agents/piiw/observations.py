"""Observations as the network reads them."""

from __future__ import annotations

import math
from typing import Any, Literal

import gymnasium
import numpy as np

from agents.base import AgentRefused
from agents.neural.pictures import Channels, Pictures
from agents.piiw.network import LEAST_SIDE

EncoderName = Literal["auto", "mnih2013", "flat"]


class Reader:
    """Which observations are pictures, and where their channels are.

    Attributes:
        picture: (height, width, channels), where convolutions read it; else None.
        inputs: numbers in an observation.
        stacked: whether the first axis is a stack of frames, of which observations in a row share
            all but one.
    """

    def __init__(
        self, space: gymnasium.Space[Any], encoder: EncoderName, channels: Channels, *, agent: str
    ) -> None:
        """
        Raises:
            AgentRefused: neither a box nor discrete, or no picture where one is asked for.
        """
        self._first: int | None = None
        self._pictures: Pictures | None = None
        if isinstance(space, gymnasium.spaces.Discrete):
            self.inputs, self._first = int(space.n), int(space.start)
            shape: tuple[int, ...] = (self.inputs,)
        elif isinstance(space, gymnasium.spaces.Box):
            shape = space.shape
            self.inputs = max(1, math.prod(shape))
        else:
            raise AgentRefused(f"{agent} needs a box or a discrete observation, not {space}")
        if encoder != "flat" and len(shape) in (3, 4):
            pictures = Pictures(shape, channels)
            if min(pictures.size[:2]) >= LEAST_SIDE:
                self._pictures = pictures
        if encoder == "mnih2013" and self._pictures is None:
            raise AgentRefused(
                f'{agent} with encoder "mnih2013" needs pictures of {LEAST_SIDE} pixels a side or '
                f'more, not {list(shape)}: choose "auto" or "flat"'
            )
        self.picture = None if self._pictures is None else self._pictures.size
        self.stacked = self._pictures is not None and is_stack(shape)

    def batch(self, observations: np.ndarray) -> np.ndarray:
        """[B, height, width, channels] or [B, inputs] of observations [B, ...]."""
        if self._first is not None:
            one_hot = np.zeros((len(observations), self.inputs), dtype=np.float32)
            one_hot[np.arange(len(observations)), observations - self._first] = 1.0
            return one_hot
        if self._pictures is not None:
            return self._pictures.channels_last(observations)
        return observations.reshape(len(observations), -1)

    def one(self, observation: Any) -> np.ndarray:
        """[height, width, channels] or [inputs] of one observation."""
        row: np.ndarray = self.batch(np.asarray(observation)[None])[0]
        return row


def is_stack(shape: tuple[int, ...]) -> bool:
    """Whether observations of this shape are pictures that were taken one after another."""
    return len(shape) == 4 or (len(shape) == 3 and 1 < shape[0] < min(shape[1:]))
