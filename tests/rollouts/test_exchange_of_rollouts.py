"""Rollouts become data sets of Minari or .npz files and come back the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from rollout_cases import a_folder, a_latent_rollout, a_rollout, a_spec, same

from agents.rollouts.errors import FolderRefused
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.minari_exchange import export_minari
from agents.rollouts.reading import Rollouts
from agents.world_models.exchange import main

ROOT = Path(__file__).resolve().parents[2]


def _exchange(*arguments: Any) -> str:
    done = CliRunner().invoke(main, [str(word) for word in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def _refused(*arguments: Any) -> str:
    done = CliRunner().invoke(main, [str(word) for word in arguments], catch_exceptions=False)
    assert done.exit_code == 2
    return done.stderr


@pytest.mark.parametrize("form", ["minari", "npz"])
def test_there_and_back_is_the_same(form: str, tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "here")
    assert "6 rollouts" in _exchange(folder.path, tmp_path / "there-v0", "--to", form)
    _exchange(tmp_path / "there-v0", tmp_path / "back", "--from", form)
    back = RolloutFolder(tmp_path / "back")
    assert back.spec == folder.spec
    assert Rollouts(back.path).content_hash == Rollouts(folder.path).content_hash
    for number, read in enumerate(Rollouts(back.path)):
        assert same(read, a_rollout(number))


def test_minari_reads_what_was_exported(tmp_path: Path) -> None:
    import minari

    folder = a_folder(tmp_path / "here")
    export_minari(Rollouts(folder.path), tmp_path / "random-v0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
        data = minari.load_dataset("random-v0")
    assert data.total_episodes == 6 and data.total_steps == Rollouts(folder.path).lengths.sum()
    for number, episode in enumerate(data):
        rollout = a_rollout(number)
        assert (episode.observations == rollout.observations).all()
        assert (episode.actions == rollout.actions).all()
        assert (episode.rewards == rollout.rewards).all()
        assert episode.terminations[-1] == rollout.terminated
        assert episode.truncations[-1] == rollout.truncated


def test_latent_rollouts_go_into_npz_and_not_into_minari(tmp_path: Path) -> None:
    folder = RolloutFolder.create(tmp_path / "here", a_spec(2, kind="latent"))
    written = [a_latent_rollout(number, 9) for number in range(2)]
    folder.write_shard(range(2), written)
    _exchange(folder.path, tmp_path / "npz", "--to", "npz")
    _exchange(tmp_path / "npz", tmp_path / "back", "--from", "npz")
    for read, one in zip(Rollouts(tmp_path / "back"), written, strict=True):
        assert same(read, one)
    assert "Minari has no latent" in _refused(folder.path, tmp_path / "a-v0", "--to", "minari")


def test_files_of_others_need_an_environment(tmp_path: Path) -> None:
    (tmp_path / "npz").mkdir()
    for name in ("a", "b"):
        np.savez(
            tmp_path / "npz" / f"{name}.npz",
            observations=np.zeros((6, 4), np.float32),
            actions=np.zeros(5, np.int64),
            rewards=np.ones(5),
            terminated=name == "b",
        )
    out = tmp_path / "out"
    assert "give --env-json" in _refused(tmp_path / "npz", out, "--from", "npz")
    environment = tmp_path / "CartPole.json"
    environment.write_text(json.dumps({"env_name": "CartPole-v1", "total_timesteps": 1}))
    _exchange(tmp_path / "npz", out, "--from", "npz", "--env-json", environment)
    data = Rollouts(out)
    assert [read.terminated for read in data] == [False, True]
    assert data.spec.action_space.n == 2  # type: ignore[attr-defined]


def test_a_file_with_as_many_observations_as_actions_is_refused(tmp_path: Path) -> None:
    _exchange(a_folder(tmp_path / "here", 2).path, tmp_path / "npz", "--to", "npz")
    file = tmp_path / "npz" / "rollout-00001.npz"
    with np.load(file) as arrays:
        content = dict(arrays)
    np.savez(file, **content | {"observations": content["observations"][1:]})
    message = _refused(tmp_path / "npz", tmp_path / "out", "--from", "npz")
    assert "is no rollout: a rollout of 5 actions has 6 observations, not 5" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["here", "there"], "say either --to or --from"),
        (["here", "there", "--to", "minari"], "there is no name of a data set for Minari: try"),
        (["nowhere", "there-v0", "--to", "minari"], "no such folder"),
        (["here", "there", "--from", "minari"], "here is no data set of Minari"),
        (["here", "there", "--from", "npz"], "there is no .npz file in it"),
        (["here", "here-v0", "--to", "minari"], "here-v0 exists"),
    ],
)
def test_what_cannot_be_exchanged_is_refused(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a_folder(Path("here"), 2)
    Path("here-v0").mkdir()
    assert message in _refused(*arguments)


def test_without_minari_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "minari.dataset.minari_storage", None)
    with pytest.raises(FolderRefused, match="need the package minari: pip install"):
        export_minari(Rollouts(a_folder(tmp_path / "here", 2).path), tmp_path / "a-v0")


def test_help_imports_no_heavy_package() -> None:
    heavy = "{'torch', 'h5py', 'numba', 'minari'} & set(sys.modules)"
    for command in ("verify", "exchange"):
        program = f"""
import sys
import agents.world_models.{command} as command
try:
    command.main(["--help"])
except SystemExit:
    sys.exit(str({heavy}) if {heavy} else 0)
"""
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
