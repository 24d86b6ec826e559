"""What MuZero learns, with the configurations that are shipped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from left_runs import train
from sweep_runs import ROOT, build

from experiment.configuration import read_experiment


def evaluations(
    environment: str, agent: str, index: int, *, parameters: Any = None, **fields: Any
) -> list[float]:
    """The mean returns of a run's evaluations; `fields` replace the environment file's, and
    `parameters` the agent file's."""
    config = ROOT / "config"
    files = read_experiment(
        config / "environment" / f"{environment}.json", config / "agent" / f"{agent}.json"
    ).files
    chosen = files["agent"]["parameters"] | (parameters or {})
    agent_file = files["agent"] | {"parameters": chosen}
    results, _ = train(build(agent_file, **(files["environment"] | fields)), index, [])
    return [float(np.mean(rewards)) for rewards in results["eval_episode_rewards"]]


def test_a_pole_is_held_up_after_a_few_thousand_steps() -> None:
    returns = evaluations(
        "CartPole-v1-20k",
        "MuZero_cartpole",
        0,
        parameters={"learning_rate_end": [1.0], "steps_before_learning": [200]},
        total_timesteps=2000,
        eval_interval_timesteps=2000,
    )
    assert returns[0] < 50
    assert returns[-1] > 100


@pytest.mark.slow
@pytest.mark.parametrize("index", range(1, 7))
def test_every_self_supervised_loss_lets_a_pole_be_held_up(index: int) -> None:
    returns = evaluations("CartPole-v1-20k", "MuZero_ssl", index, eval_interval_timesteps=20_000)
    assert returns[-1] >= 195


@pytest.mark.slow
@pytest.mark.parametrize("index", range(5))
def test_a_pole_is_held_up_for_good(index: int) -> None:
    returns = evaluations(
        "CartPole-v1-20k", "MuZero_cartpole", index, eval_interval_timesteps=20_000
    )
    assert returns[-1] >= 475
