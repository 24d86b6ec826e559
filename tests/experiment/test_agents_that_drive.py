"""An agent that drives its own environments is looked at, saved and recorded as any other."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from drifting import AGENTS, DRIFTING, MAIN, Drifting
from hypothesis import given, settings
from hypothesis import strategies as st
from killed_runs import saved_timestep, wait_for_checkpoint
from left_runs import train
from sweep_runs import (
    RANDOM,
    ROOT,
    build,
    comparable,
    new_folder,
    read_run,
    the_record,
    without_evaluation,
    write_files,
)

import agents
from experiment import driven_evaluation
from experiment import run as run_module
from experiment.configuration import Experiment
from experiment.driven import DrivenTraining
from experiment.errors import ConfigError
from experiment.folder import ResultFolder
from experiment.manifest import Manifest
from experiment.run import Options, Outcome, build_training, run_group, run_index
from experiment.writers.measured import EPISODE_RETURN, Measured

CASES: dict[str, dict[str, Any]] = {
    "own": {"env_name": "sweep/PendulumDiscrete-v1"},
    "classic control": {"env_name": "CartPole-v1"},
    "played again": {"env_name": "LunarLander-v3", "total_timesteps": 160},
    "with masks": {"env_name": "Taxi-v4"},
    "pictures": {"env_name": "MinAtar/Breakout-v1", "total_timesteps": 160},
}
RECORD = ("eval_states", "learned_params")


@pytest.fixture(autouse=True)
def drifting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(agents.AGENTS, "drifting", AGENTS["drifting"])


def short(case: str, **fields: Any) -> Experiment:
    """The episodes are so short that each of three environments ends some, at different times."""
    common = {"total_timesteps": 301, "steps_per_episode": 47, "eval_interval_timesteps": 100}
    return build(DRIFTING, **(common | CASES[case] | fields))


UNDISTURBED: dict[str, Any] = {}


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=4)
@given(leave_at=st.lists(st.integers(0, 160), min_size=1, max_size=4))
def test_left_anywhere_it_ends_the_same(case: str, leave_at: list[int]) -> None:
    experiment = short(case)
    if case not in UNDISTURBED:
        UNDISTURBED[case] = train(experiment, 4, [], RECORD)
    assert train(experiment, 4, leave_at, RECORD) == UNDISTURBED[case]


@pytest.mark.parametrize("case", ["own", "played again"])
def test_looking_at_it_never_changes_it(case: str) -> None:
    """Whatever the interval, also where it cuts rounds of the three environments."""
    seen, params = train(short(case, eval_interval_timesteps=31), 0, [], ("learned_params",))
    unseen, unseen_params = train(short(case, eval_episodes=0), 0, [], ("learned_params",))
    assert seen["timesteps_at_eval"][:4] == [0, 31, 62, 93]
    assert without_evaluation(seen) == without_evaluation(unseen)
    assert params == unseen_params


def test_steps_of_all_environments_count_and_the_last_round_is_cut() -> None:
    training = built(short("own", eval_episodes=0))
    training.advance(float("inf"))
    problems = training.driver.fleet.problems
    steps = training.members[0].results()["train_episode_steps"]
    assert sum(steps) + sum(p.steps for p in problems if p.in_episode) == 301
    assert [problem.in_episode for problem in problems] == [True] * 3
    # 301 = 3 x 100 + 1: the first took one step more
    assert [problem.steps for problem in problems] == [101 % 47, 100 % 47, 100 % 47]
    assert training.members[0].results()["train_episode_ends"][:4] == [139, 140, 141, 280]


def built(experiment: Experiment, index: int = 0) -> Any:
    folder = ResultFolder(Path(), Manifest.of(experiment, 0))
    training = build_training(experiment, [folder.run(index)], Options())
    assert isinstance(training, DrivenTraining)
    return training


def test_each_environment_has_random_numbers_of_its_own() -> None:
    training = built(short("classic control"))
    training.advance(float("inf"))
    training.stop = True
    training.driver.fleet.begin_round()
    first = np.array(training.driver.fleet.observations)
    assert len({row.tobytes() for row in first}) == 3


def test_the_record_has_what_others_have(tmp_path: Path) -> None:
    experiment = short("classic control")
    run = finished_run(experiment, tmp_path, 4)
    assert run["timesteps_at_eval"] == [0, 100, 200, 300, 301]
    episodes = run["train_episode_steps"]
    assert run["train_episode_rewards"] == episodes  # of the pole
    assert run["train_episode_ends"] == sorted(run["train_episode_ends"])
    assert run["total_train_episodes"] == len(episodes) == len(run["train_episode_terminated"])
    assert run["metrics"]["mean_reward"]["value"] == [1.0] * 100
    assert run["metrics"]["highest"]["timestep"] == run["metrics"]["mean_reward"]["timestep"]
    assert run["provenance"]["environments"] == 3
    assert not run["provenance"]["saved_between_episodes_only"]


def test_logs_have_episodes_where_they_ended() -> None:
    training = built(short("own", eval_episodes=0))
    training.advance(float("inf"))
    points = [at for at, tags in Measured(training.members[0]).new() if EPISODE_RETURN in tags]
    assert points == [139, 140, 141, 280, 281, 282]


def finished_run(experiment: Experiment, path: Path, index: int, **how: Any) -> dict[str, Any]:
    folder = new_folder(path, experiment)
    assert run_index(experiment, folder, index, Options(**how)) is Outcome.COMPLETED
    return read_run(folder.record_path(index))


def test_a_group_trains_one_after_another_with_equal_numbers(tmp_path: Path) -> None:
    experiment = short("own")
    folder = new_folder(tmp_path / "group", experiment)
    outcomes = run_group(experiment, folder, [5, 0, 2], Options())
    assert set(outcomes.values()) == {Outcome.COMPLETED}
    for index in (0, 2, 5):
        alone = finished_run(experiment, tmp_path / str(index), index)
        assert comparable(read_run(folder.record_path(index))) == comparable(alone)


# -- evaluation


def test_every_episode_of_an_evaluation_has_its_seed_wherever_it_is_played(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One step an episode: what is seen is how it began."""
    seen = {}
    for most in (32, 2):
        monkeypatch.setattr(driven_evaluation, "MOST", most)
        fields = {"eval_episodes": 5, "steps_per_episode": 1}
        training = build_training(
            experiment := short("classic control", **fields),
            [ResultFolder(Path(), Manifest.of(experiment, 0)).run(0)],
            Options(record=("eval_states",)),
        )
        training.evaluate()
        training.advance(float("inf"))
        training.evaluate()
        states = training.members[0].step_arrays.state_dict()["eval_states"]
        assert len(states) == 10
        assert np.array_equal(states[:5], states[5:])
        assert len({state.tobytes() for state in states}) == 5
        seen[most] = states
    assert np.array_equal(seen[32], seen[2])


def test_an_environment_may_be_another_one_in_evaluation() -> None:
    fields = {"env_name": "FrozenLake-v1", "kwargs": {"is_slippery": True}}
    slippery = train(build(DRIFTING, **fields), 0, [])[0]
    firm = train(build(DRIFTING, **fields, eval_kwargs={"is_slippery": False}), 0, [])[0]
    assert without_evaluation(slippery) == without_evaluation(firm)
    assert slippery["eval_episode_steps"] != firm["eval_episode_steps"]


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ({"map_name": "8x8"}, "eval_kwargs change the observation space from Discrete(16) to"),
        ({"slippery": True}, "eval_kwargs.slippery .*did you mean 'is_slippery'"),
    ],
)
def test_evaluation_in_another_problem_is_refused(field: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem.replace("(", r"\(").replace(")", r"\)")):
        built(build(DRIFTING, env_name="FrozenLake-v1", eval_kwargs=field))


def test_what_is_evaluated_is_no_part_of_who_a_run_is() -> None:
    other = build(DRIFTING, env_name="FrozenLake-v1", eval_kwargs={"is_slippery": False})
    plain = build(DRIFTING, env_name="FrozenLake-v1")
    assert plain.setting_id(0) == other.setting_id(0)
    assert "eval_kwargs" not in plain.evaluation  # folders that are older than the field stay
    assert other.evaluation["eval_kwargs"] == {"is_slippery": False}


SELF_PLAY = {
    "env_name": "sweep/TicTacToe-v1",
    "kwargs": {"opponent": "self"},
    "eval_kwargs": {"opponent": "optimal"},
    "steps_per_episode": 9,
}


def test_self_play_is_evaluated_against_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Drifting, "PLAYS_BOTH_SIDES", True, raising=False)
    results, _ = train(build(DRIFTING, **SELF_PLAY, eval_episodes=40), 0, [100])
    # who moves may win; a move that is not allowed would cost one
    assert set(results["train_episode_rewards"]) == {0.0, 1.0}
    assert all(set(returns) == {-1.0, 0.0} for returns in results["eval_episode_rewards"])


@pytest.mark.parametrize("agent", [DRIFTING, RANDOM])
def test_who_knows_one_side_only_does_not_play_both(agent: dict[str, Any]) -> None:
    experiment = build(agent, **SELF_PLAY)
    run = ResultFolder(Path(), Manifest.of(experiment, 0)).run(0)
    with pytest.raises(ConfigError, match="it cannot play both; choose another opponent than self"):
        build_training(experiment, [run], Options())


# -- what cannot be


def test_arrays_of_single_steps_are_refused() -> None:
    experiment = short("own")
    run = ResultFolder(Path(), Manifest.of(experiment, 0)).run(0)
    with pytest.raises(ConfigError) as refused:
        build_training(experiment, [run], Options(record=("train_states", "learned_params")))
    assert str(refused.value) == (
        "--record train_states: drifting plays in several environments at once and learns from "
        "whole stretches of them; what it can record is eval_states, learned_params"
    )


def test_divergence_is_recorded_where_it_was(tmp_path: Path) -> None:
    agent = {"agent_name": "drifting", "parameters": {"patience": [100]}}
    experiment = build(agent, env_name="sweep/PendulumDiscrete-v1")
    folder = new_folder(tmp_path, experiment)
    assert run_index(experiment, folder, 0, Options()) is Outcome.DIVERGED
    run = read_run(folder.record_path(0))
    assert run["diverged"] == {"timestep": 102, "what": "its patience"}
    assert run["timesteps_at_eval"] == [0]


class Restless(gymnasium.Env[Any, Any]):
    """Never twice the same."""

    observation_space = gymnasium.spaces.Box(0.0, np.inf, (1,), np.float64)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return np.array([float(time.perf_counter_ns())]), {}

    def step(self, action: int) -> Any:
        return np.array([float(time.perf_counter_ns())]), 0.0, False, False, {}


def test_an_environment_that_does_not_repeat_itself_is_not_taken_up() -> None:
    gymnasium.register("Restless-v0", lambda **_: Restless(), max_episode_steps=50)
    try:
        experiment = build(DRIFTING, env_name="Restless-v0", eval_episodes=0)
        with pytest.raises(ConfigError, match="played again from its beginning this one came out"):
            train(experiment, 0, [20])
    finally:
        del gymnasium.registry["Restless-v0"]


# -- whole runs


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs an index and sends a stop signal after some rounds."""

    def run(experiment: Experiment, folder: ResultFolder, rounds: int) -> Outcome:
        def build_with_signal(*arguments: Any) -> Any:
            training = build_training(*arguments)
            left = rounds

            def count() -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    signal.raise_signal(signal.SIGUSR1)

            training.on_step = count
            return training

        with monkeypatch.context() as patch:
            patch.setattr(run_module, "build_training", build_with_signal)
            return run_index(experiment, folder, 4, Options())

    return run


@pytest.mark.parametrize("case", ["own", "played again"])
def test_asked_to_stop_it_saves_in_the_middle_of_episodes(
    case: str, interrupted: Callable[..., Outcome], tmp_path: Path
) -> None:
    experiment = short(case, total_timesteps=160)
    expected = finished_run(experiment, tmp_path / "whole", 4)
    folder = new_folder(tmp_path / "folder", experiment)
    for _ in range(2):
        assert interrupted(experiment, folder, 20) is Outcome.INTERRUPTED
    assert run_index(experiment, folder, 4, Options()) is Outcome.COMPLETED
    run = read_run(folder.record_path(4))
    assert comparable(run) == comparable(expected)
    assert run["provenance"]["resumed"] == 2
    assert not any((folder.path / "running").iterdir())


def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    files = write_files(
        tmp_path,
        DRIFTING,
        env_name="CartPole-v1",
        total_timesteps=20_000,
        eval_interval_timesteps=4_000,
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "experiment")])
    variables = {**os.environ, "PYTHONPATH": paths}

    def start(place: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", MAIN, *files, "--save-dir", str(tmp_path / place)]
        return subprocess.Popen(
            [*command, "--index", "4", "--checkpoint-minutes", "0.0003"],
            cwd=tmp_path,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    whole = start("whole")
    _, errors = whole.communicate(timeout=60)
    assert whole.returncode == 0, errors
    moments, folder = random.Random(0), tmp_path / "killed"
    timesteps = [0]
    for _ in range(4):
        process = start("killed")
        wait_for_checkpoint(process, folder)
        time.sleep(0.05 * moments.random())
        process.kill()
        _, errors = process.communicate()
        assert process.returncode == -signal.SIGKILL, errors
        timesteps.append(saved_timestep(folder))
    assert timesteps == sorted(set(timesteps)), "a life wrote no checkpoint"
    last = start("killed")
    _, errors = last.communicate(timeout=60)
    assert last.returncode == 0, errors
    run = read_run(the_record(folder, 4))
    assert run["provenance"]["resumed"] == 4
    assert comparable(run) == comparable(read_run(the_record(tmp_path / "whole", 4)))
