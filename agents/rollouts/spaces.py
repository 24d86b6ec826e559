"""Gymnasium's spaces as JSON."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from numpy.typing import NDArray

from agents.rollouts.errors import FolderRefused


def describe(space: gymnasium.Space[Any]) -> dict[str, Any]:
    """A space whose elements are arrays or numbers.

    Raises:
        FolderRefused: it is of another kind.
    """
    if isinstance(space, Box):
        return {
            "type": "Box",
            "low": _bound(space.low),
            "high": _bound(space.high),
            "shape": list(space.shape),
            "dtype": space.dtype.name,
        }
    if isinstance(space, Discrete):
        return {"type": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, MultiDiscrete):
        return {"type": "MultiDiscrete", "nvec": space.nvec.tolist()}
    if isinstance(space, MultiBinary):
        return {"type": "MultiBinary", "n": space.n if isinstance(space.n, int) else list(space.n)}
    raise FolderRefused(
        f"rollouts of {space} cannot be kept; "
        "the kinds of spaces that can: Box, Discrete, MultiDiscrete, MultiBinary"
    )


def build(description: dict[str, Any]) -> gymnasium.Space[Any]:
    """The space that `describe` was given."""
    kind = description["type"]
    if kind == "Box":
        shape, dtype = tuple(description["shape"]), np.dtype(description["dtype"])
        read_as = np.float64 if dtype.kind == "f" else dtype  # reads "inf"
        low, high = (
            np.broadcast_to(np.array(description[end], read_as).astype(dtype), shape).copy()
            for end in ("low", "high")
        )
        return Box(low, high, shape, dtype.type)
    if kind == "Discrete":
        return Discrete(description["n"], start=description["start"])
    if kind == "MultiDiscrete":
        return MultiDiscrete(np.array(description["nvec"]))
    return MultiBinary(description["n"])


def _bound(values: NDArray[Any]) -> Any:
    """A number where all are equal; infinities as text, which JSON has no number for."""
    if values.size and (values == values.flat[0]).all():
        values = values.flat[0]
    return _texts(np.asarray(values).tolist())


def _texts(values: Any) -> Any:
    if isinstance(values, list):
        return [_texts(value) for value in values]
    return str(values) if values in (float("inf"), float("-inf")) else values
