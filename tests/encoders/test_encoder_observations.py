"""What encoders see of observations."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from encoder_cases import PICTURES, VECTORS, settings

from agents.base import AgentRefused
from agents.encoders.building import build_encoder
from agents.encoders.observations import observed
from agents.encoders.pictures import as_pictures

RNG = np.random.default_rng(0)


def box(shape: tuple[int, ...], dtype: Any = np.uint8, high: float = 255) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(0, high, shape, dtype)


def test_pictures_of_the_right_size_are_seen_as_they_are() -> None:
    encoder = build_encoder(settings(), PICTURES, 0)
    observations = RNG.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(encoder.target(observations), observations / np.float32(255))


def test_rows_are_cropped_before_pictures_are_resized() -> None:
    chosen = settings(encoder_rows=(0, 84), encoder_picture_size=64)
    pictures = np.zeros((2, 96, 96, 3), np.uint8)
    pictures[:, 84:] = 255
    pictures[:, :42] = 100
    seen = build_encoder(chosen, box((96, 96, 3)), 0).prepare(pictures)
    assert seen.shape == (2, 3, 64, 64)
    assert seen.dtype == torch.uint8
    assert (seen[:, :, :31] == 100).all()
    assert (seen[:, :, 33:] == 0).all()


def test_resizing_averages_as_antialiasing_does() -> None:
    pictures = RNG.integers(0, 256, (2, 32, 32, 1), dtype=np.uint8)
    seen = build_encoder(settings(), box((32, 32, 1)), 0).prepare(pictures)
    smooth = torch.nn.functional.interpolate(
        torch.from_numpy(pictures).permute(0, 3, 1, 2).float(), (16, 16),
        mode="bilinear", antialias=True,
    )  # fmt: skip
    assert (seen.float() - smooth).abs().max() <= 1


def test_stacks_are_channels_and_grey_makes_one_of_three() -> None:
    stack = RNG.integers(0, 256, (2, 4, 16, 16, 3), dtype=np.uint8)
    space = box((4, 16, 16, 3))
    coloured = build_encoder(settings(), space, 0)
    grey = build_encoder(settings(encoder_grey=True), space, 0)
    assert coloured.prepare(stack).shape == (2, 12, 16, 16)
    seen = grey.prepare(stack)
    assert seen.shape == (2, 4, 16, 16)
    luma = stack @ np.array([0.299, 0.587, 0.114])
    assert np.abs(seen.numpy() - luma).max() <= 0.5 + 1e-3
    newest = as_pictures(coloured, coloured.target(stack))
    np.testing.assert_array_equal(newest[:, ::4, ::4], stack[:, -1])


def test_flat_pictures_have_one_channel() -> None:
    assert observed(box((20, 30)), settings()).size == (1, 16, 16)


def test_channels_that_come_first_are_told_by_their_number() -> None:
    assert observed(box((4, 84, 84)), settings()).size == (4, 16, 16)


@pytest.mark.parametrize(("dtype", "high"), [(np.float32, 5.0), (np.bool_, 1), (np.int32, 7)])
def test_pictures_of_other_numbers_lie_between_0_and_1(dtype: Any, high: float) -> None:
    encoder = build_encoder(settings(), box((16, 16, 2), dtype, high), 0)
    pictures = np.zeros((1, 16, 16, 2), dtype)
    pictures[:, 3] = high
    seen = encoder.target(pictures)
    assert torch.unique(seen[0, 3]).tolist() == [1]
    assert torch.unique(seen[0, :3]).tolist() == [0]


def test_discrete_observations_are_one_hot() -> None:
    space = gymnasium.spaces.Discrete(4, start=2)
    encoder = build_encoder(settings(encoder="mlp"), space, 0)
    assert encoder.target(np.array([2, 5])).tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]


def test_what_was_prepared_is_encoded_as_what_was_not() -> None:
    encoder = build_encoder(settings(), box((20, 24, 3)), 0)
    observations = RNG.integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)
    prepared = encoder.encode(encoder.prepare(observations))
    for one, other in zip(prepared, encoder.encode(observations), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("space", "changed", "words"),
    [
        (VECTORS, {}, 'choose "mlp" or "mlp_vae"'),
        (box((16, 16, 3)), {"encoder_rows": (0, 20)}, "of pictures of 16 rows"),
        (box((16, 16, 4)), {"encoder_grey": True}, "three channels each, not 4"),
        (box((16, 16, 1), np.float32, np.inf), {}, "bounds"),
        (gymnasium.spaces.Text(3), {"encoder": "mlp"}, "boxes and discrete"),
    ],
)
def test_what_cannot_be_read_is_refused(space: Any, changed: Any, words: str) -> None:
    with pytest.raises(AgentRefused, match=words):
        build_encoder(settings(**changed), space, 0)


def test_observations_of_another_shape_are_named() -> None:
    encoder = build_encoder(settings(), PICTURES, 0)
    with pytest.raises(ValueError, match=r"\[8, 8, 3\], not \[16, 16, 3\]"):
        encoder.prepare(np.zeros((2, 8, 8, 3), np.uint8))
