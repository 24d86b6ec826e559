"""The command that finds damaged rollouts, sets them aside and collects them again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from click.testing import CliRunner, Result
from rollout_cases import a_folder, a_spec, flip, flip_a_picture

from agents.collecting import collect, describe_policy
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.rollouts.spec import FolderSpec
from agents.world_models.verify import main

ROOT = Path(__file__).resolve().parents[2]


def _verify(*arguments: Any) -> Result:
    return CliRunner().invoke(main, [str(word) for word in arguments], catch_exceptions=False)


def test_a_sound_folder_is_said_to_be_complete(tmp_path: Path) -> None:
    a_folder(tmp_path)
    for depth in ("size", "hash", "decode"):
        done = _verify(tmp_path, "--depth", depth)
        assert done.exit_code == 0
        assert "6 of 6 rollouts, 48 steps in 3 shards of" in done.stdout
        assert done.stderr == ""


def test_damage_is_named_with_the_share_that_is_lost(tmp_path: Path) -> None:
    shard = a_folder(tmp_path).shards()[2]
    flip_a_picture(shard)
    before = sorted(tmp_path.iterdir())
    done = _verify(tmp_path)
    assert done.exit_code == 1
    assert f"damaged: {shard}: its bytes have changed" in done.stderr
    assert "missing: 2 rollouts, 33.33% of all" in done.stderr
    assert sorted(tmp_path.iterdir()) == before
    assert _verify(tmp_path, "--depth", "size").exit_code == 0  # for that it takes another depth


def test_quarantine_sets_it_aside(tmp_path: Path) -> None:
    shard = a_folder(tmp_path).shards()[0]
    flip_a_picture(shard)
    done = _verify(tmp_path, "--quarantine")
    assert done.exit_code == 1
    assert f"moved to {tmp_path / 'quarantine'}: {shard.name}" in done.stdout
    assert (tmp_path / "quarantine" / shard.name).exists() and not shard.exists()
    again = _verify(tmp_path)
    assert again.exit_code == 1 and "damaged" not in again.stderr


@pytest.fixture
def cart_pole(tmp_path: Path) -> RolloutFolder:
    """Eight random rollouts in four shards."""
    environment = gymnasium.make("CartPole-v1")
    spec = FolderSpec(
        environment={"env_name": "CartPole-v1", "total_timesteps": 1},
        observation_space=environment.observation_space,
        action_space=environment.action_space,
        policy=describe_policy("random"),
        rollouts=8,
        max_steps=50,
    )
    folder = RolloutFolder.create(tmp_path / "cart_pole", spec)
    for begin in range(0, 8, 2):
        collect(spec, folder, workers=0, numbers=range(begin, begin + 2))
    return folder


def test_repair_collects_just_what_was_lost_and_it_comes_out_as_it_was(
    cart_pole: RolloutFolder,
) -> None:
    expected = Rollouts(cart_pole.path).content_hash
    sound, flipped, torn, also_sound = cart_pole.shards()
    flip(flipped, flipped.stat().st_size // 2)
    torn.write_bytes(torn.read_bytes()[:-100])
    kept = {path: path.read_bytes() for path in (sound, also_sound)}
    done = _verify(cart_pole.path, "--repair")
    assert done.exit_code == 0
    assert "missing: 4 rollouts, 50.00% of all" in done.stderr
    assert "collected again: 4 rollouts" in done.stdout
    assert {path: path.read_bytes() for path in kept} == kept
    assert Rollouts(cart_pole.path).content_hash == expected
    quarantined = {path.name for path in (cart_pole.path / "quarantine").glob("*.h5")}
    assert quarantined == {flipped.name, torn.name}
    assert _verify(cart_pole.path, "--repair", "--depth", "decode").exit_code == 0


def test_what_cannot_be_verified_is_refused_in_a_sentence(tmp_path: Path) -> None:
    RolloutFolder.create(tmp_path / "latent", a_spec(kind="latent"))
    for folder, message in (
        ("nowhere", "no such folder: there is no folder.json in it"),
        (".", "is no folder of rollouts"),
    ):
        done = _verify(tmp_path / folder)
        assert done.exit_code == 2 and message in done.stderr
    done = _verify(tmp_path / "latent", "--repair")
    assert done.exit_code == 2 and "--repair collects raw rollouts" in done.stderr


def test_it_runs_as_a_module_with_several_processes(tmp_path: Path) -> None:
    a_folder(tmp_path)
    command = [sys.executable, "-m", "agents.world_models.verify", str(tmp_path)]
    done = subprocess.run(
        [*command, "--workers", "2"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
