"""What every agent promises, whatever it is: reproducible, resumable, blind to evaluation."""

from __future__ import annotations

import pickle
from typing import Any

import msgspec
import numpy as np
import pytest

import agents
import envs
from agents.group import Ensemble, GroupAgent, Planners
from agents.neural.settings import NeuralSettings

CONTINUOUS, DISCRETE = "sweep/PendulumContinuous-v1", "sweep/PendulumDiscrete-v1"
#: What an agent cannot act in; it is tried in the rest.
REFUSES = {
    **dict.fromkeys(
        ("ESarsa", "SACDiscrete", "VACDiscrete", "GreedyACDiscrete", "DQN"), CONTINUOUS
    ),
    **dict.fromkeys(("SAC", "VAC", "GreedyAC", "FKL", "TD3"), DISCRETE),
}
CASES = [
    (name, environment)
    for name in agents.AGENTS
    for environment in (CONTINUOUS, DISCRETE)
    # piHIW needs pictures, the others drive environments of their own
    if name not in ("piHIW", "MuZero", "WorldModel", "IRIS") and REFUSES.get(name) != environment
]
#: Settings that make an agent learn within a few hundred steps.
QUICK: dict[str, dict[str, Any]] = {
    name: {"batch_size": 8, "hidden_dim": 16, "steps_before_learning": 20}
    for name in agents.AGENTS
    if issubclass(agents.settings_type(name), NeuralSettings)
}
#: Those that plan and learn nothing, with few nodes.
PLANNING = {"features": f"{__name__}:octant", "nodes": 5}
QUICK["rolloutIW"] = PLANNING
LEARNING = {"batch_size": 8, "hidden_dim": 16, "replay_min_transitions": 20, "replay_add": "step"}
QUICK["piIW"] = {"nodes": 5, **LEARNING}


def octant(simulator: Any) -> np.ndarray:
    """A feature for planners: which halves of its space the observation lies in."""
    return np.asarray(simulator.observation() > 0)


def build(name: str, environment_name: str) -> tuple[GroupAgent, Any]:
    file = envs.EnvironmentSettings(
        env_name=environment_name, total_timesteps=1000, steps_per_episode=70, eval_episodes=0
    )
    environment = envs.make(file)
    settings = msgspec.convert(QUICK.get(name, {}), agents.settings_type(name))
    spaces = (environment.observation_space, environment.action_space)
    rng = np.random.default_rng(3)
    agent_type = agents.agent_type(name)
    if getattr(agent_type, "GROUPS", False):
        agent = agent_type([settings], *spaces, gamma=0.95, rngs=[rng], device="cpu")
    elif getattr(agent_type, "PLANS", False):
        simulator = envs.make_simulator(file)
        planner = agent_type(
            settings, *spaces, gamma=0.95, rng=rng, device="cpu", simulator=simulator
        )
        agent = Planners([planner], "cpu")
        agent.act_in(0, environment)
    else:
        agent = Ensemble([agent_type(settings, *spaces, gamma=0.95, rng=rng, device="cpu")], "cpu")
    return agent, environment


def interact(
    agent: GroupAgent, environment: Any, observation: Any, steps: int, *, evaluate: bool = False
) -> tuple[list[Any], Any]:
    actions = []
    for _ in range(steps):
        if evaluate:
            agent.begin_evaluation(0, np.random.default_rng(9))
            agent.act([observation], [0], explore=False)
        action = agent.act([observation], [0], explore=True)[0]
        successor, reward, terminated, truncated, _ = environment.step(action)
        agent.observe(
            [observation], [action], [float(reward)], [successor], [terminated], [truncated], [0]
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
        (agent.state_dict(0), agent.metrics(0), envs.save_state(environment), observation)
    )
    expected, _ = interact(agent, environment, observation, 150)

    other, environment = build(name, environment_name)
    state, metrics, environment_state, observation = pickle.loads(saved)
    environment.reset(seed=8)
    envs.restore_state(environment, environment_state)
    other.load_state_dict(0, state)
    assert other.metrics(0) == metrics
    resumed, _ = interact(other, environment, observation, 150)
    assert resumed == expected
    assert pickle.dumps(other.learned_params(0)) == pickle.dumps(agent.learned_params(0))


@pytest.mark.parametrize(("name", "environment_name"), CASES)
def test_updates_are_reported_when_asked_for(name: str, environment_name: str) -> None:
    agent, environment = build(name, environment_name)
    seen: dict[str, int] = {}
    agent.report_updates(0, lambda what, value: seen.__setitem__(what, seen.get(what, 0) + 1))
    interact(agent, environment, environment.reset(seed=1)[0], 50)
    if name not in ("random", "randomPolicy", "rolloutIW"):
        names = ["update_states", "update_actions", "update_rewards"]
        names += [] if name == "piIW" else ["update_next_states"]
        quick = QUICK.get(name, {})
        first = quick.get("steps_before_learning", quick.get("replay_min_transitions", 1))
        assert seen == dict.fromkeys(names, 50 - first + 1)
