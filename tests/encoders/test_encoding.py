"""Rollouts are encoded once each, by any number of jobs, interrupted or not."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from encoder_cases import PICTURES, folder, settings
from hypothesis import given
from hypothesis import strategies as st

from agents.base import AgentRefused
from agents.encoders.building import build_encoder
from agents.encoders.encoding import encode_rollouts, shards_of
from agents.encoders.files import save_encoder
from agents.encoders.interface import ObservationEncoder
from agents.encoders.training import TrainingStopped
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.rollouts.rollout import LatentRollout, Rollout
from agents.world_models.encode import main


@pytest.fixture
def raw(tmp_path: Path) -> Rollouts:
    return folder(tmp_path / "raw", rollouts=7, per_shard=2)


def an_encoder(seed: int = 0) -> ObservationEncoder:
    return build_encoder(settings(), PICTURES, seed)


def encode(raw: Rollouts, out: Path, **more: Any) -> RolloutFolder:
    return encode_rollouts(an_encoder(), raw, out, progress=lambda line: None, **more)


@given(jobs=st.integers(1, 40), shards=st.integers(0, 60))
def test_each_shard_is_encoded_by_exactly_one_job(jobs: int, shards: int) -> None:
    shares = [list(shards_of(job, jobs, shards)) for job in range(jobs)]
    assert sorted(itertools.chain(*shares)) == list(range(shards))
    lengths = [len(share) for share in shares]
    assert max(lengths) - min(lengths) <= 1


def test_there_is_no_job_beyond_the_last() -> None:
    with pytest.raises(ValueError, match="0 to 2"):
        shards_of(3, 3, 10)


def test_latents_are_what_the_encoder_says_of_each_frame(raw: Rollouts, tmp_path: Path) -> None:
    encode(raw, tmp_path / "latent", latent_dtype="float32")
    latents = Rollouts(tmp_path / "latent")
    encoder = an_encoder()
    assert latents.is_latent
    assert len(latents) == len(raw) == 7
    for i in range(7):
        before, after = raw.rollout(i), latents.rollout(i)
        assert isinstance(before, Rollout)
        assert isinstance(after, LatentRollout)
        mean, log_variance = encoder.encode(before.observations)
        np.testing.assert_allclose(after.means, mean.detach(), atol=1e-6)
        np.testing.assert_allclose(after.log_variances, log_variance.detach(), atol=1e-6)
        np.testing.assert_array_equal(after.actions, before.actions)
        np.testing.assert_array_equal(after.rewards, before.rewards)
        assert after[4:] == before[3:]


@pytest.mark.parametrize("jobs", [1, 2, 3, 9])
def test_any_number_of_jobs_makes_the_same_latents(
    raw: Rollouts, tmp_path: Path, jobs: int
) -> None:
    encode(raw, tmp_path / "one")
    for job in reversed(range(jobs)):
        shared = encode(raw, tmp_path / "many", outer_shard=job, outer_shards=jobs)
    assert not shared.missing()
    assert shared.manifest is not None
    assert sum(shard["rollouts"] for shard in shared.manifest["shards"]) == 7
    assert Rollouts(tmp_path / "many").content_hash == Rollouts(tmp_path / "one").content_hash


def test_names_that_change_between_jobs_change_no_share(raw: Rollouts, tmp_path: Path) -> None:
    encode(raw, tmp_path / "latent", outer_shard=0, outer_shards=2)
    RolloutFolder(raw.path).finalize()
    again = Rollouts(raw.path)
    assert not encode(again, tmp_path / "latent", outer_shard=1, outer_shards=2).missing()


def test_interrupted_encoding_goes_on_with_what_is_missing(
    raw: Rollouts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = iter(range(100))
    with pytest.raises(TrainingStopped):
        encode(raw, tmp_path / "latent", stop=lambda: next(asked) == 5)
    assert RolloutFolder(tmp_path / "latent").missing() == [4, 5, 6]
    read: list[int] = []
    original = raw.rollout

    def rollout(i: int) -> Rollout | LatentRollout:
        read.append(i)
        return original(i)

    monkeypatch.setattr(raw, "rollout", rollout)
    assert not encode(raw, tmp_path / "latent").missing()
    assert read == [4, 5, 6]
    encode(raw, tmp_path / "whole")
    assert Rollouts(tmp_path / "latent").content_hash == Rollouts(tmp_path / "whole").content_hash


def test_latents_of_another_encoder_are_not_mixed_in(raw: Rollouts, tmp_path: Path) -> None:
    encode(raw, tmp_path / "latent")
    with pytest.raises(AgentRefused, match="holds other rollouts"):
        encode_rollouts(an_encoder(1), raw, tmp_path / "latent", progress=lambda line: None)


def test_latents_are_not_encoded_again(raw: Rollouts, tmp_path: Path) -> None:
    encode(raw, tmp_path / "latent")
    with pytest.raises(AgentRefused, match="latents already"):
        encode(Rollouts(tmp_path / "latent"), tmp_path / "twice")


class TestCommand:
    def run(self, tmp_path: Path, *more: str) -> Any:
        save_encoder(tmp_path / "encoder.pt", an_encoder())
        paths = ("--rollouts", "raw", "--encoder", "encoder.pt", "--out", "latent")
        arguments = [str(tmp_path / part) if part[0] != "-" else part for part in paths]
        return CliRunner().invoke(main, [*arguments, *more])

    def test_jobs_share_the_work(self, raw: Rollouts, tmp_path: Path) -> None:
        first = self.run(tmp_path, "--outer-shards", "2", "--outer-shard", "1")
        assert first.exit_code == 0, first.output
        assert "4 of 7" in first.output or "3 of 7" in first.output
        second = self.run(tmp_path, "--outer-shards", "2", "--outer-shard", "0")
        assert "7 of 7" in second.output
        assert len(Rollouts(tmp_path / "latent")) == 7

    def test_what_cannot_be_used_is_said_in_a_sentence(self, raw: Rollouts, tmp_path: Path) -> None:
        for more, words in (
            (("--outer-shard", "1"), "it is 0 to 0"),
            (("--device", "cuda:99"), "cuda:99 cannot be used"),
            (("--device", "toaster"), "toaster cannot be used"),
        ):
            result = self.run(tmp_path, *more)
            assert result.exit_code == 2
            assert words in result.output
            assert "Traceback" not in result.output

    def test_a_damaged_encoder_is_refused(self, raw: Rollouts, tmp_path: Path) -> None:
        save_encoder(tmp_path / "encoder.pt", an_encoder())
        data = bytearray((tmp_path / "encoder.pt").read_bytes())
        data[len(data) // 2] ^= 1
        (tmp_path / "broken.pt").write_bytes(data)
        result = CliRunner().invoke(
            main,
            ["--rollouts", str(raw.path), "--encoder", str(tmp_path / "broken.pt"),
             "--out", str(tmp_path / "latent")],
        )  # fmt: skip
        assert result.exit_code == 2
        assert "broken.pt" in result.output

    @pytest.mark.slow
    def test_devices_share_the_part_of_a_job(self, raw: Rollouts, tmp_path: Path) -> None:
        result = self.run(tmp_path, "--device", "cpu,cpu")
        assert result.exit_code == 0
        assert not RolloutFolder(tmp_path / "latent").missing()
        assert torch.get_num_threads() >= 1
