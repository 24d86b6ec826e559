"""Simulators: what a planner sees is what would happen, to the bit, however often it goes back."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from envs.factory import make
from envs.registration import OWN_ENVIRONMENTS
from envs.settings import EnvironmentSettings
from envs.simulator import Simulator, make_simulator
from envs.wrappers import Problem

PLANNING = {
    "frame_skip": 15,
    "noop_max": 0,
    "repeat_action_probability": 0.0,
    "max_pool": False,
    "resize": "linear",
}
FAMILIES: dict[str, dict[str, Any]] = {
    **{name: {} for name in OWN_ENVIRONMENTS},
    "CartPole-v1": {},
    "Acrobot-v1": {},
    "MountainCar-v0": {},
    "MountainCarContinuous-v0": {},
    "Pendulum-v1": {},
    "FrozenLake-v1": {},
    "Blackjack-v1": {},
    "Taxi-v4": {},
    "Hopper-v5": {},
    "Ant-v5": {"bins": 2},
    "Reacher-v5": {},
    "MinAtar/Breakout-v1": {},
    "ALE/Pong-v5": {"atari": PLANNING},
    "ALE/Breakout-v5": {"atari": PLANNING | {"grayscale": False, "noop_max": 20, "frame_stack": 1}},
    "ALE/Freeway-v5": {"atari": {"repeat_action_probability": 0.25}},
    "LunarLander-v3": {"continuous": False},
}


def settings(env_name: str, **fields: Any) -> EnvironmentSettings:
    file = {"env_name": env_name, "total_timesteps": 1, "eval_episodes": 0} | fields
    return msgspec.convert(file, EnvironmentSettings)


Build = Callable[..., tuple[Simulator, Problem]]


@pytest.fixture
def build() -> Iterator[Build]:
    """A simulator, and a problem of the same file."""
    built: list[Any] = []

    def pair(env_name: str, bins: int = 3, **fields: Any) -> tuple[Simulator, Problem]:
        file = settings(env_name, **fields)
        simulator, problem = make_simulator(file, bins=bins), make(file)
        problem.remember()
        built.extend([simulator, problem])
        return simulator, problem

    yield pair
    for one in built:
        one.close()


def exact(observation: Any) -> Any:
    if isinstance(observation, tuple):
        return [exact(part) for part in observation]
    array = np.asarray(observation)
    return array.dtype.str, array.shape, array.tobytes()


@pytest.mark.parametrize("name", FAMILIES)
def test_it_does_what_the_environment_does(name: str, build: Build) -> None:
    """After a reset, a restore, an adoption; whatever the simulator did meanwhile."""
    simulator, problem = build(name, **({"steps_per_episode": 25} | FAMILIES[name]))
    rng = np.random.default_rng(0)
    simulator.reset(5)
    observation, _ = problem.reset(seed=5)
    assert exact(simulator.observation()) == exact(observation)
    start = simulator.save()
    for _ in range(40):
        action = int(rng.integers(len(simulator.actions)))
        outcome = simulator.step(action)
        observation, *step, _ = problem.step(simulator.actions[action])
        assert exact(simulator.observation()) == exact(observation)
        assert tuple(outcome) == tuple(step)
        if not problem.in_episode:
            observation, _ = problem.reset()
            simulator.adopt(problem)
        elif rng.random() < 0.3:
            here = simulator.save()
            simulator.restore(start)  # somewhere else
            simulator.step(action)
            if rng.random() < 0.5:
                simulator.restore(here)
            else:
                adopted = simulator.adopt(problem)
                assert exact(simulator.observation()) == exact(observation)
                simulator.restore(start)
                simulator.restore(pickle.loads(pickle.dumps(adopted)))
        assert exact(simulator.observation()) == exact(observation)
        assert simulator.observation() in simulator.observation_space
