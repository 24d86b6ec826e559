"""Rollouts as an encoder sees them: raw rollouts to latent ones, shared out over jobs.

Shards are ordered by the rollouts in them, and job k of n encodes shards k, k + n, k + 2n, ...:
each shard exactly once, whatever n is. A shard of latents is written for each, whole or not at all;
what is there already is not made again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from agents.encoders.files import encoder_hash
from agents.encoders.interface import ObservationEncoder
from agents.encoders.training import Progress, Stop, TrainingStopped
from agents.rollouts.errors import BadShard, FolderRefused
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.rollouts.rollout import LatentRollout, Rollout
from agents.rollouts.spec import FolderSpec

_FRAMES_AT_ONCE = 250


def shards_of(job: int, jobs: int, shards: int) -> range:
    """Places, among `shards` in order, of those that a job of `jobs` encodes.

    Raises:
        ValueError: there is no such job.
    """
    if not 0 <= job < jobs:
        raise ValueError(f"shard {job} of {jobs}: there are 0 to {jobs - 1}")
    return range(job, shards, jobs)


def latent_spec(
    encoder: ObservationEncoder, raw: Rollouts, dtype: Literal["float16", "float32"] = "float16"
) -> FolderSpec:
    """What a folder of latents is of: the rollouts, and the hashes of both encoder and data."""
    spec = raw.spec
    return FolderSpec(
        environment=spec.environment,
        observation_space=spec.observation_space,
        action_space=spec.action_space,
        policy=spec.policy,
        rollouts=spec.rollouts,
        max_steps=spec.max_steps,
        seed=spec.seed,
        kind="latent",
        latent_dtype=dtype,
        source={"encoder": encoder_hash(encoder), "rollouts": raw.content_hash},
    )


def encode_rollout(encoder: ObservationEncoder, rollout: Rollout) -> LatentRollout:
    """One rollout, on the device of the encoder, which is in evaluation (`eval()`)."""
    means, log_variances = [], []
    with torch.inference_mode():
        for begin in range(0, len(rollout.observations), _FRAMES_AT_ONCE):
            part = rollout.observations[begin : begin + _FRAMES_AT_ONCE]
            mean, log_variance = encoder.encode(part)
            means.append(mean.cpu().numpy())
            log_variances.append(log_variance.cpu().numpy())
    return LatentRollout(np.concatenate(means), np.concatenate(log_variances), *rollout[1:])


def encode_rollouts(
    encoder: ObservationEncoder,
    raw: Rollouts,
    out: Path | str,
    *,
    outer_shard: int = 0,
    outer_shards: int = 1,
    device: str = "cpu",
    latent_dtype: Literal["float16", "float32"] = "float16",
    progress: Progress,
    stop: Stop = lambda: False,
) -> RolloutFolder:
    """Encodes the share of one job of `outer_shards`; what is encoded already stays as it is.

    Whoever finds the folder complete gives its shards their final names.

    Args:
        out: folder of the latents, which all jobs share.
        stop: asked before each rollout.

    Raises:
        FolderRefused: `raw` are latents, or `out` holds others.
        BadShard: a shard of `raw` is damaged, where it says that this is to be raised.
        TrainingStopped: `stop()` said so; whole shards are kept.
    """
    if raw.is_latent:
        raise FolderRefused(f"{raw.path} holds latents already")
    encoder.to(device).eval()
    folder = RolloutFolder.create(out, latent_spec(encoder, raw, latent_dtype))
    wanted = _by_shard(raw, set(folder.missing()))
    order = _in_order(raw)
    mine = shards_of(outer_shard, outer_shards, len(order))
    for done, place in enumerate(mine):
        rows = wanted.get(order[place])
        if rows is not None:
            _encode_shard(encoder, raw, folder, order[place], rows, stop)
        progress(f"latents: {done + 1:,} of {len(mine):,} shards")
    if not folder.missing():
        folder.finalize()
    return folder


def _encode_shard(
    encoder: ObservationEncoder,
    raw: Rollouts,
    folder: RolloutFolder,
    shard: int,
    rows: NDArray[np.int64],
    stop: Stop,
) -> None:
    def encoded() -> Iterator[LatentRollout]:
        for i in rows:
            if stop():
                raise TrainingStopped
            rollout = raw.rollout(int(i))
            assert isinstance(rollout, Rollout)
            yield encode_rollout(encoder, rollout)

    try:
        folder.write_shard([int(number) for number in raw.numbers[rows]], encoded())
    except BadShard as damaged:
        raw.shards.set_aside(shard, damaged)


def _in_order(raw: Rollouts) -> list[int]:
    """Shards of a data set by their least rollout: names may change meanwhile, numbers do not."""
    _, first = np.unique(raw.shard_of, return_index=True)
    return [int(raw.shard_of[i]) for i in np.sort(first)]


def _by_shard(raw: Rollouts, missing: set[int]) -> dict[int, NDArray[np.int64]]:
    """Which rollouts of each shard are to be encoded, where there are any."""
    wanted = np.flatnonzero([int(number) in missing for number in raw.numbers])
    shards = raw.shard_of[wanted]
    return {int(shard): wanted[shards == shard] for shard in np.unique(shards)}
