"""Dreams beside what really happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from test_sequence_models import built
from torch import Tensor

from agents.world_models.dream_pictures import dream_strip, imagine, save_png
from agents.world_models.sequence.interface import SequenceModel


class Shades:
    """Pictures of 4 x 5 pixels in two shades, which are the latent."""

    def encode(self, observations: Any) -> tuple[Tensor, Tensor]:
        means = torch.from_numpy(np.asarray(observations)[:, 0, [0, 4], 0]).float() / 255
        return means, torch.full_like(means, -20.0)

    def decode(self, latents: Tensor) -> Tensor:
        shades = latents[:, [0, 0, 0, 1, 1]].clamp(0, 1)
        return shades[:, None, :, None].expand(-1, 4, -1, 1)

    def target(self, observations: Any) -> Tensor:
        return torch.from_numpy(np.asarray(observations)).float() / 255


def strip(model: SequenceModel, heard: int, every: int = 1) -> Any:
    shades = np.random.default_rng(0).integers(0, 255, (13, 2), dtype=np.uint8)
    observations = np.repeat(shades[:, None, [0, 0, 0, 1, 1], None], 4, 1)
    actions = np.zeros((12, 2), np.float32)
    return dream_strip(
        Shades(),
        model,
        observations,
        actions,
        heard=heard,
        every=every,
        generator=torch.Generator().manual_seed(0),
    )


def test_a_strip_has_three_rows_equal_until_the_model_goes_on_alone() -> None:
    picture = strip(built("lstm"), heard=5)
    assert picture.shape == (3 * 6 - 2, 13 * 7 - 2, 3)
    real, decoded, dreamt = (picture[y : y + 4] for y in (0, 6, 12))
    assert np.array_equal(real, decoded)
    border = 6 * 7
    assert np.array_equal(dreamt[:, : border - 2], real[:, : border - 2])
    assert not np.array_equal(dreamt[:, border:], real[:, border:])
    assert (picture[:, border - 2 : border] == (220, 40, 40)).all()


def test_the_last_heard_observation_is_shown_whatever_the_distance() -> None:
    picture = strip(built("lstm"), heard=5, every=3)
    # steps 2, 5, 8, 11
    assert picture.shape[1] == 4 * 7 - 2
    assert (picture[:, 12:14] == (220, 40, 40)).all()


def test_nothing_to_imagine_is_refused() -> None:
    with pytest.raises(ValueError, match="none is left"):
        strip(built("lstm"), heard=12)


def test_imagining_reads_what_it_imagined() -> None:
    model = built("transformer")
    latents, actions = torch.randn(2, 4, 2), torch.randn(2, 8, 2)
    path = imagine(
        model,
        latents,
        actions,
        heard=3,
        temperature=0.0,
        generator=torch.Generator().manual_seed(0),
    )
    assert path.shape == (2, 9, 2)
    assert path[:, :4].equal(latents)
    said = model.unroll(path[:, :-1], actions)
    noise_free = model.sample(said, 0.0, torch.Generator().manual_seed(0)).latent
    assert torch.allclose(path[:, 4:], noise_free[:, 3:], atol=1e-4)


def test_a_saved_picture_is_the_picture(tmp_path: Path) -> None:
    picture = strip(built("lstm"), heard=5)
    save_png(tmp_path / "strip.png", picture)
    with Image.open(tmp_path / "strip.png") as image:
        assert np.array_equal(np.asarray(image), picture)
