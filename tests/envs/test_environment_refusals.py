"""Whatever is wrong with an environment file is refused by the name of its field."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from envs.errors import EnvironmentRefused

REFUSALS: list[tuple[str, dict[str, Any], str, str]] = [
    # environment, fields, refused field, what is said
    ("Pendulm-v1", {}, "env_name", "did you mean 'Pendulum-v1'"),
    ("pendulum-v1", {}, "env_name", "did you mean 'Pendulum-v1'"),
    ("PendulumContinuous-v1", {}, "env_name", "did you mean 'sweep/PendulumContinuous-v1'"),
    ("sweep/PendulumContinuos-v1", {}, "env_name", "did you mean 'sweep/PendulumContinuous-v1'"),
    ("HalfCheetah-v9", {}, "env_name", "HalfCheetah-v5"),
    ("ALE/Pomg-v5", {}, "env_name", "did you mean 'ALE/Pong-v5'"),
    ("MinAtar/Breakout-v3", {}, "env_name", "there is MinAtar/Breakout-v0, MinAtar/Breakout-v1"),
    ("MinAtar/Pong-v1", {}, "env_name", "'MinAtar/Pong-v1' is not registered"),
    ("MinAtar/Breakout-v1", {"kwargs": {"sticky": 0}}, "kwargs", "sticky"),
    ("nowhere/Maze-v0", {}, "env_name", "nothing is registered under 'nowhere'"),
    ("no_such_module:Maze-v0", {}, "env_name", "no module 'no_such_module'"),
    ("sweep/GridWorld-v1", {"kwargs": {"row": 3}}, "kwargs.row", "did you mean 'rows'"),
    ("sweep/GridWorld-v1", {"kwargs": {"rows": 0}}, "kwargs", "two cells or more"),
    ("sweep/GridWorld-v1", {"kwargs": {"observation": "x"}}, "kwargs", "observation is one of"),
    ("Pendulum-v1", {"kwargs": {"gravity": 9.8}}, "kwargs.gravity", "it takes g"),
    ("HalfCheetah-v5", {"kwargs": {"ctrl_cost": 1}}, "kwargs.ctrl_cost", "ctrl_cost_weight"),
    ("Pendulum-v1", {"kwargs": {"render_mode": "human"}}, "kwargs.render_mode", "leave it out"),
    ("Pendulum-v1", {"kwargs": {"max_episode_steps": 9}}, "kwargs.max_episode_steps", "steps_per"),
    ("ALE/Pong-v5", {"kwargs": {"frameskip": 2}}, "kwargs.frameskip", "atari.frame_skip"),
    ("CartPole-v1", {"continuous": True}, "continuous", "those of CartPole-v1 are discrete"),
    ("MountainCar-v0", {"continuous": True}, "continuous", "MountainCarContinuous-v0 has"),
    (
        "sweep/PendulumContinuous-v1",
        {"continuous": False},
        "continuous",
        "sweep/PendulumDiscrete-v1 has discrete ones",
    ),
    ("LunarLanderContinuous-v3", {"continuous": False}, "continuous", "LunarLander-v3 has"),
    (
        "LunarLander-v3",
        {"continuous": False, "kwargs": {"continuous": True}},
        "continuous",
        "asks for discrete",
    ),
    ("ALE/Pong-v5", {"continuous": True}, "continuous", "discrete actions"),
    ("Pendulum-v1", {"atari": {}}, "atari", "no Atari game"),
    ("CartPole-v1", {"start_state": [0, 0]}, "start_state", "has 4 numbers (x, x velocity"),
    ("CartPole-v1", {"start_state": [0, 0, 0, float("inf")]}, "start_state", "not finite"),
    ("InvertedPendulum-v5", {"start_state": [0]}, "start_state", "2 positions qpos"),
    ("sweep/PendulumContinuous-v1", {"start_state": [0]}, "start_state", "(theta, omega)"),
    ("sweep/PendulumContinuous-v1", {"start_state": [9, 0]}, "start_state", "theta = 9"),
    ("sweep/GridWorld-v1", {"start_state": [0.5, 0]}, "start_state", "whole numbers"),
    ("sweep/PuddleWorld-v1", {"start_state": [1, 1]}, "start_state", "goal region"),
    ("sweep/Bimodal-v1", {"start_state": [1]}, "start_state", "0 numbers, not 1"),
    ("LunarLander-v3", {"start_state": [0]}, "start_state", "cannot be started in a given state"),
    ("FrozenLake-v1", {"start_state": [3]}, "start_state", "cannot be started in a given state"),
    ("Pendulum-v1", {"rewards": {"goal": 1}}, "rewards", "overwrite_rewards is false"),
    ("Pendulum-v1", {"overwrite_rewards": True}, "rewards", "not the keys []"),
    (
        "Pendulum-v1",
        {"overwrite_rewards": True, "rewards": {"timestep": -1}},
        "rewards",
        "not the keys ['timestep']",
    ),
    (
        "Pendulum-v1",
        {"overwrite_rewards": True, "rewards": {"shift": 1, "gamma": 2}},
        "rewards.gamma",
        "not in [0, 1]",
    ),
    (
        "Pendulum-v1",
        {
            "overwrite_rewards": True,
            "rewards": {"shift": 1, "gamma": 1},
            "steps_per_episode": None,
        },
        "rewards.shift",
        "needs a steps_per_episode",
    ),
    ("CartPole-v1", {"observation_ranges": [[0, 1]]}, "observation_ranges", "4 numbers, not 1"),
    (
        "CartPole-v1",
        {"observation_ranges": [None, [2, 1], None, None]},
        "observation_ranges.1",
        "low < high",
    ),
    ("FrozenLake-v1", {"observation_ranges": [[0, 1]]}, "observation_ranges", "Discrete(16)"),
    (
        "Pendulum-v1",
        {"steps_per_episode": None, "eval_episodes": 1},
        "eval_steps_per_episode",
        "needs a limit",
    ),
    (
        "sweep/PendulumContinuing-v1",
        {"eval_episodes": 1},
        "eval_steps_per_episode",
        "needs a limit",
    ),
]


@pytest.mark.parametrize(("env_name", "fields", "field", "problem"), REFUSALS)
def test_refused(
    build: Any, env_name: str, fields: dict[str, Any], field: str, problem: str
) -> None:
    with pytest.raises(EnvironmentRefused) as refused:
        build(env_name, **fields)
    assert refused.value.field == field
    assert problem in refused.value.problem
    assert "\n" not in refused.value.problem


@pytest.mark.parametrize(
    ("module", "package", "name"),
    [("ale_py", "ale-py", "ALE/Pong-v5"), ("minatar", "minatar", "MinAtar/Breakout-v1")],
)
def test_a_missing_package_is_named(
    build: Any, monkeypatch: pytest.MonkeyPatch, module: str, package: str, name: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EnvironmentRefused, match=f"pip install '{package}'"):
        build(name)


def test_a_refusal_is_a_value_error_that_reads_as_one_line() -> None:
    refused = EnvironmentRefused("kwargs.foo", "is unknown")
    assert isinstance(refused, ValueError)
    assert str(refused) == "kwargs.foo: is unknown"
