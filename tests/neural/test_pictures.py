"""Which observations are pictures, where their channels are, and what reads them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from agents.base import AgentRefused
from agents.neural.observations import Encoder
from agents.neural.pictures import Channels
from agents.neural.trunk import MINATAR, NATURE


def box(*shape: int, dtype: Any = np.uint8) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(0, 1 if dtype is bool else 255, shape, dtype)


def pictures(*shape: int, channels: Channels = "auto") -> tuple[int, int, int]:
    """Height, width and channels."""
    trunk = Encoder(box(*shape), agent="SAC", image_channels=channels).trunk
    assert trunk is not None
    return trunk.picture


def test_channels_are_found() -> None:
    assert pictures(4, 84, 84) == (84, 84, 4)  # Atari's stack of frames
    assert pictures(84, 84, 4) == (84, 84, 4)
    assert pictures(10, 10, 7) == (10, 10, 7)  # MinAtar
    assert pictures(10, 10, 10) == (10, 10, 10)  # MinAtar's Seaquest
    assert pictures(10, 10, 16) == (10, 10, 16)
    assert pictures(96, 96, 3) == (96, 96, 3)  # CarRacing
    assert pictures(210, 160, 3) == (210, 160, 3)  # Atari's screen
    assert pictures(3, 210, 160) == (210, 160, 3)
    assert pictures(4, 84, 84, 3) == (84, 84, 12)  # a stack of Atari's colour frames
    assert pictures(4, 3, 84, 84) == (84, 84, 12)


def test_channels_can_be_told() -> None:
    assert pictures(10, 20, 30, channels="first") == (20, 30, 10)
    assert pictures(10, 20, 30, channels="last") == (10, 20, 30)


@pytest.mark.parametrize("shape", [(4, 8, 9), (3, 4, 8, 9)])
def test_channels_come_last_and_keep_their_pixels(shape: tuple[int, ...]) -> None:
    encoder = Encoder(box(*shape), agent="SAC")
    assert encoder.trunk is not None
    observation = np.random.default_rng(0).integers(256, size=shape).astype(np.uint8)
    rows = encoder.stored(observation[None]).reshape(1, *encoder.trunk.picture)
    for pixel in ((0, 0), (7, 8), (3, 5)):
        assert rows[0][pixel].tolist() == observation[..., *pixel].ravel().tolist()


def test_convolutions_are_chosen_by_size() -> None:
    def layers(*shape: int) -> Any:
        trunk = Encoder(box(*shape), agent="SAC").trunk
        return None if trunk is None else trunk.layers

    assert layers(36, 36, 3) == NATURE
    assert layers(36, 35, 3) == layers(10, 10, 4) == MINATAR
    assert layers(2, 2, 4) is None
    assert layers(84, 84) is layers(128) is None
    assert Encoder(gymnasium.spaces.Discrete(4), agent="SAC").trunk is None
    assert Encoder(box(84, 84, 4), agent="SAC", encoder="flat").trunk is None


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(AgentRefused, match=r'encoder "nature" needs pictures of 36 .* 10 x 10'):
        Encoder(box(10, 10, 4), agent="SAC", encoder="nature")
    with pytest.raises(AgentRefused, match=r'encoder "minatar" needs pictures, boxes of 3'):
        Encoder(box(8), agent="SAC", encoder="minatar")
    with pytest.raises(AgentRefused, match="needs pictures"):
        Encoder(gymnasium.spaces.Discrete(3), agent="SAC", encoder="nature")


def test_bytes_are_fractions_and_truth_values_are_numbers() -> None:
    frame = Encoder(box(2, 3), agent="SAC")
    assert frame.byte_scale == 255 and frame.width == 6
    assert frame.read(np.full((1, 2, 3), 255, dtype=np.uint8)).tolist() == [[1.0] * 6]
    truth = Encoder(box(2, 3, dtype=bool), agent="SAC")
    assert truth.byte_scale == 1
    assert truth.stored(np.ones((1, 2, 3), dtype=bool)).dtype == np.uint8
    assert truth.read(np.ones((1, 2, 3), dtype=bool)).tolist() == [[1.0] * 6]
    assert Encoder(box(2, dtype=np.float32), agent="SAC").byte_scale is None
