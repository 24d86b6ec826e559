"""What the files of searches have in common: the format "search/1", of docs/planning.md."""

from __future__ import annotations

import base64
import hashlib
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.base import AgentRefused

FORMAT = "search/1"
THUMBNAIL = 96  # pixels, of the longer side at most
COLOURS = 64  # of a thumbnail


def encode(record: dict[str, Any]) -> bytes:
    """The record as the bytes of a file."""
    import orjson

    return orjson.dumps(record)


def save(record: dict[str, Any] | None, path: Path, wanted: int, taken: int) -> str:
    """Writes the record of decision `wanted`, of `taken` in all, and says so.

    Raises:
        AgentRefused: there is none.
        OSError: it cannot be written.
    """
    if record is None:
        raise AgentRefused(f"there was no decision {wanted}: the episode took {taken}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(record))
    return f"wrote {path}: python plotting/search_tree.py {path} -o search.html"


def known(values: NDArray[np.floating]) -> list[float | None]:
    """Null for what was not asked (NaN) or not expanded (-inf)."""
    return [value if math.isfinite(value) else None for value in values.tolist()]


class Images:
    """Thumbnails as data URIs; equal pictures are one."""

    def __init__(self) -> None:
        self.uris: list[str] = []
        self._numbers: dict[bytes, int] = {}

    def add(self, picture: NDArray[Any] | None) -> int:
        """The picture's number, -1 for none."""
        if picture is None:
            return -1
        key = hashlib.blake2b(picture.tobytes() + repr(picture.shape).encode()).digest()
        if key not in self._numbers:
            self._numbers[key] = len(self.uris)
            self.uris.append(thumbnail(picture))
        return self._numbers[key]


def thumbnail(picture: NDArray[Any]) -> str:
    """A picture [H, W, 3], of bytes or of shares from 0 to 1, as a small PNG in a data URI: whole
    pixels are averaged."""
    from PIL import Image

    if picture.dtype.kind == "f":
        picture = np.rint(255 * picture).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(picture)).convert("RGB")
    times = math.ceil(max(image.size) / THUMBNAIL)
    file = io.BytesIO()
    image.reduce(times).quantize(COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
