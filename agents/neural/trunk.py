"""Convolutional trunks: their layers, and where their parameters lie in a flat row.

Pictures and features are channels last, [height, width, channels]; no layer pads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Convolution(NamedTuple):
    """One layer: `filters` filters of `side` x `side` pixels, moved by `stride`."""

    filters: int
    side: int
    stride: int


#: Mnih et al. (2015), Human-level control through deep reinforcement learning.
NATURE = (Convolution(32, 8, 4), Convolution(64, 4, 2), Convolution(64, 3, 1))
#: Young & Tian (2019), MinAtar.
MINATAR = (Convolution(16, 3, 1),)


def least_side(layers: tuple[Convolution, ...]) -> int:
    """Pixels a side of the smallest picture that layers can read."""
    side = 1
    for layer in reversed(layers):
        side = (side - 1) * layer.stride + layer.side
    return side


@dataclass(frozen=True)
class Trunk:
    """Convolutional layers on pictures of one size.

    Attributes:
        picture: (height, width, channels).
        layers: from the picture on.
    """

    picture: tuple[int, int, int]
    layers: tuple[Convolution, ...]

    @property
    def inputs(self) -> int:
        """Numbers in a picture."""
        return math.prod(self.picture)

    @property
    def feature_maps(self) -> tuple[int, int, int]:
        """(height, width, channels) of the last layer's output."""
        height, width, channels = self.picture
        for filters, side, stride in self.layers:
            height, width = ((pixels - side) // stride + 1 for pixels in (height, width))
            channels = filters
        return height, width, channels

    @property
    def outputs(self) -> int:
        """Numbers in the last layer's output."""
        return math.prod(self.feature_maps)

    @property
    def channels(self) -> list[int]:
        """What each layer reads."""
        return [self.picture[2], *(layer.filters for layer in self.layers[:-1])]

    @property
    def size(self) -> int:
        """Weights and biases."""
        return sum(
            filters * (side * side * channels + 1)
            for (filters, side, _), channels in zip(self.layers, self.channels, strict=True)
        )

    def views(self, rows: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The weights [N, filters, side, side, channels] and biases [N, filters] inside rows
        [N, size], layer by layer."""
        weights, biases, start = [], [], 0
        for (filters, side, _), channels in zip(self.layers, self.channels, strict=True):
            end = start + filters * side * side * channels
            weights.append(rows[:, start:end].view(-1, filters, side, side, channels))
            biases.append(rows[:, end : end + filters])
            start = end + filters
        return weights, biases
