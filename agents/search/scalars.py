"""Scalars as distributions over a support: the transform h, and two-hot categorical targets.

h(x) = sign(x) (√(|x| + 1) - 1) + ε x (Pohlen et al. 2018) compresses returns of any size; the
value is then a distribution over equidistant bins of h-space, and reads as h⁻¹(E[bins]).
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: ε of h. It keeps h invertible with a bounded derivative.
EPSILON = 0.001


def compress(x: ArrayLike) -> NDArray[np.floating]:
    """h(x), elementwise; float32 stays float32.

    As x (1 / (√(|x| + 1) + 1) + ε), which is the same and loses nothing near 0.
    """
    x = _floating(x)
    y: NDArray[np.floating] = x * (1 / (np.sqrt(np.abs(x) + 1) + 1) + EPSILON)
    return y


def expand(y: ArrayLike) -> NDArray[np.floating]:
    """h⁻¹(y), elementwise; float32 stays float32.

    With s = √(1 + 4ε(|y| + 1 + ε)), h⁻¹ = sign(y) (((s - 1) / 2ε)² - 1). Near 0 that
    is a difference of nearly equal numbers twice over. It equals u (|u| + 2) with
    u = 2 y / (s + 1 + 2ε), which loses nothing.
    """
    y = _floating(y)
    root = np.sqrt(1 + 4 * EPSILON * (np.abs(y) + 1 + EPSILON))
    u = 2 * y / (root + 1 + 2 * EPSILON)
    x: NDArray[np.floating] = u * (np.abs(u) + 2)
    return x


class Support(NamedTuple):
    """Equidistant bins.

    Attributes:
        low, high: the outermost bins, in h-space if `compressed`.
        bins: how many, 2 at least.
        compressed: whether scalars pass through h on their way in.
    """

    low: float
    high: float
    bins: int
    compressed: bool = True

    @classmethod
    def symmetric(cls, limit: int, *, compressed: bool = True) -> Support:
        """The 2 limit + 1 integers of [-limit, limit]."""
        return cls(-float(limit), float(limit), 2 * limit + 1, compressed)

    @property
    def atoms(self) -> NDArray[np.float64]:
        """[bins] the bins' places."""
        return _atoms(self.low, self.high, self.bins, np.dtype(np.float64))

    def check(self, greatest: float) -> None:
        """Refuses a support that values of this size would saturate.

        Raises:
            ValueError: `greatest` or -`greatest` lies outside.
        """
        place = float(compress(float(greatest))) if self.compressed else float(greatest)
        if not (self.low <= -place and place <= self.high):
            needed = int(np.ceil(abs(place)))
            raise ValueError(
                f"the support [{self.low:g}, {self.high:g}] is too narrow for values of "
                f"{greatest:g}, which are at {place:.4g}: let it reach to {needed} at least"
            )

    def encode(self, x: ArrayLike) -> NDArray[np.floating]:
        """[..., bins] probabilities of scalars [...]: two neighbours share each one.

        Scalars beyond the support are put on its end.
        """
        x = _floating(x)
        y = compress(x) if self.compressed else x
        step = (self.high - self.low) / (self.bins - 1)
        place = (np.clip(y, self.low, self.high) - self.low) / step
        below = np.floor(place).astype(np.int64)
        share = (place - below).astype(x.dtype)
        hot = np.zeros((x.size, self.bins), x.dtype)
        rows = np.arange(x.size)
        # added, not set: at the upper end both are the same bin
        np.add.at(hot, (rows, below.ravel()), 1 - share.ravel())
        np.add.at(hot, (rows, np.minimum(below + 1, self.bins - 1).ravel()), share.ravel())
        return hot.reshape(*x.shape, self.bins)

    def decode(self, probabilities: ArrayLike) -> NDArray[np.floating]:
        """The scalars [...] that distributions [..., bins] stand for."""
        p = _floating(probabilities)
        mean = p @ _atoms(*self[:3], p.dtype)
        return expand(mean) if self.compressed else mean

    def decode_logits(self, logits: ArrayLike) -> NDArray[np.floating]:
        """The scalars [...] that softmax(logits [..., bins]) stands for."""
        logits = _floating(logits)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        mean = (weights @ _atoms(*self[:3], logits.dtype)) / weights.sum(axis=-1)
        return expand(mean) if self.compressed else mean


@functools.cache
def _atoms(low: float, high: float, bins: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """[bins], which are asked for at every step of a search; read-only."""
    atoms = np.linspace(low, high, bins).astype(dtype)
    atoms.flags.writeable = False
    return atoms


def _floating(x: ArrayLike) -> NDArray[np.floating]:
    array = np.asarray(x)
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)
