"""rolloutIW in environments: it finds the door, resumes to the bit, and knows where it is."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from left_runs import train
from sweep_runs import build

import envs
from agents.base import Transition
from agents.planning.planner import Decision
from agents.planning.tree import TRUNCATED, Tree
from agents.rollout_iw.agent import RolloutIWAgent
from agents.rollout_iw.settings import RolloutIWSettings
from envs.settings import EnvironmentSettings

ATARI = {
    "frame_skip": 15,
    "noop_max": 0,
    "repeat_action_probability": 0.0,
    "max_pool": False,
    "resize": "linear",
}


def agent_in(
    env_name: str, seed: int = 0, limit: int = 200, fields: Any = None, **settings: Any
) -> tuple[RolloutIWAgent, Any, Any]:
    """The agent, its environment and the first observation."""
    file = msgspec.convert(
        {
            "env_name": env_name,
            "total_timesteps": 1,
            "steps_per_episode": limit,
            "eval_episodes": 0,
            **(fields or {}),
        },
        EnvironmentSettings,
    )
    environment = envs.make(file)
    agent = RolloutIWAgent(
        msgspec.convert(settings, RolloutIWSettings),
        environment.observation_space,
        environment.action_space,
        gamma=0.99,
        rng=np.random.default_rng(seed),
        device="cpu",
        simulator=envs.make_simulator(file),
    )
    observation, _ = environment.reset(seed=seed)
    agent.act_in(environment)
    return agent, environment, observation


def play(agent: RolloutIWAgent, environment: Any, observation: Any) -> tuple[float, int]:
    """Return and length of an episode."""
    total, steps = 0.0, 0
    while True:
        action = agent.act(observation, explore=True)
        successor, reward, terminated, truncated, _ = environment.step(action)
        agent.observe(Transition(observation, action, reward, successor, terminated, truncated))
        observation, total, steps = successor, total + reward, steps + 1
        if terminated or truncated:
            return total, steps


def test_the_corridor_is_solved_on_every_seed_with_20_nodes_a_decision() -> None:
    episodes = []
    for seed in range(10):
        agent, environment, observation = agent_in(
            "sweep/KeyDoorCorridor-v1", seed, nodes=20, features="basic"
        )
        episodes.append(play(agent, environment, observation))
        assert agent.metrics()["decisions"] == episodes[-1][1]
        assert agent.metrics()["interactions"] <= 20 * episodes[-1][1]
    assert [score for score, _ in episodes] == [1.0] * 10
    assert all(13 <= steps < 200 for _, steps in episodes)


def test_a_maze_of_width_2_is_solved_by_width_2_at_once() -> None:
    # where the hero is and whether there is a key are two atoms: width 1 sees each alone
    agent, environment, observation = agent_in(
        "sweep/KeyDoorMaze0-v1", nodes=2000, width=2, features="basic"
    )
    assert play(agent, environment, observation) == (1.0, 21)


@pytest.mark.parametrize("planner", ["iw", "breadth-first", "count-based", "random", "rollout-iw"])
def test_every_planner_plays_within_its_budget(planner: str) -> None:
    agent, environment, observation = agent_in(
        "sweep/KeyDoorMaze0-v1", planner=planner, nodes=40, limit=30, max_depth=40
    )
    play(agent, environment, observation)
    nodes = agent.metrics()["interactions"] / agent.metrics()["decisions"]
    assert 5 < nodes <= 40


RESUMED = {
    "rollout-iw": {"nodes": 12, "features": "basic"},
    "cached in the table": {"nodes": 12, "cached_in_table": True, "subtree_temperature": 1.0},
    "count-based": {"nodes": 12, "planner": "count-based"},
    "breadth-first": {"nodes": 12, "planner": "iw", "cache_subtree": False},
}


@pytest.mark.parametrize("case", RESUMED)
def test_a_run_left_anywhere_is_the_run_never_left(case: str) -> None:
    agent = {"agent_name": "rolloutIW", "parameters": RESUMED[case]}
    experiment = build(
        agent,
        env_name="sweep/KeyDoorCorridor-v1",
        steps_per_episode=40,
        total_timesteps=120,
        eval_interval_timesteps=50,
        eval_episodes=1,
    )
    undisturbed = train(experiment, 3, [])
    assert train(experiment, 3, [1, 17, 40, 77, 118]) == undisturbed


def test_a_game_left_anywhere_is_the_game_never_left() -> None:
    agent = {"agent_name": "rolloutIW", "parameters": {"nodes": 5, "background_steps": 10}}
    experiment = build(
        agent, env_name="ALE/Pong-v5", total_timesteps=24, eval_episodes=0, atari=ATARI
    )
    assert train(experiment, 0, [9, 16]) == train(experiment, 0, [])


def test_what_the_tree_foresaw_is_what_happens() -> None:
    agent, environment, observation = agent_in("ALE/Breakout-v5", fields={"atari": ATARI}, nodes=6)
    foreseen: list[tuple[float, int, int]] = []

    def look(tree: Tree, decision: Decision) -> None:
        child = tree.child[0, decision.action]
        foreseen.append((tree.reward[child], int(tree.lives[child]), decision.statistics.cached))

    agent.on_decision = look
    for step in range(25):
        observation, reward, *_ = environment.step(agent.act(observation, explore=True))
        assert foreseen[step][0] == reward
        assert foreseen[step][1] == environment.unwrapped.ale.lives()
    # every tree but the first began with what the one before had found
    assert sum(cached for *_, cached in foreseen) > 10


def test_observations_of_nodes_are_those_of_playing_there() -> None:
    agent, environment, _ = agent_in("ALE/Pong-v5", fields={"atari": ATARI}, nodes=10)
    planner = agent.planners[True]
    planner.search = planner.search._replace(keep_observations=True)
    tree = planner.new_tree()
    planner.begin(tree, agent.simulator.adopt(environment))
    planner.plan(tree, agent.budget)
    for n in range(1, tree.size):
        path, at = [], n
        while at > 0:
            path.append(int(tree.action[at]))
            at = int(tree.parent[at])
        environment.reset(seed=0)
        for action in reversed(path):
            observation, *_ = environment.step(action)
        np.testing.assert_array_equal(tree.observations[n], observation)


def test_the_limit_of_an_episode_is_the_same_in_the_tree() -> None:
    agent, environment, observation = agent_in("sweep/KeyDoorMaze0-v1", limit=5, nodes=60)
    trees: list[tuple[Any, Any]] = []
    agent.on_decision = lambda tree, _: trees.append((tree.depth.copy(), tree.flags.copy()))
    for step in range(4):
        observation, *_ = environment.step(agent.act(observation, explore=True))
        depth, flags = trees[step]
        assert depth.max() <= 5 - step
        assert ((flags & TRUNCATED != 0) <= (depth == 5 - step)).all()
    assert any((flags & TRUNCATED).any() for _, flags in trees)


def test_a_tree_that_does_not_hold_is_given_up() -> None:
    agent, environment, observation = agent_in("sweep/KeyDoorMaze0-v1", nodes=30)
    agent.act(observation, explore=True)
    # something else happens than what was decided: a move away from a wall
    observation, *_ = environment.step(1)
    observation, *_ = environment.step(1)
    cached = []
    agent.on_decision = lambda _, decision: cached.append(decision.statistics.cached)
    agent.act(observation, explore=True)
    assert cached == [0]


def test_sticky_actions_do_not_lead_astray() -> None:
    agent, environment, observation = agent_in(
        "ALE/Pong-v5", fields={"atari": ATARI | {"repeat_action_probability": 0.5}}, nodes=4
    )
    for _ in range(4):
        observation, *_ = environment.step(agent.act(observation, explore=True))
    assert math.isfinite(agent.metrics()["mean_depth"])
