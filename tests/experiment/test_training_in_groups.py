"""A member's numbers do not depend on its group: alone, together, in any order, resumed."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sweep_runs import (
    RANDOM,
    build,
    command,
    comparable,
    new_folder,
    read_run,
    run_main,
    write_files,
)

from experiment.configuration import Experiment
from experiment.run import Options, Outcome, run_group, run_index

SWEEP = {
    "agent_name": "linearAC",
    "parameters": {
        "critic_lr": [0.1, 0.3],
        "decay": [0.0, 0.5],
        "avg_reward_lr": [0.0, 0.01],
        "tilings": [2, 5],
    },
}
ESARSA = {"agent_name": "ESarsa", "parameters": {"lr": [0.1, 0.3], "epsilon": [0.1, 0.3]}}
DIVERGES = {"agent_name": "linearAC", "parameters": {"critic_lr": [0.1, 1e150, 0.3]}}
NEURAL = {
    "batch_size": 8,
    "hidden_dim": 16,
    "steps_before_learning": 50,
    "critic_lr": [0.001, 0.01],
}
SAC = {"agent_name": "SAC", "parameters": {**NEURAL, "alpha": [0.01, 0.2]}}
SAC_DISCRETE = {"agent_name": "SACDiscrete", "parameters": NEURAL}
CASES: dict[str, tuple[Mapping[str, Any], dict[str, Any]]] = {
    "linearAC": (SWEEP, {}),
    "ESarsa": (ESARSA, {"env_name": "CartPole-v1", "observation_ranges": [None, [-3, 3]] * 2}),
    "between episodes only": (RANDOM, {"env_name": "LunarLander-v3", "eval_episodes": 1}),
    "one diverges": (DIVERGES, {}),
    "SAC": (SAC, {"total_timesteps": 300}),
    "SACDiscrete": (
        SAC_DISCRETE,
        {"env_name": "sweep/PendulumDiscrete-v1", "total_timesteps": 300},
    ),
    "pictures": (
        SAC_DISCRETE,
        {"env_name": "MinAtar/Breakout-v1", "total_timesteps": 120, "steps_per_episode": 40},
    ),
}


def results(experiment: Experiment, path: Path, groups: list[list[int]]) -> dict[int, Any]:
    """What the records of indices say that were trained in these groups."""
    folder = new_folder(path, experiment)
    for group in groups:
        run_group(experiment, folder, group, Options(record=("train_rewards",)))
    indices = [index for group in groups for index in group]
    return {
        index: (
            comparable(read_run(folder.record_path(index))),
            folder.record_path(index).with_suffix(".npz").read_bytes(),
        )
        for index in indices
    }


@pytest.mark.parametrize("case", CASES)
def test_alone_together_reversed_and_apart(case: str, tmp_path: Path) -> None:
    agent, fields = CASES[case]
    experiment = build(agent, **fields)
    indices = list(range(12))
    alone = results(experiment, tmp_path / "alone", [[index] for index in indices])
    for name, groups in {
        "together": [indices],
        "reversed": [indices[::-1]],
        "apart": [[1, 7, 4], [0, 2, 3, 5, 6], [8, 11, 10, 9]],
    }.items():
        assert results(experiment, tmp_path / name, groups) == alone, name


def test_the_one_that_diverges_ends_and_its_neighbours_go_on(tmp_path: Path) -> None:
    experiment = build(DIVERGES)
    folder = new_folder(tmp_path, experiment)
    outcomes = run_group(experiment, folder, [0, 1, 2], Options())
    assert outcomes == {0: Outcome.COMPLETED, 1: Outcome.DIVERGED, 2: Outcome.COMPLETED}
    run = read_run(folder.record_path(1))
    assert 0 < run["diverged"]["timestep"] < 600
    assert sum(run["train_episode_steps"]) == run["diverged"]["timestep"]
    assert run["provenance"]["batch_size"] == 3


def test_what_is_finished_is_left_alone(tmp_path: Path) -> None:
    experiment = build(SWEEP)
    folder = new_folder(tmp_path, experiment)
    assert run_index(experiment, folder, 2, Options()) is Outcome.COMPLETED
    before = folder.record_path(2).read_bytes()
    outcomes = run_group(experiment, folder, [1, 2, 3], Options())
    assert outcomes[2] is Outcome.FINISHED_BEFORE
    assert folder.record_path(2).read_bytes() == before


def test_runs_saved_at_different_timesteps_end_as_if_undisturbed(tmp_path: Path) -> None:
    experiment = build(SWEEP)
    alone = results(experiment, tmp_path / "alone", [[index] for index in range(4)])
    folder = new_folder(tmp_path / "resumed", experiment)
    options = Options(record=("train_rewards",))
    for index, until in ((0, 130), (2, 400)):
        leave_at(experiment, folder, index, until, options)
    assert len(list((folder.path / "running").glob("*.checkpoint"))) == 2
    assert set(run_group(experiment, folder, [0, 1, 2, 3], options).values()) == {Outcome.COMPLETED}
    resumed = {index: comparable(read_run(folder.record_path(index))) for index in range(4)}
    assert resumed == {index: run for index, (run, _) in alone.items()}


def leave_at(experiment: Experiment, folder: Any, index: int, until: int, options: Options) -> None:
    """Trains an index up to a timestep and saves it as an interrupted process would."""
    from experiment import run as run_module

    run = folder.run(index)
    training = run_module.build_training(experiment, [run], options)
    session = run_module._Session(folder, {run: None}, training, options)
    training.on_step = lambda: setattr(training, "stop", training.timestep >= until)
    with folder.lock(run):
        assert session.go() == {index: Outcome.INTERRUPTED}
    training.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_real_group_is_interrupted_and_resumed(how: signal.Signals, tmp_path: Path) -> None:
    files = write_files(tmp_path, SWEEP, total_timesteps=4000)
    whole = (*files, "--indices", "0-7", "--save-dir", tmp_path / "whole")
    assert run_main(*whole, cwd=tmp_path).returncode == 0
    arguments = (
        *files, "--indices", "0-7", "--batch", "8", "--checkpoint-minutes", "0.0005",
        "--save-dir", tmp_path / "group",
    )  # fmt: skip
    process = subprocess.Popen(command(*arguments), cwd=tmp_path, stderr=subprocess.DEVNULL)
    while not list((tmp_path / "group").rglob("*.checkpoint.previous")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(how)
    assert process.wait() == (75 if how == signal.SIGTERM else -signal.SIGKILL)
    assert run_main(*arguments, cwd=tmp_path).returncode == 0
    for path in (tmp_path / "whole").rglob("*_data_*.json"):
        (other,) = (tmp_path / "group").rglob(path.name)
        assert comparable(read_run(other)) == comparable(read_run(path))
        assert read_run(other)["provenance"]["resumed"] == 1
