"""What every agent promises, whatever it is: reproducible, resumable, blind to evaluation."""

from __future__ import annotations

import pickle
from typing import Any

import msgspec
import numpy as np
import pytest

import agents
import envs
from agents.base import Agent, Transition

#: Environments that an agent is tried in; an agent that refuses one is tried in the others.
ENVIRONMENTS = ("sweep/PendulumContinuous-v1", "sweep/PendulumDiscrete-v1")
CASES = [
    (name, environment)
    for name in agents.AGENTS
    for environment in ENVIRONMENTS
    if not (name == "ESarsa" and "Continuous" in environment)
]


def build(name: str, environment_name: str) -> tuple[Agent, Any]:
    environment = envs.make(
        envs.EnvironmentSettings(
            env_name=environment_name, total_timesteps=1000, steps_per_episode=70, eval_episodes=0
        )
    )
    agent = agents.agent_type(name)(
        msgspec.convert({}, agents.settings_type(name)),
        environment.observation_space,
        environment.action_space,
        gamma=0.95,
        rng=np.random.default_rng(3),
        device="cpu",
    )
    return agent, environment


def interact(
    agent: Agent, environment: Any, observation: Any, steps: int, *, evaluate: bool = False
) -> tuple[list[Any], Any]:
    actions = []
    for _ in range(steps):
        if evaluate:
            agent.evaluation_rng = np.random.default_rng(9)
            agent.act(observation, explore=False)
        action = agent.act(observation, explore=True)
        successor, reward, terminated, truncated, _ = environment.step(action)
        agent.observe(
            Transition(observation, action, float(reward), successor, terminated, truncated)
        )
        actions.append(np.array(action).tolist())
        observation = environment.reset()[0] if terminated or truncated else successor
    return actions, observation


@pytest.mark.parametrize(("name", "environment_name"), CASES)
def test_equal_seeds_give_equal_actions(name: str, environment_name: str) -> None:
    runs = []
    for _ in range(2):
        agent, environment = build(name, environment_name)
        runs.append(interact(agent, environment, environment.reset(seed=1)[0], 300)[0])
    assert runs[0] == runs[1]


@pytest.mark.parametrize(("name", "environment_name"), CASES)
def test_evaluating_never_changes_training(name: str, environment_name: str) -> None:
    runs = []
    for evaluate in (False, True):
        agent, environment = build(name, environment_name)
        start = environment.reset(seed=1)[0]
        runs.append(interact(agent, environment, start, 300, evaluate=evaluate)[0])
    assert runs[0] == runs[1]


@pytest.mark.parametrize(("name", "environment_name"), CASES)
def test_a_restored_agent_goes_on_to_the_bit(name: str, environment_name: str) -> None:
    agent, environment = build(name, environment_name)
    _, observation = interact(agent, environment, environment.reset(seed=1)[0], 215)
    saved = pickle.dumps(
        (agent.state_dict(), agent.metrics(), envs.save_state(environment), observation)
    )
    expected, _ = interact(agent, environment, observation, 150)

    other, environment = build(name, environment_name)
    state, metrics, environment_state, observation = pickle.loads(saved)
    environment.reset(seed=8)
    envs.restore_state(environment, environment_state)
    other.load_state_dict(state)
    assert other.metrics() == metrics
    resumed, _ = interact(other, environment, observation, 150)
    assert resumed == expected
    assert pickle.dumps(other.learned_params()) == pickle.dumps(agent.learned_params())


@pytest.mark.parametrize(("name", "environment_name"), CASES)
def test_updates_are_reported_when_asked_for(name: str, environment_name: str) -> None:
    agent, environment = build(name, environment_name)
    seen: dict[str, int] = {}
    agent.on_update = lambda what, value: seen.__setitem__(what, seen.get(what, 0) + 1)
    interact(agent, environment, environment.reset(seed=1)[0], 50)
    if name != "random":
        names = ("update_states", "update_actions", "update_rewards", "update_next_states")
        assert seen == dict.fromkeys(names, 50)
