"""World Models in the loop: the same bits however it is left, shared or watched."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from left_runs import train
from small_models import CASES, QUICK, short
from sweep_runs import build, new_folder, without_evaluation

from agents.world_models.agent import WorldModel
from experiment.configuration import Experiment
from experiment.driven import DrivenTraining
from experiment.errors import ConfigError
from experiment.folder import ResultFolder
from experiment.manifest import Manifest
from experiment.run import Options, build_training

LEARNED = ("learned_params",)


def training_of(experiment: Experiment, path: Path, index: int = 0) -> DrivenTraining:
    folder = ResultFolder(path, Manifest.of(experiment, 0))
    training = build_training(experiment, [folder.run(index)], Options(), folder)
    assert isinstance(training, DrivenTraining)
    return training


def driver_of(experiment: Experiment, path: Path, index: int = 0) -> WorldModel:
    driver = training_of(experiment, path, index).driver
    assert isinstance(driver, WorldModel)
    return driver


def shared(path: Path) -> set[str]:
    return {one.name for one in (path / "files" / "shared").iterdir()}


@pytest.mark.parametrize("case", CASES)
def test_left_anywhere_it_ends_the_same(case: str, tmp_path: Path) -> None:
    experiment = short(case)
    undisturbed = train(experiment, 0, [], LEARNED, tmp_path / "whole")
    total = experiment.environment.total_timesteps
    left = train(experiment, 0, [total // 9, total // 2, total - 2], LEARNED, tmp_path / "left")
    assert left == undisturbed
    assert shared(tmp_path / "left") == shared(tmp_path / "whole")


class Leaving:
    """Says after so many questions that the run is to be left."""

    def __init__(self, after: int) -> None:
        self._left = after

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0

    @property
    def leaving(self) -> Callable[[], bool]:
        return self


@pytest.mark.parametrize("case", ["iterations", "dream", "policy gradient"])
def test_asked_to_leave_in_the_middle_of_any_stage_it_goes_on_to_the_same_bits(
    case: str, tmp_path: Path
) -> None:
    experiment = short(case, eval_episodes=0)
    whole = driver_of(experiment, tmp_path / "whole")
    whole.advance(700, lambda: False)
    saved, sessions, seen = None, 0, set()
    while True:
        driver = driver_of(experiment, tmp_path / "left")
        if saved is not None:
            driver.load_state_dict(pickle.loads(saved))
        # more questions each time: what cannot be left at all would never end
        driver.advance(700, Leaving(15 + sessions))
        saved = pickle.dumps(driver.state_dict())
        driver.close()
        sessions += 1
        seen |= {name.partition("-")[0] for name in shared(tmp_path / "left")}
        if driver.timestep == 700:
            break
    assert sessions > 4
    assert {".rollouts", ".encoder", ".sequence"} & seen  # stages were left half made
    assert driver.metrics() == whole.metrics()
    assert driver.reward_sum == whole.reward_sum
    mine, its = driver.learned_params(), whole.learned_params()
    assert mine.keys() == its.keys()
    assert all(np.array_equal(mine[name], its[name]) for name in its)


def test_looking_at_it_never_changes_it(tmp_path: Path) -> None:
    seen = train(short("environment", eval_interval_timesteps=61), 0, [], LEARNED, tmp_path / "a")
    unseen = train(short("environment", eval_episodes=0), 0, [], LEARNED, tmp_path / "b")
    assert without_evaluation(seen[0]) == without_evaluation(unseen[0])
    assert seen[1] == unseen[1]


def test_settings_that_differ_only_in_the_controller_share_all_before(tmp_path: Path) -> None:
    parameters = {"cma_sigma": [0.1, 0.5], "controller_inputs": ["zh", "z"]}
    experiment = short("environment", parameters, eval_episodes=0)
    alone = driver_of(experiment, tmp_path / "alone", 3)
    alone.advance(700, lambda: False)
    for index in (0, 3):
        driver = driver_of(experiment, tmp_path, index)
        driver.advance(700, lambda: False)
    names = shared(tmp_path)
    assert len(names) == 4
    assert sorted(driver.provenance()["stages_found"]) == sorted(names)
    # what was found counts as if it had been made
    assert driver.metrics() == alone.metrics()
    assert driver.reward_sum == alone.reward_sum
    other_seed = driver_of(experiment, tmp_path, 4)
    other_seed.advance(200, lambda: False)
    assert len(shared(tmp_path)) > 4


def test_timesteps_are_the_steps_of_rollouts_and_of_controllers(tmp_path: Path) -> None:
    training = training_of(short("environment", eval_episodes=0), tmp_path)
    training.advance(float("inf"))
    results = training.members[0].results()
    frames = int(training.driver.metrics()["rollouts_frames"])
    ends, steps = results["train_episode_ends"], results["train_episode_steps"]
    assert ends == np.cumsum(steps).tolist()
    assert sum(steps[:6]) == ends[5] == frames
    assert results["train_episode_rewards"] == steps  # of the pole
    assert ends[-1] <= 700 < ends[-1] + 30
    assert training.driver.reward_sum == 700
    # a generation is 4 candidates with 2 episodes each, the same 2 for all
    assert (len(ends) - 6) // (4 * 2) >= training.driver.metrics()["generation"] >= 2


def test_in_the_dream_no_timestep_passes_and_those_that_are_left_are_acted(tmp_path: Path) -> None:
    driver = driver_of(short("dream", eval_episodes=0), tmp_path)
    driver.advance(700, lambda: False)
    assert driver.metrics()["dream_generation"] == 3
    assert driver.reward_sum == 700
    assert driver.state_dict()["position"][3] > 0  # blocks that were acted


def test_rollouts_may_take_all_timesteps_but_no_more(tmp_path: Path) -> None:
    experiment = short("dream", total_timesteps=137, eval_episodes=0)
    driver = driver_of(experiment, tmp_path)
    driver.advance(137, lambda: False)
    assert driver.metrics()["rollouts_frames"] == driver.timestep == 137
    assert driver.metrics()["dream_generation"] == 3
    experiment = short("dream", total_timesteps=136, eval_episodes=0)
    with pytest.raises(ConfigError, match="rollouts take 137 steps, and 136 timesteps are left"):
        training_of(experiment, tmp_path).advance(float("inf"))


def test_an_iteration_whose_rollouts_do_not_fit_is_given_up(tmp_path: Path) -> None:
    parameters = CASES["dream"][0] | {"iterations": [2], "iteration_rollouts": [10]}
    driver = driver_of(short("dream", parameters, total_timesteps=150, eval_episodes=0), tmp_path)
    driver.advance(150, lambda: False)
    assert driver.timestep == 150
    assert driver.metrics()["rollouts_frames"] == 137


@pytest.mark.parametrize("stage", ["rollouts", "encoder", "latents", "sequence"])
def test_a_stage_can_be_a_run_of_its_own(stage: str, tmp_path: Path) -> None:
    experiment = short("environment", {"last_stage": [stage]})
    results, params = train(experiment, 0, [], LEARNED, tmp_path)
    made = {name.partition("-")[0] for name in shared(tmp_path)}
    order = ["rollouts", "encoder", "latents", "sequence"]
    assert made == set(order[: order.index(stage) + 1])
    assert ("encoder_error" in results["metrics"]) == (stage != "rollouts")
    assert ("sequence_nll" in results["metrics"]) == (stage == "sequence")
    assert "generation" not in results["metrics"]
    assert sum(results["train_episode_steps"]) == results["metrics"]["rollouts_frames"]["value"][-1]
    assert (b"sequence." in params) == (stage == "sequence")


def test_rollouts_of_another_folder_are_used_and_counted(tmp_path: Path) -> None:
    first = driver_of(short("environment", eval_episodes=0), tmp_path / "first")
    first.advance(300, lambda: False)
    (rollouts,) = (tmp_path / "first" / "files" / "shared").glob("rollouts-*/rollouts")
    parameters = {"rollouts_from": [str(rollouts)], "rollouts": [77]}
    second = driver_of(short("environment", parameters, eval_episodes=0), tmp_path / "second")
    second.advance(300, lambda: False)
    assert second.metrics()["encoder_error"] == first.metrics()["encoder_error"]
    assert second.metrics()["rollouts_frames"] == first.metrics()["rollouts_frames"]
    other = short("boxes", parameters, eval_episodes=0)
    with pytest.raises(ConfigError, match=r"has observations Box.* and this environment Box"):
        training_of(other, tmp_path / "third").advance(float("inf"))


def test_iterations_add_rollouts_of_the_controller(tmp_path: Path) -> None:
    driver = driver_of(short("iterations", eval_episodes=0), tmp_path)
    driver.advance(700, lambda: False)
    folders = sorted((tmp_path / "files" / "shared").glob("rollouts-*"))
    counts = [
        json.loads((path / "stage.json").read_text())["facts"]["rollouts"] for path in folders
    ]
    assert sorted(counts) == [6, 10]
    assert len([name for name in shared(tmp_path) if name.startswith("encoder-")]) == 2


def test_files_that_were_deleted_are_missed_in_a_sentence(tmp_path: Path) -> None:
    experiment = short("environment", eval_episodes=0)
    driver = driver_of(experiment, tmp_path)
    driver.advance(300, lambda: False)
    saved = driver.state_dict()
    again = training_of(experiment, tmp_path / "elsewhere")
    again.driver.load_state_dict(saved)
    with pytest.raises(ConfigError, match="is gone: --force starts the run afresh"):
        again.advance(float("inf"))


def test_what_it_cannot_do_it_refuses_at_once(tmp_path: Path) -> None:
    parameters = QUICK | {"encoder": ["vae"]}
    agent = {"agent_name": "WorldModel", "parameters": parameters}
    experiment = build(agent, env_name="CartPole-v1")
    with pytest.raises(ConfigError, match="vae"):
        training_of(experiment, tmp_path)
    assert not (tmp_path / "files").exists()


@pytest.mark.slow
@pytest.mark.parametrize("case", ["environment", "pictures", "iterations"])
def test_processes_change_no_number(case: str, tmp_path: Path) -> None:
    alone = train(short(case), 0, [], LEARNED, tmp_path / "alone")
    several = train(short(case, {"workers": [2]}), 0, [100], LEARNED, tmp_path / "several")
    assert several == alone


def test_a_run_writes_where_its_parts_are(tmp_path: Path) -> None:
    experiment = short("environment", eval_episodes=0)
    folder = new_folder(tmp_path, experiment)
    driver = driver_of(experiment, tmp_path)
    driver.advance(700, lambda: False)
    path = folder.files(folder.run(0)).run / "world_model.json"
    summary = json.loads(path.read_text())
    assert {*summary["results"].values()} == shared(tmp_path)
    assert summary["controller"] == driver.learned_params()["controller"].tolist()
