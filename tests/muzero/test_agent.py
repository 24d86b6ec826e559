"""MuZero in the loop: the same whatever looks at it or interrupts it, in all kinds of games."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from left_runs import train
from sweep_runs import build, without_evaluation

from agents.muzero.agent import MuZero
from agents.muzero.sampled.box import unpacked
from agents.muzero.sampled.decisions import SampledDecisions
from agents.muzero.targets import LAST
from experiment.configuration import Experiment
from experiment.driven import DrivenTraining
from experiment.errors import ConfigError
from experiment.folder import ResultFolder
from experiment.manifest import Manifest
from experiment.run import Options, build_training

#: Learns from the start, with little work.
QUICK: dict[str, Any] = {
    "num_envs": [3],
    "batch_size_per_worker": [8],
    "hidden_size": [8],
    "hidden_dim": [8],
    "num_simulations": [4],
    "multistep": [5],
    "jumps": [2],
    "steps_before_learning": [30],
    "buffer_size": [200],
    "target_update_interval": [5],
    "num_reanalyze_envs": [8],
}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "vectors": ({}, {"env_name": "CartPole-v1"}),
    "priorities, searched again": (
        {"prioritized": [True], "input_priorities": [True], "reanalyze": [0.5]},
        {"env_name": "CartPole-v1"},
    ),
    "gumbel, stored values": (
        {"search": ["gumbel"], "local_target_net": [False], "search_value_targets": [False]},
        {"env_name": "CartPole-v1"},
    ),
    "told from a queue": (
        {"ssl": ["moco"], "queue_size": [64], "projection_dim": [8]},
        {"env_name": "CartPole-v1"},
    ),
    "self-play": (
        {"reanalyze": [0.5]},
        {
            "env_name": "sweep/TicTacToe-v1",
            "kwargs": {"opponent": "self", "observation": "flat"},
            "eval_kwargs": {"opponent": "random"},
        },
    ),
    "boards that look alike": (
        {
            "network": ["board"],
            "line_length": [3],
            "hidden_size": [4],
            "symmetries": ["square"],
            "opening_moves": [3],
            "autocast": [True],
        },
        {
            "env_name": "sweep/TicTacToe-v1",
            "kwargs": {"opponent": "self", "observation": "board"},
            "eval_kwargs": {"opponent": "random"},
        },
    ),
    "boxes": (
        {
            "num_sampled_actions": [5],
            "broad_samples": [0.4],
            "prioritized": [True],
            "reanalyze": [0.5],
            "value_support": [45],
        },
        {"env_name": "Pendulum-v1"},
    ),
    "pictures, rewards by a value prefix": (
        {
            "num_envs": [2],
            "hidden_size": [4],
            "replay_ratio": [0.05],
            "value_prefix": [True],
        },
        {"env_name": "MinAtar/Breakout-v1"},
    ),
}


def short(case: str, **fields: Any) -> Experiment:
    parameters, environment = CASES[case]
    common = {"total_timesteps": 161, "steps_per_episode": 23, "eval_interval_timesteps": 80}
    agent = {"agent_name": "MuZero", "parameters": QUICK | parameters}
    return build(agent, **(common | environment | fields))


def driver_of(experiment: Experiment) -> MuZero:
    folder = ResultFolder(Path(), Manifest.of(experiment, 0))
    training = build_training(experiment, [folder.run(0)], Options())
    assert isinstance(training, DrivenTraining)
    assert isinstance(training.driver, MuZero)
    return training.driver


@pytest.mark.parametrize("case", CASES)
def test_left_anywhere_it_ends_the_same(case: str) -> None:
    undisturbed = train(short(case), 0, [], ("learned_params",))
    assert undisturbed[0]["metrics"]["updates"]["value"][-1] > 5
    assert train(short(case), 0, [14, 77, 121], ("learned_params",)) == undisturbed


def test_looking_at_it_never_changes_it() -> None:
    """Also where an evaluation cuts rounds of the three environments."""
    case = "priorities, searched again"
    seen = train(short(case, eval_interval_timesteps=31), 0, [], ("learned_params",))
    unseen = train(short(case, eval_episodes=0), 0, [], ("learned_params",))
    assert without_evaluation(seen[0]) == without_evaluation(unseen[0])
    assert seen[1] == unseen[1]


def test_updates_and_searches_of_what_was_stored_keep_their_ratio() -> None:
    driver = driver_of(short("priorities, searched again", eval_episodes=0))
    driver.advance(150, lambda: False)
    assert driver.training.learner.updates == int((150 - 30) * 0.25)
    assert driver.training.state_dict()["reanalysed"] == (150 - 30) // 16 * 8


def test_what_is_not_searched_again_stays() -> None:
    driver = driver_of(short("vectors", eval_episodes=0))
    driver.advance(60, lambda: False)
    arrays = driver.training.replay.arrays
    before = {name: arrays[name][:, :20].copy() for name in ("policies", "values")}
    driver.advance(150, lambda: False)
    assert all(np.array_equal(arrays[name][:, :20], kept) for name, kept in before.items())


def test_searching_again_brings_policies_nearer_to_what_a_search_now_says() -> None:
    driver = driver_of(short("vectors", eval_episodes=0))
    driver.advance(150, lambda: False)
    training = driver.training
    training.learner.renew_target()
    replay = training.replay
    places = np.concatenate([e * replay.capacity + np.arange(15, 25) for e in range(3)])
    read = replay.rows("observations", places)
    found, _ = driver._decisions.search(
        training.learner.target, read, None, np.random.default_rng(0), explore=False
    )

    def apart() -> float:
        return float(np.abs(replay.rows("policies", places) - found.policy).sum(axis=1).mean())

    before = apart()
    for _ in range(40):
        training.reanalyse(8)
    assert apart() < 0.8 * before


def test_evaluation_takes_no_part_in_training() -> None:
    driver = driver_of(short("vectors", eval_episodes=0))
    driver.advance(40, lambda: False)
    driver.begin_evaluation(np.random.default_rng(1))
    before = driver.state_dict()
    observations = list(np.random.default_rng(2).normal(size=(40, 4)).astype(np.float32))
    actions = driver.act_many(observations, range(40), begun=[], legal=None)
    assert set(actions) <= {0, 1}
    after = driver.state_dict()
    assert before["acting"] == after["acting"]
    assert before["training"]["rng"] == after["training"]["rng"]


def test_moves_that_are_not_allowed_are_never_made() -> None:
    driver = driver_of(short("self-play", eval_episodes=0))
    driver.advance(161, lambda: False)
    arrays = driver.training.replay.arrays
    written = min(driver.training.replay.written)
    legal, done = arrays["legal"][:, :written], arrays["actions"][:, :written]
    assert legal.any(axis=2).all()
    assert not legal.all()
    assert np.take_along_axis(legal, done[..., None], axis=2).all()
    assert (arrays["policies"][:, :written][~legal] == 0).all()


def test_what_was_done_in_a_box_is_one_of_the_samples_and_searching_again_draws_others() -> None:
    driver = driver_of(short("boxes", eval_episodes=0))
    driver.advance(29, lambda: False)  # nothing was searched again yet
    replay = driver.training.replay
    written = int(min(replay.written))
    steps = replay.arrays["kinds"][:, :written] != LAST
    shares, samples = unpacked(replay.arrays["policies"][:, :written][steps], 5)
    actions = replay.arrays["actions"][:, :written][steps]
    assert np.isclose(np.tanh(samples), actions[:, None], atol=1e-6).all(axis=2).any(axis=1).all()
    assert shares.sum(axis=1) == pytest.approx(np.ones(len(shares)))
    for _ in range(8):
        driver.training.reanalyse(50)
    fresh_shares, fresh = unpacked(replay.arrays["policies"][:, :written][steps], 5)
    assert fresh_shares.sum(axis=1) == pytest.approx(np.ones(len(shares)))
    assert (fresh != samples).all(axis=(1, 2)).mean() > 0.9
    assert np.array_equal(replay.arrays["actions"][:, :written][steps], actions)


def test_in_a_box_evaluation_takes_a_sample_or_the_mean_of_all() -> None:
    driver = driver_of(short("boxes", eval_episodes=0))
    settings, sampling = driver.settings, driver._actions.sampling
    assert sampling is not None
    seen = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    online = driver.training.learner.online
    taken = {}
    for choice in ("most_visited", "mean"):
        chosen = msgspec.structs.replace(settings, evaluated_action=choice)
        decisions = SampledDecisions(chosen, sampling, 0.9, two_player=False)
        taken[choice] = decisions.greedy(online, seen, None, np.random.default_rng(2))
    result, _ = decisions.search(online, seen, None, np.random.default_rng(2), explore=False)
    shares, samples = unpacked(result.policy, 5)
    best = samples[np.arange(6), result.action]
    assert taken["most_visited"] == pytest.approx(np.tanh(best), abs=1e-6)
    mean = (shares[..., None] * np.tanh(samples)).sum(axis=1)
    assert taken["mean"] == pytest.approx(mean, abs=1e-6)


def test_what_it_cannot_do_it_says() -> None:
    with pytest.raises(ConfigError, match="pictures of 48 pixels"):
        driver_of(
            build(
                {"agent_name": "MuZero", "parameters": {"network": ["atari"]}},
                env_name="CartPole-v1",
            )
        )
