"""IRIS in the loop: the same bits however it is left or watched, and what it leaves in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from left_runs import train
from PIL import Image
from small_iris import Environments, catch_settings
from small_runs import CASES, TOTAL, short
from sweep_runs import without_evaluation

from agents.iris.agent import IRIS
from agents.iris.episode_files import read_episode
from agents.iris.frames import frames_of
from agents.iris.networks import load_networks
from experiment.configuration import Experiment
from experiment.driven import DrivenTraining
from experiment.errors import ConfigError
from experiment.folder import ResultFolder
from experiment.manifest import Manifest
from experiment.run import Options, build_training

LEARNED = ("learned_params",)


def training_of(experiment: Experiment, path: Path) -> DrivenTraining:
    folder = ResultFolder(path, Manifest.of(experiment, 0))
    training = build_training(experiment, [folder.run(0)], Options(), folder)
    assert isinstance(training, DrivenTraining)
    return training


def driver_of(experiment: Experiment, path: Path) -> IRIS:
    driver = training_of(experiment, path).driver
    assert isinstance(driver, IRIS)
    return driver


def files_of(path: Path) -> Path:
    (folder,) = (path / "files").iterdir()
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[IRIS, Path]:
    """A driver that has done everything, and the folder of its run."""
    path = tmp_path_factory.mktemp("finished")
    driver = driver_of(short("transformer", eval_episodes=0), path)
    driver.advance(TOTAL, lambda: False)
    return driver, files_of(path)


@pytest.mark.parametrize("case", CASES)
def test_left_anywhere_it_ends_the_same(case: str, tmp_path: Path) -> None:
    experiment = short(case)
    whole = train(experiment, 0, [], LEARNED, tmp_path / "whole")
    moments = [17, 50, 61, 88] if case == "transformer" else [47]
    left = train(experiment, 0, moments, LEARNED, tmp_path / "left")
    assert left == whole


def test_with_blocks_of_a_file_of_gpt2_it_ends_the_same(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(n_embd=8, n_head=2, n_layer=2, n_positions=8)
    transformers.GPT2Model(config).save_pretrained(tmp_path / "gpt2")
    parameters = {"gpt2_path": [str(tmp_path / "gpt2")], "world_model_frozen": [[0]]}
    experiment = short("gpt2", parameters)
    whole = train(experiment, 0, [], LEARNED, tmp_path / "whole")
    assert train(experiment, 0, [47], LEARNED, tmp_path / "left") == whole


def test_left_between_any_two_units_it_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    experiment = short("transformer", total_timesteps=36, eval_episodes=0)
    whole = driver_of(experiment, tmp_path / "whole")
    whole.advance(36, lambda: False)
    saved, sessions = None, 0
    while True:
        driver = driver_of(experiment, tmp_path / "left")
        if saved is not None:
            driver.load_state_dict(saved)
        if driver.timestep == 36:
            break
        asked = iter([False, False, False])
        driver.advance(36, lambda asked=asked: next(asked, True))  # type: ignore[misc]
        saved = driver.state_dict()
        sessions += 1
    assert sessions > 5
    assert driver.metrics() == whole.metrics()
    mine, its = driver.learned_params(), whole.learned_params()
    assert mine.keys() == its.keys()
    assert all(np.array_equal(mine[name], its[name]) for name in its)


def test_looking_at_it_and_saving_pictures_never_change_it(tmp_path: Path) -> None:
    seen = train(short("transformer", {"save_every": [1]}), 0, [], LEARNED, tmp_path / "a")
    nothing = {"save_every": [99], "num_episodes_to_save": [0], "save_reconstructions": [False]}
    unseen = train(short("transformer", nothing, eval_episodes=0), 0, [], LEARNED, tmp_path / "b")
    assert without_evaluation(seen[0]) == without_evaluation(unseen[0])
    assert seen[1] == unseen[1]


def test_no_number_is_drawn_from_what_all_share(tmp_path: Path) -> None:
    driver = driver_of(short("transformer", eval_episodes=0), tmp_path)
    ours, numpys = torch.get_rng_state(), str(np.random.get_state())
    driver.advance(62, lambda: False)
    driver.begin_evaluation(np.random.default_rng(1))
    driver.act_many(driver.trainer.collector.fleet.observations, [0, 1], begun=[0, 1], legal=None)
    assert driver.trainer.position.epoch == 2 and driver.settings.world_model_dropout > 0
    assert torch.equal(ours, torch.get_rng_state()) and numpys == str(np.random.get_state())


def test_everything_is_learned_before_the_last_timestep(tmp_path: Path) -> None:
    driver = driver_of(short("transformer", {"epochs": [4]}, eval_episodes=0), tmp_path)
    driver.advance(TOTAL, lambda: False)
    assert driver.timestep == TOTAL
    assert driver.trainer.is_over and driver.trainer.position.epoch == 4
    metrics = driver.metrics()
    assert metrics["epoch"] == 4
    assert {"tokenizer_l1", "tokenizer_perplexity", "world_model_tokens"} <= metrics.keys()
    assert {"actor_critic_entropy", "collected_return"} <= metrics.keys()


# -- the folder of the run


def test_a_run_leaves_networks_pictures_and_episodes(finished: tuple[IRIS, Path]) -> None:
    _, folder = finished
    configuration = json.loads((folder / "configuration.json").read_text())
    assert configuration["environment"]["env_name"] == "sweep/Catch-v1"
    assert configuration["agent"]["collection_num_steps"] == 30
    assert {path.name for path in (folder / "reconstructions").iterdir()} == {
        "epoch_0001.png",
        "epoch_0002.png",
    }
    with Image.open(folder / "reconstructions" / "epoch_0002.png") as picture:
        assert picture.size == (8 * 16, 2 * 16)
    train_episodes = sorted(path.name for path in (folder / "episodes" / "train").iterdir())
    assert train_episodes[-1] == "best.npz" and len(train_episodes) == 3
    imagined = read_episode(folder / "episodes" / "imagination" / "000002.npz")
    steps = len(imagined["actions"])
    assert 1 <= steps <= 3
    assert imagined["frames"].shape == (steps + 1, 16, 16, 3)
    assert imagined["values"].shape == (steps + 1,)
    assert not list(folder.rglob("*.tmp"))


def test_the_best_episode_is_the_best_of_all_that_are_over(finished: tuple[IRIS, Path]) -> None:
    _, folder = finished
    totals = [float(read_episode(p)["rewards"].sum()) for p in (folder / "dataset").iterdir()]
    best = read_episode(folder / "episodes" / "train" / "best.npz")
    assert best["rewards"].sum() == max(totals)


def test_checkpoints_have_no_frames_of_episodes_that_are_over(finished: tuple[IRIS, Path]) -> None:
    driver, folder = finished
    state = driver.state_dict()["trainer"]["episodes"]
    open_frames = sum(
        len(rows) for rows, over in zip(state["episodes"], state["over"], strict=True) if not over
    )
    assert len(state["columns"]["frames"]) == open_frames < TOTAL
    again = driver_of(short("transformer", eval_episodes=0), folder.parents[1])
    again.load_state_dict(driver.state_dict())
    for number in range(len(driver.trainer.episodes)):
        mine, its = (one.trainer.episodes.arrays(number) for one in (again, driver))
        assert all(np.array_equal(mine[name], its[name]) for name in its)


def test_files_of_the_data_set_go_once_no_checkpoint_needs_them(tmp_path: Path) -> None:
    driver = driver_of(short("few episodes", eval_episodes=0), tmp_path)
    driver.advance(45, lambda: False)
    saved = driver.state_dict()
    driver.advance(89, lambda: False)
    driver.state_dict()
    dataset = files_of(tmp_path) / "dataset"
    numbers = [int(path.stem) for path in dataset.iterdir()]
    assert min(numbers) == min(saved["trainer"]["episodes"]["kept"])
    again = driver_of(short("few episodes", eval_episodes=0), tmp_path)
    again.load_state_dict(saved)  # the checkpoint before can still be gone on from
    again.advance(89, lambda: False)
    driver.state_dict()
    driver.state_dict()
    numbers = [int(path.stem) for path in dataset.iterdir()]
    assert min(numbers) == driver.trainer.episodes.forgotten > 0


@pytest.mark.parametrize("harm", ["gone", "damaged"])
def test_a_data_set_that_was_harmed_is_missed_in_a_sentence(harm: str, tmp_path: Path) -> None:
    experiment = short("transformer", eval_episodes=0)
    training = training_of(experiment, tmp_path)
    training.driver.advance(60, lambda: False)
    saved = training.state_dict(0)
    first = files_of(tmp_path) / "dataset" / "000000.npz"
    if harm == "gone":
        first.unlink()
    else:
        data = bytearray(first.read_bytes())
        data[data.find(b"frames.npy") + 50] ^= 1
        first.write_bytes(data)
    again = training_of(experiment, tmp_path)
    again.load_state_dict(0, saved)
    with pytest.raises(ConfigError, match=f"000000.npz is {harm}"):
        again.advance(float("inf"))


def test_networks_come_back_from_their_file(finished: tuple[IRIS, Path]) -> None:
    driver, folder = finished
    trainer = driver.trainer
    space = trainer.collector.fleet.problems[0].observation_space
    networks = load_networks(driver.settings, space, 3, Environments(), folder)
    for name, part in networks.parts.items():
        its = trainer.modules()[name].state_dict()
        assert all(torch.equal(value, its[key]) for key, value in part.state_dict().items())


def test_a_run_goes_on_with_the_tokenizer_of_another(
    finished: tuple[IRIS, Path], tmp_path: Path
) -> None:
    first, folder = finished
    parameters = {
        "tokenizer_path": [str(folder)],
        "tokenizer_should_train": [False],
    }
    fields = {"total_timesteps": 45, "eval_episodes": 0}
    second = driver_of(short("transformer", parameters, **fields), tmp_path)
    second.advance(45, lambda: False)
    mine, its = (one.trainer.tokenizer.state_dict() for one in (second, first))
    assert all(torch.equal(mine[name], its[name]) for name in its)


# -- Atari


def test_atari_is_learned_from_as_the_protocol_has_it(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    fields = json.loads((root / "config" / "environment" / "ALE-Pong-v5-100k.json").read_text())
    fields |= {"total_timesteps": 12, "eval_episodes": 0}
    del fields["$schema"]
    parameters = {
        "collection_num_steps": [6],
        "collection_num_envs": [1],
        "tokenizer_downsamplings": [4],
        "actor_critic_channels": [[4, 4, 4, 4]],
        "save_every": [1],
    }
    experiment = short("transformer", parameters, **fields)
    driver = driver_of(experiment, tmp_path)
    driver.advance(12, lambda: False)
    assert driver.trainer.tokenizer.frames.shape == (3, 64, 64)
    assert driver.trainer.tokenizer.tokens_per_frame == 16
    folder = files_of(tmp_path)
    with Image.open(folder / "reconstructions" / "epoch_0001.png") as picture:
        assert picture.size == (8 * 64, 2 * 64)


@pytest.mark.parametrize("stack", [1, 2])
def test_pictures_of_a_stack_are_channels(stack: int) -> None:
    space = gymnasium.spaces.Box(0, 255, (stack, 6, 4, 3), np.uint8)
    frames = frames_of(catch_settings(), space)
    assert frames.shape == (3 * stack, 6, 4)
    observed = space.sample()[None]
    prepared = frames.prepare(torch.as_tensor(observed))
    for number in range(stack):
        own = prepared[0, 3 * number : 3 * number + 3].permute(1, 2, 0) * 255
        assert np.array_equal(own.round().byte().numpy(), observed[0, number])


# -- what it refuses


@pytest.mark.parametrize(
    ("parameters", "package"),
    [({"world_model": ["ncp_multi_step"]}, "ncps"), ({"world_model": ["gpt2"]}, "transformers")],
)
def test_a_package_that_is_missing_is_named(
    parameters: dict[str, Any], package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for name in (package, f"{package}.wirings", f"{package}.torch"):
        monkeypatch.setitem(sys.modules, name, None)
    if package == "transformers":
        parameters = parameters | {"gpt2_path": [str(tmp_path)]}
    with pytest.raises(ConfigError, match=rf"needs? the package {package}: pip install"):
        training_of(short("transformer", parameters), tmp_path)


def test_what_stops_being_finite_ends_the_run(tmp_path: Path) -> None:
    experiment = short("transformer", {"world_model_learning_rate": [1e30]}, eval_episodes=0)
    training = training_of(experiment, tmp_path)
    training.advance(float("inf"))
    diverged = training.members[0].diverged
    assert diverged is not None and "gradient of the" in diverged["what"]


def test_settings_import_no_network_library() -> None:
    import subprocess
    import sys

    code = "import sys, agents.iris.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
