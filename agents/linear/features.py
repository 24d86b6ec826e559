"""Binary features of an observation: tile coding for boxes, one-hot for discrete spaces."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import msgspec
import numpy as np

from agents.base import AgentRefused
from agents.linear.kernels import kernel
from agents.linear.settings import LinearSettings

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Tiles(msgspec.Struct, frozen=True):
    """Tile coding: T tilings of B tiles a dimension over [low, high]^D, and a bias.

    Tiling n is displaced by n/(B*T) of the range in every dimension; values outside the range
    fall into the outermost tile. Feature 0 is always on, so T + 1 features are active.

    Attributes:
        bounds: [2, D] low, then scale: an observation x is normalised to (x - low) * scale in
            [0, 1].
        layout: [4] T, B, features, and 1 where tiles are hashed, else 0. There are T*B^D + 1
            features; where that is too many, all tiles share the slots from 1 on by hashing.
    """

    bounds: np.ndarray
    layout: np.ndarray

    @property
    def active(self) -> int:
        """Number of active features."""
        return int(self.layout[0]) + 1

    @property
    def size(self) -> int:
        """Number of features."""
        return int(self.layout[2])

    @property
    def hashed(self) -> bool:
        """Whether tiles share slots."""
        return bool(self.layout[3])


def tiles_for(space: gymnasium.Space[Any], settings: LinearSettings, *, agent: str) -> Tiles:
    """The features for an observation space.

    A discrete space is one tiling with a tile for each state.

    Raises:
        AgentRefused: not a vector or a discrete space, or a dimension without finite bounds.
    """
    if isinstance(space, gymnasium.spaces.Discrete):
        states = int(space.n)
        bounds = np.array([[space.start - 0.5], [1 / states]])
        return Tiles(bounds, np.array([1, states, states + 1, 0]))
    if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) != 1:
        raise AgentRefused(
            f"{agent} needs a vector or a discrete observation, not {space}; "
            "image observations want a neural agent"
        )
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    unbounded = [
        i for i in range(len(low)) if not math.isfinite(high[i] - low[i]) or high[i] - low[i] > 1e30
    ]
    if unbounded:
        raise AgentRefused(
            f"{agent} tiles the observation, and dimension"
            f"{'s' if len(unbounded) > 1 else ''} {', '.join(map(str, unbounded))} of {len(low)} "
            f'{"have" if len(unbounded) > 1 else "has"} no finite bounds; give "observation_ranges"'
            f" in the environment file: a [low, high] for each of the {len(low)} dimensions "
            "(null where the environment's own bounds are finite)"
        )
    width = np.where(high > low, high - low, 1.0)
    tilings, bins = settings.tilings, settings.bins
    dense = tilings * bins ** len(low) + 1
    hashed = dense > settings.table_size
    size = settings.table_size if hashed else dense
    return Tiles(np.array([low, 1 / width]), np.array([tilings, bins, size, hashed]))


@kernel
def activate(
    observation: np.ndarray, bounds: np.ndarray, layout: np.ndarray, active: np.ndarray
) -> None:
    """Writes the indices of the active features of `observation` [D] into `active` [T + 1].

    Hashed tiles of different tilings may meet in one slot; its feature is then counted twice.
    """
    D = bounds.shape[1]
    tilings, bins, size, hashed = layout
    active[0] = 0
    if hashed:
        for tiling in range(tilings):
            offset = tiling / (bins * tilings)
            key = np.uint64(tiling + 1) * _GOLDEN
            for d in range(D):
                cell = np.uint64(_cell(_normalised(observation[d], bounds, d), offset, bins))
                key = _mix(key ^ (cell + _GOLDEN * np.uint64(d + 1)))
            active[tiling + 1] = 1 + np.int64(key % np.uint64(size - 1))
        return
    active[1:] = 0
    for d in range(D):
        z = _normalised(observation[d], bounds, d)
        for tiling in range(tilings):
            tile = active[tiling + 1] * bins
            active[tiling + 1] = tile + _cell(z, tiling / (bins * tilings), bins)
    tiles = bins**D
    for tiling in range(tilings):
        active[tiling + 1] += 1 + tiling * tiles


@kernel
def _normalised(x: float, bounds: np.ndarray, d: int) -> float:
    # in this order a NaN, which is in no tile, is taken for the lowest
    z: float = min(max(0.0, (x - bounds[0, d]) * bounds[1, d]), 1.0)
    return z


@kernel
def _cell(z: float, offset: float, bins: int) -> int:
    return min(int((z + offset) * bins), bins - 1)


@kernel
def _mix(key: np.uint64) -> np.uint64:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014): every bit depends on every bit."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))
