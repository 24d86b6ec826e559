"""Encoders learn, and an interrupted training ends as one that was not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_cases import folder, settings, train, weights

import agents.encoders.trainer as trainer
from agents.base import AgentRefused, Diverged
from agents.encoders.files import encoder_hash, load_encoder, save_encoder
from agents.encoders.loading import Loader
from agents.encoders.pictures import reconstruction_grid, sample_grid, write_png
from agents.encoders.settings import EncoderSettings
from agents.encoders.training import Kept, Series, TrainingStopped
from agents.encoders.vq_vae import VQVAE
from agents.rollouts.reading import Rollouts

KINDS: list[dict[str, Any]] = [
    {"encoder": "vae"},
    {"encoder": "vae", "encoder_precision": "bfloat16"},
    {"encoder": "beta_vae"},
    {"encoder": "autoencoder", "encoder_gan_weight": 0.1, "encoder_max_grad_norm": 1.0},
    {"encoder": "vq_vae", "encoder_revival": 0.9},
    {"encoder": "vq_vae", "encoder_codebook": "gradient"},
    {"encoder": "mlp"},
    {"encoder": "mlp_vae"},
]


@pytest.fixture
def rollouts(tmp_path: Path) -> Rollouts:
    return folder(tmp_path / "raw")


class Filed(Kept):
    """What is kept went through a file, as a run's checkpoint does."""

    def save(self, state: dict[str, Any]) -> None:
        file = io.BytesIO()
        torch.save(state, file)
        file.seek(0)
        super().save(torch.load(file, weights_only=True))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
def test_resumed_training_has_the_bits_of_uninterrupted_training(
    rollouts: Rollouts, kind: dict[str, Any]
) -> None:
    chosen = settings(**kind)
    whole = train(chosen, rollouts)
    checkpoint = Filed()
    for stops_after in (2, 3):
        asked = iter(range(100))
        with pytest.raises(TrainingStopped):
            train(
                chosen,
                rollouts,
                checkpoint=checkpoint,
                stop=lambda n=stops_after, asked=asked: next(asked) == n,  # type: ignore[misc]
            )
    resumed = train(chosen, rollouts, checkpoint=checkpoint)
    assert resumed.series == whole.series
    assert (resumed.error, resumed.baseline) == (whole.error, whole.baseline)
    expected = weights(whole.encoder)
    for name, value in weights(resumed.encoder).items():
        assert value.tobytes() == expected[name].tobytes(), name


def test_equal_seeds_train_equal_encoders(rollouts: Rollouts) -> None:
    one, other = (train(settings(), rollouts).encoder for _ in range(2))
    assert encoder_hash(one) == encoder_hash(other)


@pytest.mark.parametrize(
    ("kind", "learning", "of_baseline"),
    [
        ({"encoder": "vae"}, {"encoder_learning_rate": 3e-3}, 0.25),
        ({"encoder": "autoencoder"}, {"encoder_learning_rate": 3e-3}, 0.25),
        (
            {"encoder": "vq_vae", "encoder_code_decay": 0.9},
            {"encoder_learning_rate": 3e-3, "encoder_commitment": 1.0},
            0.4,
        ),
        ({"encoder": "mlp"}, {"encoder_learning_rate": 1e-2}, 0.1),
    ],
)
def test_errors_fall_well_below_those_of_the_mean(
    tmp_path: Path, kind: dict[str, Any], learning: dict[str, Any], of_baseline: float
) -> None:
    of = "vectors" if kind["encoder"] == "mlp" else "pictures"
    rollouts = folder(tmp_path / "raw", rollouts=20, per_shard=20, of=of)
    chosen = settings(
        **kind, **learning, encoder_updates=160, encoder_batch_size=32, encoder_report_updates=80
    )
    trained = train(chosen, rollouts)
    assert trained.error < of_baseline * trained.baseline
    assert trained.series["held_out_error"][-1] == pytest.approx(trained.error)
    assert trained.series["updates"] == [80, 160]


def test_revival_keeps_more_codes_in_use(tmp_path: Path) -> None:
    rollouts = folder(tmp_path / "raw")

    def codes_in_use(revival: float) -> int:
        chosen = settings(
            encoder="vq_vae", encoder_revival=revival, encoder_updates=40, encoder_codes=32,
            encoder_code_decay=0.8, encoder_learning_rate=3e-3,
        )  # fmt: skip
        encoder = train(chosen, rollouts).encoder
        assert isinstance(encoder, VQVAE)
        observations = rollouts.sample_observations(np.random.default_rng(0), 60, per_rollout=10)
        return len(torch.unique(encoder.tokens(observations)))

    assert codes_in_use(0.3) > codes_in_use(0.0)


def test_the_clock_is_provenance(rollouts: Rollouts) -> None:
    trained = train(settings(), rollouts)
    assert set(trained.provenance) == {
        "images_per_second", "images_per_cpu_second", "loader_wait_share",
    }  # fmt: skip
    assert 0 <= trained.provenance["loader_wait_share"] <= 1


def test_a_loss_that_is_not_finite_is_named(rollouts: Rollouts) -> None:
    with pytest.raises(Diverged, match="the encoder's loss"):
        train(settings(encoder_learning_rate=1e30), rollouts)


def test_bfloat16_trains_too(rollouts: Rollouts) -> None:
    trained = train(settings(encoder_precision="bfloat16"), rollouts)
    assert np.isfinite(trained.error)
    assert next(trained.encoder.parameters()).dtype == torch.float32


def test_one_rollout_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AgentRefused, match="two rollouts"):
        train(settings(), folder(tmp_path / "raw", rollouts=1))


def test_held_out_rollouts_are_not_learned_from(
    rollouts: Rollouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[int]] = []
    original = trainer._Batches.sample

    def sample(self: Any, part: Rollouts, count: int) -> Any:
        seen.append({int(number) for number in part.numbers})
        return original(self, part, count)

    monkeypatch.setattr(trainer._Batches, "sample", sample)
    train(settings(encoder_held_out=0.5), rollouts)
    learned, held_out = seen
    assert learned.isdisjoint(held_out)
    assert learned | held_out == set(range(6))


def test_a_loaders_error_is_raised_where_its_batch_is_asked_for() -> None:
    def draw(number: int) -> int:
        if number == 2:
            raise OSError("the disk is gone")
        return number

    with Loader(draw, range(5)) as loader:
        assert [loader.next(), loader.next()] == [0, 1]
        with pytest.raises(OSError, match="the disk is gone"):
            loader.next()


def test_a_loader_is_left_while_batches_wait() -> None:
    with Loader(lambda number: number, range(10**9)) as loader:
        assert loader.next() == 0


def test_rows_of_a_series_have_the_same_names() -> None:
    series = Series()
    series.add({"loss": 1})
    with pytest.raises(ValueError, match="among those of"):
        series.add({"error": 1})


class TestFiles:
    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
    def test_an_encoder_comes_back_as_it_was(
        self, rollouts: Rollouts, tmp_path: Path, kind: dict[str, Any]
    ) -> None:
        encoder = train(settings(**kind, encoder_rows=None), rollouts).encoder
        digest = save_encoder(tmp_path / "encoder.pt", encoder)
        again = load_encoder(tmp_path / "encoder.pt")
        assert encoder_hash(again) == digest
        assert again.settings == encoder.settings
        observations = rollouts.observations(0, 0, 5)
        assert torch.equal(again.encode(observations)[0], encoder.encode(observations)[0])

    def test_every_changed_bit_is_found(self, rollouts: Rollouts, tmp_path: Path) -> None:
        path = tmp_path / "encoder.pt"
        save_encoder(path, train(settings(encoder_updates=0), rollouts).encoder)
        whole = path.read_bytes()
        rng = np.random.default_rng(0)
        digest = encoder_hash(load_encoder(path))
        for place in rng.integers(0, len(whole), 60):
            flipped = bytearray(whole)
            flipped[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(flipped)
            try:
                # some bytes of a zip file mean nothing
                assert encoder_hash(load_encoder(path)) == digest
            except AgentRefused as refused:
                assert str(path) in str(refused)

    def test_what_is_no_encoder_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "encoder.pt"
        path.write_bytes(b"nothing")
        with pytest.raises(AgentRefused, match="no encoder can be read"):
            load_encoder(path)


class TestPictures:
    def test_originals_stand_above_their_reconstructions(
        self, rollouts: Rollouts, tmp_path: Path
    ) -> None:
        from PIL import Image

        encoder = train(settings(encoder="vae"), rollouts).encoder
        observations = rollouts.observations(0, 0, 5)
        grid = reconstruction_grid(encoder, observations, columns=3)
        assert grid.shape == (4 * 66 - 2, 3 * 66 - 2, 3)
        np.testing.assert_array_equal(grid[:64:4, :64:4], observations[0])
        decoded = encoder.decode(encoder.encode(observations)[0])[4].detach().numpy()
        shown = grid[198:262:4, 66:130:4]
        assert np.abs(shown - decoded * 255).max() <= 0.51
        write_png(tmp_path / "grid.png", grid)
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "grid.png")), grid)

    @pytest.mark.parametrize("name", ["vae", "vq_vae"])
    def test_samples_are_drawn_from_the_prior(self, rollouts: Rollouts, name: str) -> None:
        encoder = train(settings(encoder=name, encoder_updates=0), rollouts).encoder
        grid = sample_grid(encoder, 5, torch.Generator().manual_seed(0), columns=5)
        assert grid.shape == (64, 5 * 66 - 2, 3)

    def test_vectors_have_none(self, rollouts: Rollouts) -> None:
        encoder = train(settings(encoder="mlp", encoder_updates=0), rollouts).encoder
        with pytest.raises(ValueError, match="no pictures"):
            reconstruction_grid(encoder, rollouts.observations(0, 0, 2))


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (("encoder_rows",), {"encoder_rows": (5, 5)}),
        (("representation_size",), {"encoder": "vq_vae", "representation_size": 30}),
        (("encoder_picture_size",), {"encoder": "vq_vae", "encoder_picture_size": 20}),
        (("encoder_gan_weight",), {"encoder": "mlp", "encoder_gan_weight": 1.0}),
    ],
)
def test_hyperparameters_that_do_not_fit_break_a_rule(
    names: tuple[str, ...], values: dict[str, Any]
) -> None:
    defaults = EncoderSettings()
    broken = [
        rule
        for rule in EncoderSettings.RULES
        if not rule.holds(*(values.get(n, getattr(defaults, n)) for n in rule.names))
    ]
    assert len(broken) == 1
    assert set(names) <= set(broken[0].names)
