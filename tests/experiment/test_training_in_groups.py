"""A member's numbers do not depend on its group: alone, together, in any order, resumed."""

from __future__ import annotations

import contextlib
import math
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sweep_runs import (
    RANDOM,
    build,
    command,
    comparable,
    new_folder,
    read_run,
    run_main,
    without_evaluation,
    write_files,
)

from agents.group import Ensemble
from envs.lockstep import AtOnce
from experiment import run as run_module
from experiment import sequence
from experiment.configuration import Experiment
from experiment.folder import ResultFolder
from experiment.loop import Training
from experiment.manifest import Manifest
from experiment.run import Options, Outcome, build_training, run_group, run_index
from experiment.selection import parse_batch

SWEEP = {
    "agent_name": "linearAC",
    "parameters": {
        "critic_lr": [0.1, 0.3],
        "decay": [0.0, 0.5],
        "avg_reward_lr": [0.0, 0.01],
        "tilings": [5],
    },
}
ESARSA = {
    "agent_name": "ESarsa",
    "parameters": {"lr": [0.1, 0.3], "epsilon": [0.1, 0.3], "accumulate_trace": [False, True]},
}
SOFTMAX = {
    "agent_name": "linearAC",
    "parameters": {"actor_lr": [0.1, 0.3], "decay": [0.0, 0.9], "temperature": [0.5, 1.0, 2.0]},
}
#: So near the goal that episodes terminate, each member's in its own time.
NEAR_THE_GOAL = {
    "env_name": "sweep/MountainCarDiscrete-v1",
    "start_state": [0.2, 0.03],
    "steps_per_episode": 60,
    "overwrite_rewards": True,
    "rewards": {"shift": 0.3, "gamma": 0.97},
}
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
    "ESarsa on Mountain Car": (ESARSA, NEAR_THE_GOAL),
    "linearAC on Mountain Car": (SOFTMAX, NEAR_THE_GOAL),
    "linearAC on the Acrobot": (SWEEP, {"env_name": "sweep/AcrobotContinuous-v1"}),
    "linearAC, hashed tiles": (
        {"agent_name": "linearAC", "parameters": {"table_size": [100], "actor_lr": [0.1, 0.3]}},
        {"start_state": [1.0, 2.0]},
    ),
    "random, at once": (RANDOM, {"env_name": "sweep/PendulumDiscrete-v1"}),
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
        "some": [[3, 9, 0, 11, 4, 8, 1, 6, 10, 2], [5, 7]],
        "apart": [[1, 7, 4], [0, 2, 3, 5, 6], [8, 11, 10, 9]],
    }.items():
        assert results(experiment, tmp_path / name, groups) == alone, name


def test_the_cases_are_what_they_are_meant_for() -> None:
    """Twelve are stepped at once; near the goal they arrive at different times."""
    for case, kind in {"linearAC": AtOnce, "one diverges": AtOnce, "SAC": AtOnce}.items():
        agent, fields = CASES[case]
        assert type(training_of(build(agent, **fields), 12)._environments) is kind
    for agent in (ESARSA, SOFTMAX):
        training = training_of(build(agent, **NEAR_THE_GOAL, eval_episodes=0), 12)
        training.advance(math.inf)
        steps = [member.history["train_episode_steps"] for member in training.members]
        assert len(set(map(tuple, steps))) > 6
        assert all(any(one.history["train_episode_terminated"]) for one in training.members)
        assert not all(all(one.history["train_episode_terminated"]) for one in training.members)


def training_of(experiment: Experiment, members: int) -> Training:
    folder = ResultFolder(Path(), Manifest.of(experiment, 0))
    runs = [folder.run(index) for index in range(members)]
    training = build_training(experiment, runs, Options())
    assert isinstance(training, Training)
    return training


def test_evaluating_a_group_changes_nothing_but_the_evaluations(tmp_path: Path) -> None:
    for agent, fields in ((SWEEP, {}), (ESARSA, NEAR_THE_GOAL)):
        seen: dict[int, Any] = {}
        unseen: dict[int, Any] = {}
        for path, into, episodes, interval in (("a", seen, 3, 37), ("b", unseen, 0, 250)):
            experiment = build(
                agent, **fields, eval_episodes=episodes, eval_interval_timesteps=interval
            )
            place = tmp_path / agent["agent_name"] / path  # type: ignore[operator]
            into |= results(experiment, place, [list(range(12))])
        for index in range(12):
            assert len(seen[index][0]["timesteps_at_eval"]) == 18
            assert without_evaluation(seen[index][0]) == without_evaluation(unseen[index][0])
            assert seen[index][1] == unseen[index][1]


def test_the_one_that_diverges_ends_and_its_neighbours_go_on(tmp_path: Path) -> None:
    experiment = build(DIVERGES)
    folder = new_folder(tmp_path, experiment)
    outcomes = run_group(experiment, folder, [0, 1, 2], Options())
    assert outcomes == {0: Outcome.COMPLETED, 1: Outcome.DIVERGED, 2: Outcome.COMPLETED}
    run = read_run(folder.record_path(1))
    assert 0 < run["diverged"]["timestep"] < 600
    assert sum(run["train_episode_steps"]) == run["diverged"]["timestep"]
    assert run["provenance"]["batch_size"] == 3


ARRIVES = {
    "env_name": "sweep/MountainCarDiscrete-v1",
    "start_state": [0.42, 0.05],
    "overwrite_rewards": True,
    "rewards": {"shift": 1e307, "gamma": 1.0},  # too large for its last step, which pays the rest
}


def test_a_reward_that_is_not_finite_ends_the_member_before_that_step(tmp_path: Path) -> None:
    experiment = build(RANDOM, **ARRIVES, eval_episodes=0)
    groups = {"alone": [[index] for index in range(12)], "together": [list(range(12))]}
    seen = {name: results(experiment, tmp_path / name, group) for name, group in groups.items()}
    assert seen["alone"] == seen["together"]
    for run, _ in seen["together"].values():
        assert run["diverged"] == {"timestep": 1, "what": "the reward"}
        assert run["last_episode_unfinished"]
        assert (run["train_episode_steps"], run["train_episode_rewards"]) == ([1], [1e307 - 1.0])


@pytest.mark.parametrize("case", ["linearAC on Mountain Car", "random, at once"])
@pytest.mark.parametrize("members", [1, 12])
def test_returns_are_the_sums_of_the_rewards(case: str, members: int, tmp_path: Path) -> None:
    agent, fields = CASES[case]
    experiment = build(agent, **fields, eval_episodes=0)
    folder = new_folder(tmp_path, experiment)
    indices = list(range(members))
    run_group(experiment, folder, indices, Options(record=("train_rewards",)))
    for index in indices:
        path = folder.record_path(index)
        run, rewards = read_run(path), np.load(path.with_suffix(".npz"))["train_rewards"].tolist()
        assert len(rewards) == sum(run["train_episode_steps"]) == 600
        assert len(run["train_episode_steps"]) > 5
        for steps, expected in zip(
            run["train_episode_steps"], run["train_episode_rewards"], strict=True
        ):
            episode, rewards_left = rewards[:steps], rewards[steps:]
            assert added_up(episode) == expected
            rewards = rewards_left
        windows = run["metrics"]["mean_reward"]
        every = np.load(path.with_suffix(".npz"))["train_rewards"].tolist()
        for begin, end, mean in zip(
            [0, *windows["timestep"]], windows["timestep"], windows["value"], strict=False
        ):
            assert added_up(every[begin:end]) / (end - begin) == mean


def added_up(rewards: list[float]) -> float:
    """One after another; `sum` of Python is more exact."""
    total = 0.0
    for reward in rewards:
        total += reward
    return total


def test_a_member_that_the_agent_gives_up_on_learns_no_more() -> None:
    training = training_of(build(RANDOM, eval_episodes=0), 12)
    assert isinstance(training.agent, Ensemble)
    asked: list[list[int]] = []

    class GivesUp(Ensemble):
        def act(self, observations: Any, slots: Sequence[int], *, explore: bool) -> Any:
            if len(asked) == 5:
                self.diverged[3] = "its patience"
            return super().act(observations, slots, explore=explore)

        def observe(self, *step: Any) -> None:
            asked.append(step[-1])

    training.agent = GivesUp(training.agent.agents, "cpu")
    training.advance(math.inf)
    everyone = list(range(12))
    assert asked == [everyone] * 5 + [[slot for slot in everyone if slot != 3]] * 595
    assert training.members[3].diverged == {"timestep": 6, "what": "its patience"}


def test_auto_is_what_suits_the_agent(tmp_path: Path) -> None:
    assert (parse_batch("auto"), parse_batch("12")) == (None, 12)
    mixed = {"agent_name": "linearAC", "parameters": {"actor_lr": [0.1, 0.2], "tilings": [2, 4]}}
    for agent, device, sizes in (
        (mixed, "cpu", [200, 200, 26, 24]),
        (SAC, "cpu", [8] * 56 + [2]),
        (SAC, "cuda", [256, 194]),
    ):
        experiment = build(agent)
        folder = ResultFolder(tmp_path, Manifest.of(experiment, 0))
        options = Options(batch=None, device=device)
        groups = list(sequence.groups_of(experiment, folder, range(450), options))
        assert [len(group) for group in groups] == sizes
        assert sorted(index for group in groups for index in group) == list(range(450))
        for group in groups:
            settings = [experiment.grid.setting(folder.run(index).setting) for index in group]
            assert len({setting.get("tilings") for setting in settings}) == 1


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
        leave_at(experiment, folder, [index], until, options)
    assert len(list((folder.path / "running").glob("*.checkpoint"))) == 2
    assert set(run_group(experiment, folder, [0, 1, 2, 3], options).values()) == {Outcome.COMPLETED}
    resumed = {index: comparable(read_run(folder.record_path(index))) for index in range(4)}
    assert resumed == {index: run for index, (run, _) in alone.items()}


@pytest.mark.parametrize("case", ["linearAC", "ESarsa on Mountain Car", "linearAC on the Acrobot"])
def test_members_go_on_in_other_company(case: str, tmp_path: Path) -> None:
    """Stepped at once, saved within episodes, then one by one, saved again, then at once."""
    agent, fields = CASES[case]
    experiment = build(agent, **fields)
    indices = list(range(12))
    alone = results(experiment, tmp_path / "alone", [[index] for index in indices])
    folder = new_folder(tmp_path / "resumed", experiment)
    options = Options(record=("train_rewards",))
    leave_at(experiment, folder, indices, 201, options)
    for part in (indices[:1], indices[1:5], indices[5:]):
        leave_at(experiment, folder, part, 333, options)
    run_group(experiment, folder, indices[::-1], options)
    resumed = {index: comparable(read_run(folder.record_path(index))) for index in indices}
    assert resumed == {index: run for index, (run, _) in alone.items()}


def leave_at(
    experiment: Experiment, folder: Any, indices: list[int], until: int, options: Options
) -> None:
    """Trains indices up to a timestep and saves them as an interrupted process would."""
    runs = [folder.run(index) for index in indices]
    training = build_training(experiment, runs, options)
    saved = {run: folder.checkpoints(run).load(pytest.fail) for run in runs}
    session = run_module._Session(folder, saved, training, options)
    training.on_step = lambda: setattr(training, "stop", training.timestep >= until)
    with contextlib.ExitStack() as locks:
        for run in runs:
            locks.enter_context(folder.lock(run))
        assert session.go() == dict.fromkeys(indices, Outcome.INTERRUPTED)
    training.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_real_group_is_interrupted_and_resumed(how: signal.Signals, tmp_path: Path) -> None:
    files = write_files(tmp_path, SWEEP, total_timesteps=4000)
    whole = (*files, "--indices", "0-11", "--save-dir", tmp_path / "whole")
    assert run_main(*whole, cwd=tmp_path).returncode == 0
    arguments = (
        *files, "--indices", "0-11", "--batch", "12", "--checkpoint-minutes", "0.0005",
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
