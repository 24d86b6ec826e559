"""Dreams beside what really happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from PIL import Image
from test_sequence_models import built

from agents.encoders.building import build_encoder
from agents.encoders.pictures import write_png
from agents.encoders.settings import EncoderSettings
from agents.world_models.dream_pictures import dream_strip, imagine
from agents.world_models.sequence.interface import SequenceModel

#: Of pictures of 64 x 64 pixels, in two latents.
SPACE = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
ENCODER = build_encoder(EncoderSettings(encoder="autoencoder", representation_size=2), SPACE, 0)


def strip(model: SequenceModel, heard: int, every: int = 1) -> Any:
    rng = np.random.default_rng(0)
    observations = rng.integers(0, 255, (13, 64, 64, 3), dtype=np.uint8)
    actions = np.zeros((12, 2), np.float32)
    return dream_strip(
        ENCODER,
        model,
        observations,
        actions,
        heard=heard,
        every=every,
        generator=torch.Generator().manual_seed(0),
    )


def test_a_strip_has_three_rows_and_the_model_departs_where_it_goes_on_alone() -> None:
    picture = strip(built("lstm"), heard=5)
    assert picture.shape == (3 * 66 - 2, 13 * 66 - 2, 3)
    real, decoded, dreamt = (picture[y : y + 64] for y in (0, 66, 132))
    border = 6 * 66
    assert np.array_equal(dreamt[:, : border - 2], decoded[:, : border - 2])
    assert not np.array_equal(dreamt[:, border:], decoded[:, border:])
    assert not np.array_equal(decoded, real)
    assert (picture[:, border - 2 : border] == (220, 40, 40)).all()


def test_the_last_heard_observation_is_shown_whatever_the_distance() -> None:
    picture = strip(built("lstm"), heard=5, every=3)
    # steps 2, 5, 8, 11
    assert picture.shape[1] == 4 * 66 - 2
    assert (picture[:, 130:132] == (220, 40, 40)).all()


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
    write_png(tmp_path / "strip.png", picture)
    with Image.open(tmp_path / "strip.png") as image:
        assert np.array_equal(np.asarray(image), picture)
