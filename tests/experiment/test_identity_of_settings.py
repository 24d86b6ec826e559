"""A setting's identity is what it says: nothing more, nothing less, today and after an update."""

from __future__ import annotations

from typing import Any

import pytest

from experiment.configuration import Experiment, build_experiment

ENVIRONMENT = {"env_name": "sweep/PendulumContinuous-v1", "total_timesteps": 1000}
AGENT = {"agent_name": "linearAC", "parameters": {"critic_lr": [0.1, 0.3]}}


def experiment(environment: dict[str, Any] | None = None, **parameters: Any) -> Experiment:
    agent = AGENT | {"parameters": {"critic_lr": [0.1, 0.3]} | parameters}
    return build_experiment(ENVIRONMENT | (environment or {}), agent, "environment", "agent")


def test_the_identity_is_the_same_on_every_machine_and_in_every_version() -> None:
    assert experiment().setting_id(0) == "505ff8acd6f20c47"


@pytest.mark.parametrize("fields", [{}, {"max_pool": True, "resize": "area"}], ids=str)
def test_settings_of_atari_that_came_later_leave_it_alone(fields: dict[str, Any]) -> None:
    """As it was before they were there; and they change it where they change the problem."""
    files: list[dict[str, Any]] = [
        {
            "env_name": "ALE/Pong-v5",
            "total_timesteps": 10000000,
            "steps_per_episode": 27000,
            "continuous": False,
            "atari": {"frame_skip": 4} | more,
        }
        for more in (fields, {"max_pool": False}, {"resize": "linear"})
    ]
    agent: dict[str, Any] = {"agent_name": "random", "parameters": {}}
    names = [build_experiment(file, agent, "", "").setting_id(0) for file in files]
    assert names[0] == "1fc076858929e95c"
    assert len(set(names)) == 3


def test_settings_differ_and_positions_do_not_matter() -> None:
    assert experiment().setting_id(0) != experiment().setting_id(1)
    assert experiment(decay=[0.5, 0.9]).setting_id(1) == experiment().setting_id(1)


@pytest.mark.parametrize(
    "same",
    [
        {"gamma": 0.99},
        {"overwrite_rewards": False, "rewards": {}, "start_state": [], "kwargs": {}},
        {"eval_episodes": 3, "eval_interval_timesteps": 7, "eval_steps_per_episode": 5},
    ],
)
def test_defaults_written_out_and_evaluations_leave_it_alone(same: dict[str, Any]) -> None:
    assert experiment(same).setting_id(0) == experiment().setting_id(0)


@pytest.mark.parametrize(
    "other",
    [
        {"gamma": 0.9},
        {"total_timesteps": 1001},
        {"steps_per_episode": 50},
        {"steps_per_episode": None, "eval_steps_per_episode": 5},
        {"start_state": [0.0, 0.0]},
        {"overwrite_rewards": True, "rewards": {"timestep": -1, "goal": 0}},
        {"kwargs": {"something": 1}},
    ],
)
def test_whatever_changes_the_problem_changes_it(other: dict[str, Any]) -> None:
    assert experiment(other).setting_id(0) != experiment().setting_id(0)
