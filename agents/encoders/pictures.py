"""What an encoder sees, in pictures: reconstructions beside originals, samples of the prior."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.encoders.interface import ObservationEncoder, Observations
from agents.rollouts.files import Temporary

Bytes = NDArray[np.uint8]
_GAP = 2  # pixels
_SHADE = 128  # of what is between pictures
_ENLARGED_TO = 64  # pixels a side, of small pictures at least


def reconstruction_grid(
    encoder: ObservationEncoder, observations: Observations, columns: int = 8
) -> Bytes:
    """Originals of [B, ...] as the encoder sees them, each above its reconstruction: [H, W, 3].

    Raises:
        ValueError: the encoder is of vectors.
    """
    with torch.inference_mode():
        mean, _ = encoder.encode(observations)
        originals = as_pictures(encoder, encoder.target(observations))
        decoded = as_pictures(encoder, encoder.decode(mean))
    rows = []
    for begin in range(0, len(originals), columns):
        rows += [originals[begin : begin + columns], decoded[begin : begin + columns]]
    return _grid(rows, columns)


def sample_grid(
    encoder: ObservationEncoder, count: int, generator: torch.Generator, columns: int = 8
) -> Bytes:
    """What the encoder decodes of `count` latents drawn from its prior: [H, W, 3].

    Raises:
        ValueError: the encoder is of vectors.
    """
    with torch.inference_mode():
        pictures = as_pictures(encoder, encoder.decode(encoder.sample(count, generator)))
    begins = range(0, count, columns)
    return _grid([pictures[begin : begin + columns] for begin in begins], columns)


def as_pictures(encoder: ObservationEncoder, decoded: Tensor) -> Bytes:
    """[B, H, W, 3] in bytes of what `decode` or `target` gave; of a stack the newest picture.

    Raises:
        ValueError: the encoder is of vectors.
    """
    if not encoder.is_picture:
        raise ValueError("an encoder of vectors has no pictures")
    newest = decoded[..., -encoder.observed.newest :]
    if newest.shape[-1] != 3:
        newest = newest[..., -1:].expand(*newest.shape[:-1], 3)
    shades = (newest.clamp(0, 1) * 255).round().to(torch.uint8)
    pictures: Bytes = shades.cpu().numpy()
    times = math.ceil(_ENLARGED_TO / pictures.shape[1])
    return pictures.repeat(times, 1).repeat(times, 2)


def write_png(path: Path | str, picture: NDArray[Any]) -> None:
    """Writes a picture [H, W, 3] of bytes: the whole file or none.

    Raises:
        OSError: it cannot be written; `path` is as it was.
    """
    from PIL import Image

    temporary = Temporary(Path(path))
    try:
        Image.fromarray(picture).save(temporary.path, "PNG")
        temporary.publish()
    except BaseException:
        temporary.discard()
        raise


def _grid(rows: list[Bytes], columns: int) -> Bytes:
    height, width = rows[0].shape[1:3]
    size = (len(rows) * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3)
    grid = np.full(size, _SHADE, np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            y, x = i * (height + _GAP), j * (width + _GAP)
            grid[y : y + height, x : x + width] = picture
    return grid
