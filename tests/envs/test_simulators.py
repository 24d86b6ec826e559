"""Simulators: what a planner sees is what would happen, to the bit, however often it goes back."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import PLANNING, Build, exact, file_of, played

from envs.errors import EnvironmentRefused
from envs.factory import make
from envs.registration import OWN_ENVIRONMENTS
from envs.simulator import NotExact, Simulator, check_exact, make_simulator
from envs.simulators import own
from envs.wrappers import Problem

FAMILIES: dict[str, dict[str, Any]] = {
    **{name: {} for name in OWN_ENVIRONMENTS},
    "CartPole-v1": {"start_state": [0.0, 0.1, 0.0, -0.1]},
    "Acrobot-v1": {"observation_ranges": [None, None, None, None, [-9.0, 9.0], None]},
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


@pytest.mark.parametrize("name", FAMILIES)
def test_it_does_what_the_environment_does(name: str, both: Build) -> None:
    """After a reset, a restore, an adoption; whatever the simulator did meanwhile."""
    simulator, problem = both(name, **({"steps_per_episode": 25} | FAMILIES[name]))
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


# -- laws

CHEAP: dict[str, dict[str, Any]] = {
    "sweep/KeyDoorMaze3-v1": {"steps_per_episode": 12},
    "sweep/MoveToBeacon-v1": {"kwargs": {"observation": "basic"}},
    "sweep/PuddleWorld-v1": {"steps_per_episode": 9},  # its steps draw random numbers
    "sweep/PendulumContinuous-v1": {"overwrite_rewards": True, "rewards": {"shift": 1, "gamma": 1}},
    "CartPole-v1": {"overwrite_rewards": True, "rewards": {"timestep": -1, "goal": 0}},
    "FrozenLake-v1": {},  # so do its
    "MinAtar/Asterix-v1": {"kwargs": {"sticky_action_prob": 0.5}},
}
PAIRS: dict[str, tuple[Simulator, Problem]] = {}
OPERATIONS = ["step", "step", "step", "save", "restore", "adopt"]


@pytest.mark.parametrize("name", CHEAP)
@settings(max_examples=30, deadline=None)
@given(operations=st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 99)), max_size=40))
def test_a_state_is_what_led_to_it(name: str, operations: list[tuple[str, int]]) -> None:
    """Whatever is saved, restored and tried in between: after each operation the simulator shows
    what an environment shows that took the same steps since its reset, and nothing else."""
    if name not in PAIRS:
        file = file_of(name, **CHEAP[name])
        PAIRS[name] = make_simulator(file), make(file)
    simulator, problem = PAIRS[name]
    simulator.reset(7)
    way: list[Any] = []
    saved = [(simulator.save(), way)]
    for kind, number in operations:
        outcome = None
        match kind:
            case "step" if simulator.in_episode:
                action = number % len(simulator.actions)
                outcome, way = simulator.step(action), [*way, simulator.actions[action]]
            case "save":
                saved.append((simulator.save(), way))
            case "restore":
                snapshot, way = saved[number % len(saved)]
                simulator.restore(snapshot)
            case "adopt":
                _, way = saved[number % len(saved)]
                played(problem, way)
                simulator.adopt(problem)
        observation, step = played(problem, way)
        assert exact(simulator.observation()) == observation
        assert simulator.in_episode == problem.in_episode
        if outcome is not None:
            assert tuple(outcome) == step


# -- refusals


class InPlace(gymnasium.Env[Any, Any]):
    """Writes into the observation that it returned before, a part of which is an array."""

    action_space = gymnasium.spaces.Discrete(2)
    observation_space = gymnasium.spaces.Dict(
        {"at": gymnasium.spaces.Box(-99, 99, (2,)), "number": gymnasium.spaces.Discrete(2)}
    )

    def __init__(self) -> None:
        self.at = np.zeros(2, np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.at[:] = self.np_random.integers(9, size=2)
        return {"at": self.at, "number": 0}, {}

    def step(self, action: Any) -> Any:
        self.at[action] += 1
        return {"at": self.at, "number": 1}, float(self.at[0]), False, False, {}


def test_an_observation_that_is_written_over_is_kept_as_it_was() -> None:
    gymnasium.register("InPlace-v0", lambda **_: InPlace(), max_episode_steps=30)
    simulator = make_simulator(file_of("InPlace-v0"))
    check_exact(simulator, np.random.default_rng(0))
    simulator.reset(0)
    start, at = simulator.save(), simulator.observation()["at"].tolist()
    simulator.step(0)
    assert simulator.observation()["at"].tolist() == [at[0] + 1, at[1]]
    simulator.restore(start)
    assert simulator.observation()["at"].tolist() == at
    del gymnasium.registry["InPlace-v0"]


class Forgetful(gymnasium.Env[Any, Any]):
    """Its reward depends on how many steps were ever taken: no snapshot can know that."""

    observation_space = gymnasium.spaces.Discrete(2)
    action_space: gymnasium.Space[Any] = gymnasium.spaces.Discrete(2)
    ever = 0

    def reset(self, **_: Any) -> Any:
        super().reset(seed=_.get("seed"))
        return 0, {}

    def step(self, action: Any) -> Any:
        self.ever += 1
        return 0, float(self.ever), False, False, {}


@pytest.fixture
def forgetful() -> Iterator[str]:
    gymnasium.register("Forgetful-v0", lambda **_: Forgetful())
    yield "Forgetful-v0"
    del gymnasium.registry["Forgetful-v0"]


def test_what_does_not_come_back_is_refused(forgetful: str, both: Build) -> None:
    simulator, _ = both(forgetful)
    with pytest.raises(NotExact, match="differs in the reward and end of step 1 of 20"):
        check_exact(simulator, np.random.default_rng(0))


@pytest.mark.parametrize("name", FAMILIES)
def test_all_others_are_found_exact(name: str, both: Build) -> None:
    simulator, _ = both(name, **({"steps_per_episode": 15} | FAMILIES[name]))
    check_exact(simulator, np.random.default_rng(0), steps=10)


@pytest.mark.parametrize(
    ("space", "bins", "problem"),
    [
        (gymnasium.spaces.MultiBinary(3), 3, "needs a finite list of actions"),
        (gymnasium.spaces.Box(-np.inf, np.inf, (1,)), 3, "needs bounded actions"),
        (gymnasium.spaces.Box(-1, 1, (17,)), 3, "make 129140163 actions"),
        (gymnasium.spaces.Box(-1, 1, (2,)), 1, "from 2 values"),
    ],
    ids=str,
)
def test_actions_that_cannot_be_listed_are_refused(
    space: Any, bins: int, problem: str, forgetful: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Forgetful, "action_space", space)
    with pytest.raises(EnvironmentRefused, match=problem):
        make_simulator(file_of(forgetful), bins=bins)


def test_continuous_actions_are_a_grid(both: Build) -> None:
    simulator, problem = both("Reacher-v5", bins=3)
    assert simulator.action_names[:4] == ["-1 -1", "-1 0", "-1 1", "0 -1"]
    assert len(simulator.actions) == 9
    assert all(action in problem.action_space for action in simulator.actions)


# -- looking


@pytest.mark.parametrize(
    "name", ["sweep/KeyDoorMaze0-v1", "sweep/PuddleWorld-v1", "CartPole-v1", "ALE/Pong-v5"]
)
def test_a_state_can_be_drawn_also_after_a_restore(name: str, both: Build) -> None:
    simulator, _ = both(name, **({"atari": PLANNING} if "ALE" in name else {}))
    simulator.reset(0)
    start = simulator.save()
    simulator.step(1)
    moved = simulator.picture()
    assert moved.dtype == np.uint8
    assert moved.ndim == 3
    assert moved.shape[2] == 3
    simulator.restore(start)
    assert simulator.picture().any()


def test_atoms_of_a_grid_are_those_of_its_state(both: Build) -> None:
    simulator: Any = both("sweep/KeyDoorCorridor-v1")[0]
    simulator.reset(0)
    start, atoms = simulator.save(), simulator.basic_atoms()
    simulator.step(1)
    moved = simulator.basic_atoms()
    assert len(moved) == 100
    assert (moved != atoms).sum() == 2  # where the hero was, and is
    simulator.restore(start)
    assert (simulator.basic_atoms() == atoms).all()
    assert simulator.atom_count == 500


def test_what_was_seen_is_forgotten_when_it_is_too_much(
    both: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "MOST_REMEMBERED", 5)
    simulator: Any = both("sweep/KeyDoorMaze0-v1")[0]
    check_exact(simulator, np.random.default_rng(0))
    simulator.reset(0)
    for action in (1, 2, 3, 4) * 5:
        simulator.step(action)
        simulator.basic_atoms()
    assert len(simulator.problem.env._observations) <= 5
    assert len(simulator._atoms) <= 5
