"""piIW and piHIW in the loop: resumed to the bit, counted exactly, asking no more than needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import agents
import envs
from agents.base import AgentRefused, Transition
from agents.planning.tree import PRUNED

sys.path.append(str(Path(__file__).resolve().parents[1] / "experiment"))
from left_runs import train
from sweep_runs import build

MAZE = "sweep/KeyDoorMaze0-v1"
SMALL: dict[str, Any] = {
    "nodes": 12,
    "hidden_dim": 8,
    "batch_size": 8,
    "replay_min_transitions": 16,
}
TILES = {"downsampling_tiles_w": 5, "downsampling_tiles_h": 5}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "basic, lazily": ("piIW", {"features": "basic"}),
    "dynamic": ("piIW", {"features": "dynamic", "guide_temperature_min": 0.5}),
    "dynamic, with a value": (
        "piIW",
        {"value_head": "scalar", "cached_in_table": True, "batch_normalization": True},
    ),
    "step by step, without cache": ("piIW", {"replay_add": "step", "cache_subtree": False}),
    "hierarchical": ("piHIW", TILES),
    "hierarchical, IW below": (
        "piHIW",
        {**TILES, "low_level_planner": "iw", "features": "basic", "high_level_width": None},
    ),
}


def planner(name: str, **settings: Any) -> Any:
    file = envs.EnvironmentSettings(
        env_name=MAZE, total_timesteps=100, steps_per_episode=40, eval_episodes=0
    )
    environment = envs.make(file)
    chosen = msgspec.convert(SMALL | settings, agents.settings_type(name))
    agent = agents.agent_type(name)(
        chosen,
        environment.observation_space,
        environment.action_space,
        gamma=0.99,
        rng=np.random.default_rng(5),
        device="cpu",
        simulator=envs.make_simulator(file),
    )
    return agent, environment


def play(agent: Any, environment: Any, decisions: int) -> None:
    observation, _ = environment.reset(seed=1)
    agent.act_in(environment)
    for _ in range(decisions):
        action = agent.act(observation, explore=True)
        following, reward, terminated, truncated, _ = environment.step(action)
        agent.observe(Transition(observation, action, reward, following, terminated, truncated))
        observation = following
        if terminated or truncated:
            observation, _ = environment.reset()
            agent.act_in(environment)


@pytest.mark.parametrize("case", CASES)
def test_left_and_taken_up_it_ends_the_same(case: str) -> None:
    name, parameters = CASES[case]
    experiment = build(
        {"agent_name": name, "parameters": SMALL | parameters},
        env_name=MAZE,
        total_timesteps=70,
        steps_per_episode=20,
        eval_interval_timesteps=50,
        eval_episodes=1,
    )
    names = ("train_actions", "update_states", "update_actions", "update_rewards", "learned_params")
    undisturbed = train(experiment, 0, [], names)
    assert train(experiment, 0, [3, 31, 52], names) == undisturbed


@pytest.mark.parametrize("name", ["piIW", "piHIW"])
def test_records_count_interactions_where_curves_need_them(name: str) -> None:
    experiment = build(
        {"agent_name": name, "parameters": SMALL | {"features": "basic"}},
        env_name=MAZE,
        total_timesteps=60,
        steps_per_episode=20,
        eval_interval_timesteps=30,
        eval_episodes=1,
    )
    results, _ = train(experiment, 0, [])
    counts = results["counts"]
    at = dict(zip(counts["timestep"], counts["interactions"], strict=True))
    ends = np.cumsum(results["train_episode_steps"]).tolist()
    assert {0, *ends, *results["timesteps_at_eval"], 60} <= set(at)
    assert at[0] == 0
    assert at[60] == results["metrics"]["interactions"]["value"][-1] <= 60 * 12
    assert counts["timestep"] == sorted(set(counts["timestep"]))
    assert counts["interactions"] == sorted(counts["interactions"])
    assert counts["frames"] == counts["interactions"]


@pytest.mark.parametrize("name", ["piIW", "piHIW"])
def test_the_budget_is_kept_and_counted(name: str) -> None:
    agent, environment = planner(name, **(TILES if name == "piHIW" else {}))
    seen: list[Any] = []
    agent.on_decision = lambda tree, decision: seen.append(decision.statistics)
    play(agent, environment, 50)
    assert all(one.generated == 12 or (one.generated < 12 and one.solved) for one in seen)
    assert agent.counts()["interactions"] == sum(one.generated for one in seen)


def test_with_basic_features_the_network_is_asked_where_an_action_is_chosen() -> None:
    agent, environment = planner("piIW", features="basic", replay_min_transitions=1000)
    agent.guide.forget = lambda: None  # no update changes the network
    asked: set[bytes] = set()
    prior = agent.guide.prior

    def ask(observation: Any) -> Any:
        asked.add(observation.tobytes())
        return prior(observation)

    agent.guide.prior = ask
    unknown = []

    def look(tree: Any, decision: Any) -> None:
        # leaves that were pruned, terminal or last need no policy
        leaves = (tree.child < 0).all(1)
        known = ~np.isnan(tree.prior[:, 0])
        unknown.append(int((~known).sum()))
        assert known[~leaves].all()
        assert not known[(tree.flags & PRUNED > 0) & leaves & (tree.new_atoms == 0)].any()

    agent.on_decision = look
    play(agent, environment, 30)
    assert sum(unknown) > 30
    assert agent.guide.passes == len(asked)


def test_the_training_pair_is_the_root_and_the_target() -> None:
    agent, environment = planner("piIW", replay_add="step", replay_min_transitions=1000)
    told: list[tuple[np.ndarray, np.ndarray]] = []

    def look(tree: Any, decision: Any) -> None:
        q = tree.q_values(0.99)
        best = q == q.max()
        np.testing.assert_array_equal(decision.policy, best / best.sum())
        told.append((environment.problem_observation(), decision.policy))

    environment.problem_observation = lambda: np.array(environment.observation)
    agent.on_decision = look
    play(agent, environment, 25)
    batch = agent.learner.replay.sample(25, np.random.default_rng(0))
    pairs = {(o.tobytes(), p.astype("f4").tobytes()) for o, p in told}
    got = {
        (o.tobytes(), p.tobytes()) for o, p in zip(batch.observations, batch.policies, strict=True)
    }
    assert got == pairs


@pytest.mark.parametrize("how", ["episode", "improved_episode"])
def test_episodes_enter_the_replay_when_they_end(how: str) -> None:
    agent, environment = planner("piIW", replay_add=how, replay_min_transitions=1000)
    sizes: list[int] = []
    lengths: list[int] = []
    agent.on_decision = lambda tree, decision: sizes.append(len(agent.learner.replay))
    observe = agent.observe
    began = [0]

    def watch(transition: Transition) -> None:
        observe(transition)
        if transition.terminated or transition.truncated:
            lengths.append(len(sizes) - began[0])
            began[0] = len(sizes)

    agent.observe = watch
    play(agent, environment, 81)
    # walls and time end episodes; what is added is all of one
    steps = [0, *np.cumsum(lengths)]
    assert sizes[0] == 0
    if how == "episode":
        assert set(sizes) == {n for n in steps if n < 81}
    else:
        assert max(sizes) <= steps[-1]
        first = lengths[0]
        assert sizes[first] == first


def test_the_temperature_of_the_guide_falls_linearly() -> None:
    agent, _ = planner(
        "piIW",
        guide_temperature=3.0,
        guide_temperature_min=0.5,
        guide_temperature_interactions=1000,
    )
    temperatures = [agent._temperature(n) for n in (0, 500, 1000, 5000)]
    assert temperatures == [3.0, 1.75, 0.5, 0.5]


def test_the_network_may_act_in_evaluations_by_itself() -> None:
    agent, environment = planner("piIW", evaluation="policy")
    agent.evaluation_rng = np.random.default_rng(0)
    observation, _ = environment.reset(seed=1)
    assert agent.act(observation, explore=False) in range(5)
    assert agent.counts()["interactions"] == 0


def test_high_level_states_need_pictures() -> None:
    file = envs.EnvironmentSettings(env_name="CartPole-v1", total_timesteps=10)
    environment = envs.make(file)
    with pytest.raises(AgentRefused, match="piHIW needs pictures of bytes, not Box"):
        agents.agent_type("piHIW")(
            msgspec.convert({}, agents.settings_type("piHIW")),
            environment.observation_space,
            environment.action_space,
            gamma=0.99,
            rng=np.random.default_rng(5),
            device="cpu",
            simulator=envs.make_simulator(file),
        )
