"""Random observations and random windows of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agents.rollouts.errors import BadShard, FolderRefused
from agents.rollouts.rollout import LatentSlices, Slices

if TYPE_CHECKING:
    from agents.rollouts.reading import Rollouts


def sample_observations(
    rollouts: Rollouts, rng: np.random.Generator, count: int, per_rollout: int
) -> NDArray[Any]:
    """See `Rollouts.sample_observations`."""
    if rollouts.is_latent:
        raise ValueError("latent rollouts have no observations: sample slices of them")
    if per_rollout < 1:
        raise ValueError(f"of each rollout 1 observation at least is drawn, not {per_rollout}")
    sampled = np.empty((count, *rollouts.observation_shape), rollouts.observation_dtype)
    places = rng.permutation(count)
    for begin in range(0, count, per_rollout):
        block = places[begin : begin + per_rollout]
        _fill_with_observations(rollouts, rng, sampled, block)
    return sampled


def _fill_with_observations(
    rollouts: Rollouts, rng: np.random.Generator, sampled: NDArray[Any], places: NDArray[np.int64]
) -> None:
    """Of one rollout; where that one is damaged and may be skipped, of another."""
    while True:
        (i,), _ = _draw(rng, _good(rollouts, rollouts.lengths + 1), 1)
        wanted = np.sort(rng.integers(0, rollouts.lengths[i] + 1, len(places)))
        shard = int(rollouts.shard_of[i])
        try:
            sampled[places] = rollouts.shards[shard].pick(int(rollouts.row_of[i]), wanted)
            return
        except BadShard as damaged:
            rollouts.shards.set_aside(shard, damaged)


def sample_slices(
    rollouts: Rollouts, rng: np.random.Generator, count: int, length: int
) -> Slices | LatentSlices:
    """See `Rollouts.sample_slices`."""
    if length < 1:
        raise ValueError(f"a window has 1 step at least, not {length}")
    shape, dtype = rollouts.observation_shape, rollouts.observation_dtype
    series = 2 if rollouts.is_latent else 1
    frames = tuple(np.zeros((count, length + 1, *shape), dtype) for _ in range(series))
    actions = np.zeros((count, length, *rollouts.action_shape), rollouts.action_dtype)
    rewards = np.zeros((count, length), np.float32)
    terminated, mask = np.zeros((2, count, length), bool)
    left = np.arange(count)
    while len(left):
        windows = np.maximum(rollouts.lengths - length + 1, 1)
        drawn, starts = _draw(rng, _good(rollouts, windows), len(left))
        again = []
        # neighbours one after another: their chunks may still be decompressed
        for k in np.lexsort((starts, drawn)):
            place, i, start = left[k], int(drawn[k]), int(starts[k])
            stop = min(start + length, int(rollouts.lengths[i]))
            number, row = int(rollouts.shard_of[i]), int(rollouts.row_of[i])
            if number in rollouts.shards.bad:
                again.append(place)
                continue
            try:
                shard = rollouts.shards[number]
                read = shard.read(row, start, stop + 1)
            except BadShard as damaged:
                rollouts.shards.set_aside(number, damaged)
                again.append(place)
                continue
            steps = stop - start
            for whole, part in zip(frames, read, strict=True):
                whole[place, : steps + 1] = part
            actions[place, :steps], rewards[place, :steps] = shard.steps(row, start, stop)
            mask[place, :steps] = True
            terminated[place, steps - 1] = stop == rollouts.lengths[i] and shard.terminated(row)
        left = np.array(again, np.int64)
    if rollouts.is_latent:
        return LatentSlices(frames[0], frames[1], actions, rewards, terminated, mask)
    return Slices(frames[0], actions, rewards, terminated, mask)


def _good(rollouts: Rollouts, weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """The weights, 0 for what lies in a damaged shard."""
    bad = rollouts.shards.bad
    return np.where(np.isin(rollouts.shard_of, list(bad)), 0, weights) if bad else weights


def _draw(
    rng: np.random.Generator, weights: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rollouts, as often as they weigh, and for each a number below its weight."""
    ends = np.cumsum(weights)
    if ends[-1] == 0:
        raise FolderRefused("all rollouts are damaged")
    places = rng.integers(0, ends[-1], count)
    drawn = np.searchsorted(ends, places, side="right")
    return drawn, places - (ends - weights)[drawn]
