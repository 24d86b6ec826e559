"""The compiled loops of dreaming: random numbers that depend on a seed and a step, and samples.

Random numbers are SplitMix64 (Steele et al. 2014) of a counter, so that nothing is kept between
steps. They are one file, since numba's cache of what it has compiled looks at one file only.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.world_models.sequence.likelihood import LEAST_LOG_STD

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_TWO_PI = 2 * math.pi


@njit(cache=True)
def _mixed(x: Any) -> Any:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True)
def draw(
    seeds: NDArray[np.int64],
    step: int,
    component: NDArray[np.float32],
    normal: NDArray[np.float32],
    end: NDArray[np.float32],
) -> None:
    """Fills uniforms [B, D], normals [B, D] and uniforms [B] of that step of members [B]."""
    for b in range(len(seeds)):
        key = _mixed(_mixed(np.uint64(seeds[b]) + _GOLDEN) + np.uint64(step) * _GOLDEN)
        end[b] = np.float32(_mixed(key + _GOLDEN) >> np.uint64(40)) * np.float32(2.0**-24)
        key += _GOLDEN
        for d in range(component.shape[1]):
            key += _GOLDEN
            bits = _mixed(key) >> np.uint64(40)
            component[b, d] = np.float32(bits) * np.float32(2.0**-24)
        for d in range(normal.shape[1]):
            key += _GOLDEN
            bits = _mixed(key)
            radius = (float(bits >> np.uint64(32)) + 1.0) * 2.0**-32
            angle = float(bits & np.uint64(0xFFFFFFFF)) * 2.0**-32
            # Box and Muller 1958
            normal[b, d] = math.sqrt(-2.0 * math.log(radius)) * math.cos(_TWO_PI * angle)


@njit(cache=True)
def _chosen(logits: Any, temperature: float, uniform: float, cumulative: Any) -> int:
    """An entry of logits [K], by the inverse of the distribution function; overwrites [K]."""
    choices = len(logits)
    best = 0
    for k in range(1, choices):
        if logits[k] > logits[best]:
            best = k
    if temperature == 0.0:
        return best
    scale = np.float32(1.0 / temperature)
    total = np.float32(0.0)
    for k in range(choices):
        total += np.exp((logits[k] - logits[best]) * scale)
        cumulative[k] = total
    for k in range(choices):
        if np.float32(uniform) * total < cumulative[k]:
            return k
    return choices - 1


@njit(cache=True)
def sample_mixture(
    parameters: NDArray[np.float32],
    choices: int,
    temperature: float,
    component: NDArray[np.float32],
    normal: NDArray[np.float32],
    x: NDArray[np.float32],
) -> None:
    """Fills x [B, D] by parameters [B, >= D * 3K], see `outputs.Mixture`."""
    spread = np.float32(math.sqrt(temperature))
    least = np.float32(LEAST_LOG_STD)
    cumulative = np.empty(choices, np.float32)
    for b in range(x.shape[0]):
        for d in range(x.shape[1]):
            first = d * 3 * choices
            logits = parameters[b, first : first + choices]
            k = first + _chosen(logits, temperature, component[b, d], cumulative)
            log_std = max(parameters[b, k + 2 * choices], least)
            x[b, d] = parameters[b, k + choices] + np.exp(log_std) * spread * normal[b, d]


@njit(cache=True)
def sample_bins(
    parameters: NDArray[np.float32],
    centres: NDArray[np.float32],
    temperature: float,
    component: NDArray[np.float32],
    x: NDArray[np.float32],
) -> None:
    """Fills x [B, D] by parameters [B, >= D * K] and centres [D, K]."""
    choices = centres.shape[1]
    cumulative = np.empty(choices, np.float32)
    for b in range(x.shape[0]):
        for d in range(x.shape[1]):
            logits = parameters[b, d * choices : (d + 1) * choices]
            x[b, d] = centres[d, _chosen(logits, temperature, component[b, d], cumulative)]
