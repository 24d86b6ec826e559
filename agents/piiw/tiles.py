"""High-level states: pictures shrunk to a few tiles of a few shades (Ecoffet et al. 2019)."""

from __future__ import annotations

from typing import Any

import cv2
import gymnasium
import numpy as np
from numpy.typing import NDArray

from agents.base import AgentRefused
from agents.neural.pictures import Channels, Pictures
from agents.piiw.observations import is_stack
from agents.planning.evaluation import Atoms


class Tiles:
    """The newest picture of an observation, grey, as the mean of `width` x `height` tiles, each
    floor(mean / 255 * (shades - 1)).

    Attributes:
        atom_count: an atom is tile * shades + shade.
    """

    def __init__(
        self,
        space: gymnasium.Space[Any],
        width: int,
        height: int,
        shades: int,
        channels: Channels = "auto",
    ) -> None:
        """
        Raises:
            AgentRefused: observations are no pictures of bytes.
        """
        shape = space.shape or ()
        if space.dtype != np.uint8 or len(shape) not in (2, 3, 4):
            raise AgentRefused(f"piHIW needs pictures of bytes, not {space}")
        self._stacked = is_stack(shape)
        picture = shape[1:] if self._stacked else shape
        self._pictures = Pictures(picture, channels) if len(picture) == 3 else None
        self._size, self._shades = (width, height), shades
        self.atom_count = width * height * shades
        self._first = np.arange(width * height, dtype=np.int32) * shades

    def __call__(self, observation: NDArray[np.uint8]) -> Atoms:
        """[width * height], ascending."""
        picture = observation[-1] if self._stacked else observation
        if self._pictures is not None:
            picture = self._pictures.channels_last(picture[None])[0]
            if picture.shape[2] == 3:
                picture = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
            else:
                picture = picture.mean(axis=2).astype(np.uint8)
        small = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA).ravel()
        shades = small.astype(np.int32) * (self._shades - 1) // 255
        atoms: Atoms = self._first + shades
        return atoms
