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


@pytest.mark.parametrize(("search", "least"), [("puct", 1.0), ("gumbel", 1.35)])
def test_the_place_of_the_reward_in_a_box_is_found(search: str, least: float) -> None:
    """One step, 1.5 at most, in a bump of width 0.4 in a box from -2 to 2."""
    parameters = {
        "search": [search],
        "hidden_size": [16],
        "hidden_dim": [16],
        "value_support": [2],
        "reward_support": [2],
        "jumps": [1],
        "multistep": [1],
        "steps_before_learning": [200],
        "batch_size_per_worker": [64],
        "learning_rate": [0.01],
        "learning_rate_end": [1.0],
        "replay_ratio": [1.0],
        "reanalyze": [1.0],
        "num_simulations": [24],
    }
    experiment = build(
        {"agent_name": "MuZero", "parameters": parameters},
        env_name="sweep/Bimodal-v1",
        total_timesteps=1500,
        steps_per_episode=1,
        eval_interval_timesteps=1500,
        eval_episodes=20,
        kwargs={"stddev": 0.4, "suboptimal_reward": 0.0},
    )
    results, _ = train(experiment, 0, [])
    returns = [float(np.mean(rewards)) for rewards in results["eval_episode_rewards"]]
    assert returns[0] < 0.6
    assert returns[-1] > least


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


@pytest.mark.slow
def test_nobody_beats_it_at_tic_tac_toe() -> None:
    """The opponent of evaluations never loses, so that a mean of 0 is 200 draws."""
    returns = evaluations("TicTacToe-v1", "MuZero_tictactoe", 4)
    assert returns[0] < -0.5
    assert returns[-1] == 0


@pytest.mark.slow
@pytest.mark.parametrize("index", range(6))
def test_every_mode_of_q_learning_holds_a_pole_up(index: int) -> None:
    returns = evaluations("CartPole-v1-40k", "MuZero_q", index)
    assert returns[-1] >= 195
