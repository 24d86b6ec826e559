"""How encoders read observations: cropped, resized pictures, or vectors.

Pictures: rows are cropped, then the picture is resized to a square (bilinear, with antialiasing),
then made grey if asked for. Pictures of bytes stay bytes, rounded; what a network sees lies
within [0, 1]. All of it happens on the processor, so that it does not depend on the device.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from agents.base import AgentRefused
from agents.encoders.settings import OF_PICTURES, EncoderSettings
from agents.neural.pictures import Pictures

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


class Observed(msgspec.Struct, frozen=True):
    """What of an observation space is needed to read its observations.

    Attributes:
        shape: of one observation.
        dtype: NumPy's name of its type.
        low: the least value of a picture's numbers.
        high: the greatest.
        first: of discrete observations, the least; None: they are no choice.
        choices: of discrete observations, how many there are.
        rows: of a picture that are kept; None: all.
        side: pixels of the resized picture; 0: it is read as a vector.
        grey: whether colours become shades.
        channels: which dimension they are.
    """

    shape: tuple[int, ...]
    dtype: str
    low: float = 0.0
    high: float = 1.0
    first: int | None = None
    choices: int = 0
    rows: tuple[int, int] | None = None
    side: int = 0
    grey: bool = False
    channels: str = "last"

    @property
    def size(self) -> tuple[int, ...]:
        """Of one observation as a network sees it: (C, H', W') or (N,)."""
        if self.first is not None:
            return (self.choices,)
        if not self.side:
            return (max(1, math.prod(self.shape)),)
        channels = _pictures(self.shape, self.channels).size[2]
        return (channels // 3 if self.grey else channels, self.side, self.side)

    @property
    def newest(self) -> int:
        """Channels of the newest picture of a stack, the last ones."""
        newest = _pictures(self.shape, self.channels).newest
        return newest // 3 if self.grey else newest

    def prepare(self, observations: NDArray[Any]) -> Tensor:
        """See `ObservationEncoder.prepare`.

        Raises:
            ValueError: they have another shape.
        """
        observations = np.asarray(observations)
        if observations.shape[1:] != self.shape:
            raise ValueError(
                f"observations of shape {list(observations.shape[1:])}, not {list(self.shape)}"
            )
        if self.first is not None:
            choices = torch.from_numpy(observations.astype(np.int64) - self.first)
            return functional.one_hot(choices, self.choices).to(torch.float32)
        if not self.side:
            flat = observations.reshape(len(observations), -1)
            return torch.from_numpy(flat.astype(np.float32))
        return self._prepared_pictures(observations)

    def _prepared_pictures(self, observations: NDArray[Any]) -> Tensor:
        pictures = _pictures(self.shape, self.channels)
        kept = pictures.channels_last(observations)[:, slice(*(self.rows or (None, None)))]
        if self.dtype == "bool":
            kept = kept.astype(np.uint8) * np.uint8(255)
        elif self.dtype != "uint8":
            kept = ((kept - self.low) / (self.high - self.low)).astype(np.float32)
        # channels are last in memory; a read-only array would be warned of
        batch = torch.from_numpy(np.require(kept, requirements="W")).permute(0, 3, 1, 2)
        if batch.shape[2:] != (self.side, self.side):
            batch = functional.interpolate(
                batch, size=(self.side, self.side), mode="bilinear", antialias=True
            )
        return _grey(batch) if self.grey else batch

    def scaled(self, prepared: Tensor) -> Tensor:
        """Floats of what `prepare` returned, on any device."""
        if prepared.dtype == torch.uint8:
            return prepared.to(torch.float32) / 255
        return prepared


def observed(space: gymnasium.Space[Any], settings: EncoderSettings) -> Observed:
    """How the encoder of these settings reads observations of a space.

    Raises:
        AgentRefused: it cannot.
    """
    if settings.encoder in OF_PICTURES:
        return _observed_pictures(space, settings)
    if isinstance(space, gymnasium.spaces.Discrete):
        return Observed((), str(space.dtype), first=int(space.start), choices=int(space.n))
    if isinstance(space, gymnasium.spaces.Box):
        return Observed(space.shape, str(space.dtype))
    raise AgentRefused(f"encoders read boxes and discrete observations, not {space}")


def _observed_pictures(space: gymnasium.Space[Any], settings: EncoderSettings) -> Observed:
    name = settings.encoder
    if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) not in (2, 3, 4):
        raise AgentRefused(
            f'encoder "{name}" reads pictures, boxes of 2 to 4 dimensions, not {space}: '
            'choose "mlp" or "mlp_vae"'
        )
    if not space.is_bounded():
        raise AgentRefused(f'encoder "{name}" reads pictures whose values have bounds: {space}')
    size = _pictures(space.shape, settings.encoder_image_channels).size
    rows = settings.encoder_rows
    if rows is not None and rows[1] > size[0]:
        raise AgentRefused(f"encoder_rows {list(rows)} of pictures of {size[0]} rows")
    if settings.encoder_grey and size[2] % 3:
        raise AgentRefused(f"encoder_grey needs colours, three channels each, not {size[2]}")
    return Observed(
        space.shape,
        str(space.dtype),
        low=float(space.low.min()),
        high=float(space.high.max()),
        rows=rows,
        side=settings.encoder_picture_size,
        grey=settings.encoder_grey,
        channels=settings.encoder_image_channels,
    )


def _pictures(shape: tuple[int, ...], channels: Any) -> Pictures:
    if len(shape) == 2:
        return Pictures((*shape, 1), "last")
    return Pictures(shape, channels)


def _grey(pictures: Tensor) -> Tensor:
    """[B, C / 3, H, W] of [B, C, H, W]; bytes are rounded."""
    count, channels, height, width = pictures.shape
    weights = torch.tensor(_LUMA).reshape(1, 1, 3, 1, 1)
    colours = pictures.reshape(count, channels // 3, 3, height, width)
    shades = (colours.to(torch.float32) * weights).sum(2)
    return shades.round().to(torch.uint8) if pictures.dtype == torch.uint8 else shades
