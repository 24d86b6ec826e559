"""Numbers as characters, as fine as a screen shows them: two or four characters each.

`unpack` in assets/packed.js reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
STEPS = 4094  # of the 4096 pairs of characters, the last stands for NaN
NOT_A_NUMBER = 4095
#: Where the numbers span more than so many times what most of them do, steps would be too coarse.
_LONGEST_TAIL = 20.0


def pack(values: ArrayLike) -> list[Any] | str:
    """[low, step, characters], two for each number; NaN stays NaN.

    Numbers with far outliers are characters only, four each: the upper 24 bits of a float32, which
    has 16 significant bits whatever the others are.
    """
    import numpy as np

    array = np.asarray(values, dtype=np.float64)
    known = array[np.isfinite(array)]
    if known.size == 0:
        return [0.0, 0.0, _pairs(np.full(array.shape, NOT_A_NUMBER))]
    low, high = float(known.min()), float(known.max())
    ordered = np.sort(known)
    tail = max(known.size // 10, int(known.size > 2))
    if high - low > _LONGEST_TAIL * (ordered[-1 - tail] - ordered[tail]):
        return _floats(array)
    start = _rounded(low)
    step = _rounded((high - start) / STEPS * 1.0001)
    code = np.round((array - start) / (step or 1.0))
    filled = np.where(np.isnan(code), NOT_A_NUMBER, np.clip(code, 0, STEPS))
    return [start, step, _pairs(filled.astype(np.int64))]


def _rounded(value: float) -> float:
    return float(f"{value:.7g}")


def _pairs(codes: NDArray[Any]) -> str:
    import numpy as np

    letters = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)
    pairs = np.stack([letters[codes >> 6], letters[codes & 63]], axis=-1)
    return pairs.tobytes().decode()


def _floats(array: NDArray[Any]) -> str:
    import base64

    import numpy as np

    with np.errstate(over="ignore"):
        bits = array.astype(">f4").view(">u4")
    nearest = (bits.astype(np.uint64) + 0x80).astype(">u4")
    octets = nearest.view(np.uint8).reshape(-1, 4)[:, :3]
    return base64.b64encode(octets.tobytes()).decode()
