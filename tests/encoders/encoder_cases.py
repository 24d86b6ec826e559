"""Small folders of rollouts for encoders to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agents.encoders.interface import ObservationEncoder
from agents.encoders.settings import EncoderSettings
from agents.encoders.trainer import TrainedEncoder, train_encoder
from agents.encoders.training import Checkpoint, Kept, Stop
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.rollouts.rollout import Rollout
from agents.rollouts.spec import FolderSpec

SIDE = 16
PICTURES = gymnasium.spaces.Box(0, 255, (SIDE, SIDE, 3), np.uint8)
VECTORS = gymnasium.spaces.Box(-np.inf, np.inf, (6,), np.float32)


def settings(**changed: Any) -> EncoderSettings:
    """Of a small encoder that learns for a moment."""
    small: dict[str, Any] = {
        "representation_size": 8,
        "encoder_picture_size": SIDE,
        "encoder_width": 8,
        "encoder_hidden": 32,
        "encoder_codes": 16,
        "encoder_code_grid": 2,
        "encoder_updates": 6,
        "encoder_batch_size": 12,
        "encoder_report_updates": 3,
        "encoder_observations_per_rollout": 4,
    }
    return EncoderSettings(**(small | changed))


def pictures(rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """[count, 16, 16, 3] with a bar at a random place, which few numbers describe."""
    places = rng.integers(0, SIDE - 4, count)
    drawn = np.full((count, SIDE, SIDE, 3), 30, np.uint8)
    for picture, place in zip(drawn, places, strict=True):
        picture[:, place : place + 5] = (200, 120, 60)
    return drawn


def vectors(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """[count, 6] of two hidden numbers, in units far from 1."""
    hidden = rng.normal(size=(count, 2))
    mixed = np.concatenate((hidden, hidden.sum(1, keepdims=True), hidden**2, hidden[:, :1]), 1)
    return (100 * mixed + 1000).astype(np.float32)


def folder(path: Path, *, rollouts: int = 6, per_shard: int = 2, of: str = "pictures") -> Rollouts:
    """Rollouts of 8 to 8 + `rollouts` steps, so many of them in a shard."""
    space = PICTURES if of == "pictures" else VECTORS
    spec = FolderSpec(
        environment={"env_name": "bars"},
        observation_space=space,
        action_space=gymnasium.spaces.Discrete(2),
        policy={"name": "random"},
        rollouts=rollouts,
    )
    raw = RolloutFolder.create(path, spec)
    for begin in range(0, rollouts, per_shard):
        numbers = range(begin, min(begin + per_shard, rollouts))
        raw.write_shard(numbers, [_rollout(number, of) for number in numbers])
    return Rollouts(path)


def _rollout(number: int, of: str) -> Rollout:
    rng, steps = np.random.default_rng(number), 8 + number
    make = pictures if of == "pictures" else vectors
    return Rollout(
        make(rng, steps + 1),
        rng.integers(0, 2, steps),
        rng.normal(size=steps).astype(np.float32),
        number % 2 == 0,
        number % 2 == 1,
        number,
        {"number": number},
    )


def train(
    chosen: EncoderSettings,
    rollouts: Rollouts,
    *,
    checkpoint: Checkpoint | None = None,
    stop: Stop = lambda: False,
) -> TrainedEncoder:
    """Of a fixed seed."""
    return train_encoder(
        chosen,
        rollouts,
        rng=np.random.default_rng(3),
        progress=lambda line: None,
        checkpoint=checkpoint or Kept(),
        stop=stop,
    )


def weights(encoder: ObservationEncoder) -> dict[str, NDArray[Any]]:
    """All arrays of an encoder by name."""
    return {name: value.numpy() for name, value in encoder.state_dict().items()}
