"""Observations that are pictures: where their channels are, and the convolutions that read them."""

from __future__ import annotations

from typing import Literal

import numpy as np

from agents.base import AgentRefused
from agents.neural.trunk import MINATAR, NATURE, Trunk, least_side

EncoderName = Literal["auto", "nature", "minatar", "flat"]
Channels = Literal["auto", "first", "last"]

_LAYERS = {"nature": NATURE, "minatar": MINATAR}


class Pictures:
    """Boxes of 3 dimensions, or of 4 (a stack of pictures, channels of one after those of the
    other), as pictures with channels last.

    Attributes:
        size: (height, width, channels).
        newest: how many channels, the last ones, the newest picture of a stack has. Where channels
            come first they are a stack of grey pictures; where there is none, all are new.
    """

    def __init__(self, shape: tuple[int, ...], channels: Channels) -> None:
        stack = [0] if len(shape) == 4 else []
        first = _channels_first(shape[-3:], channels)
        height, width, channel = (axis + len(stack) for axis in ((1, 2, 0) if first else (0, 1, 2)))
        self._axes = (0, *(1 + axis for axis in (height, width, *stack, channel)))
        sides = [shape[axis] for axis in (height, width)]
        self.size = (sides[0], sides[1], int(np.prod(shape)) // (sides[0] * sides[1]))
        self.newest = shape[channel] if stack else 1 if first else self.size[2]

    def channels_last(self, observations: np.ndarray) -> np.ndarray:
        """[M, height, width, channels] of observations [M, ...]."""
        return observations.transpose(self._axes).reshape(len(observations), *self.size)


def trunk_for(
    shape: tuple[int, ...], encoder: EncoderName, channels: Channels, *, agent: str
) -> tuple[Pictures, Trunk] | None:
    """How observations of a shape are read by convolutions; None: they are not.

    Raises:
        AgentRefused: the encoder that the settings name cannot read them.
    """
    if encoder == "flat" or (encoder == "auto" and len(shape) not in (3, 4)):
        return None
    if len(shape) not in (3, 4):
        raise AgentRefused(
            f'{agent} with encoder "{encoder}" needs pictures, boxes of 3 or 4 dimensions, '
            f'not {list(shape)}: choose "auto" or "flat"'
        )
    pictures = Pictures(shape, channels)
    height, width, _ = pictures.size
    if encoder == "auto":
        fitting = (name for name in _LAYERS if least_side(_LAYERS[name]) <= min(height, width))
        chosen = next(fitting, None)
        if chosen is None:
            return None
    elif least_side(_LAYERS[encoder]) > min(height, width):
        raise AgentRefused(
            f'{agent} with encoder "{encoder}" needs pictures of {least_side(_LAYERS[encoder])} '
            f"pixels a side or more, not {height} x {width} (of {list(shape)}; image_channels says "
            "which are the channels)"
        )
    else:
        chosen = encoder
    return pictures, Trunk(pictures.size, _LAYERS[chosen])


def _channels_first(shape: tuple[int, ...], channels: Channels) -> bool:
    """Where not told: pictures are square; where no two sides are equal, channels are fewer than
    pixels; a cube has them last, as Gymnasium's pictures do."""
    if channels != "auto":
        return channels == "first"
    first, middle, last = shape
    if middle in (first, last):
        return first != middle
    return first < last
