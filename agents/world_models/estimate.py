"""What a run will take, roughly, before it begins."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import torch

from agents.base import EnvironmentMaker
from agents.encoders.building import build_encoder
from agents.world_models.settings import WorldModelSettings

_SECONDS = 0.1
_COMPRESSED = 0.1  # of pictures; measured 0.083 of CarRacing's
_LATENT_BYTES = 2 * 2


def estimate(
    settings: WorldModelSettings,
    make_environment: EnvironmentMaker,
    space: gymnasium.Space[Any],
) -> Iterator[str]:
    """Sentences on steps, disk, memory and time, from rates that are measured for a second."""
    problem = make_environment(0)
    limit = settings.rollout_max_steps or problem.steps_per_episode or 1000
    observation, _ = problem.reset(seed=0)
    problem.action_space.seed(0)
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < _SECONDS:
        _, _, terminated, truncated, _ = problem.step(problem.action_space.sample())
        steps += 1
        if terminated or truncated:
            problem.reset(seed=0)
    rate = steps / (time.perf_counter() - began)
    problem.close()
    shown = np.asarray(observation)
    frames = limit * (settings.rollouts + settings.added_rollouts * (settings.iterations - 1))
    bytes_of_frames = frames * shown.nbytes * (_COMPRESSED if shown.ndim > 2 else 1.0)
    latents = frames * settings.representation_size * _LATENT_BYTES
    players = max(settings.workers, 1)
    yield (
        f"at most {frames:,} steps of rollouts: {_bytes(bytes_of_frames + latents)} of disk; "
        f"{rate:,.0f} steps/s in each of {players}: {_time(frames / rate / players)}"
    )
    encoder = build_encoder(settings, space, 0)
    batch = encoder.prepare(np.stack([shown] * min(settings.encoder_batch_size, 32)))
    generator = torch.Generator().manual_seed(0)
    began, updates = time.perf_counter(), 0
    while updates == 0 or time.perf_counter() - began < _SECONDS:
        torch.autograd.backward(encoder.loss(batch, generator)[0])
        updates += 1
    each = (time.perf_counter() - began) / updates * settings.encoder_batch_size / len(batch)
    parameters = sum(math.prod(p.shape) for p in encoder.parameters())
    total = settings.encoder_updates * settings.iterations
    yield (
        f"encoder: {parameters:,} parameters, {total:,} updates: {_time(each * total)} here; "
        f"latents in memory: {_bytes(latents)} at most"
    )
    total_steps = make_environment.settings.total_timesteps
    yield (
        f"all {total_steps:,} timesteps take {_time(total_steps / rate / players)} of the "
        "environment alone"
    )


def _bytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
