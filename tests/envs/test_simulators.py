"""Simulators: what a planner sees is what would happen, to the bit, however often it goes back."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.errors import EnvironmentRefused
from envs.factory import make
from envs.registration import OWN_ENVIRONMENTS
from envs.settings import EnvironmentSettings
from envs.simulator import NotExact, Simulator, check_exact, make_simulator
from envs.simulators import base, own
from envs.state import restore_state, save_state
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


def file_of(env_name: str, **fields: Any) -> EnvironmentSettings:
    file = {"env_name": env_name, "total_timesteps": 1, "eval_episodes": 0} | fields
    return msgspec.convert(file, EnvironmentSettings)


Build = Callable[..., tuple[Simulator, Problem]]


@pytest.fixture
def build() -> Iterator[Build]:
    """A simulator, and a problem of the same file."""
    built: list[Any] = []

    def pair(env_name: str, bins: int = 3, **fields: Any) -> tuple[Simulator, Problem]:
        file = file_of(env_name, **fields)
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


def played(problem: Problem, actions: list[Any]) -> tuple[Any, Any]:
    """What the environment shows, and gave last, after an episode's first actions."""
    observation, step = problem.reset(seed=7)[0], None
    for action in actions:
        observation, *step, _ = problem.step(action)
    return exact(observation), step and tuple(step)


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


# -- traps


@pytest.fixture(scope="module")
def pong() -> Iterator[Any]:
    simulator = make_simulator(file_of("ALE/Pong-v5", atari=PLANNING, steps_per_episode=1200))
    yield simulator
    simulator.close()


def test_a_step_of_a_game_is_all_its_frames(pong: Any) -> None:
    """The emulator must hear of the frame skip before it loads the game."""
    pong.reset(0)
    before = pong.ale.getFrameNumber()
    pong.step(0)
    assert pong.ale.getFrameNumber() - before == pong.frames_per_step == 15


def test_the_screen_after_a_restore_is_not_shown(pong: Any) -> None:
    pong.reset(0)
    start, observation = pong.save(), pong.observation()
    pong.step(2)
    other = pong.screen().copy()
    pong.restore(start)
    assert (pong.ale.getScreen() == other).all()  # what the emulator would say
    with pytest.raises(RuntimeError, match="before the restore"):
        pong.screen()
    assert pong.observation() is not observation
    assert (pong.observation() == observation).all()
    pong.step(2)
    assert (pong.screen() == other).all()


def test_a_games_screen_is_that_of_the_running_one_also_when_it_was_resumed(pong: Any) -> None:
    running, resumed = (make(file_of("ALE/Pong-v5", atari=PLANNING)) for _ in range(2))
    running.reset(seed=0)
    for action in (2, 3, 2):
        running.step(action)
    restore_state(resumed, pickle.loads(pickle.dumps(save_state(running))))
    screens = []
    for problem in (running, resumed):
        pong.adopt(problem)
        screens.append((pong.screen().tobytes(), pong.ram().tobytes(), exact(pong.observation())))
    restore_state(resumed, save_state(resumed))
    pong.adopt(resumed)
    screens.append((pong.screen().tobytes(), pong.ram().tobytes(), exact(pong.observation())))
    assert screens[0] == screens[1] == screens[2]
    resumed.step(2)
    pong.step(2)
    assert (pong.screen() == resumed.unwrapped.ale.getScreen()).all()  # type: ignore[attr-defined]
    running.close()
    resumed.close()


def test_the_pictures_of_a_restored_game_are_those_of_a_replay(pong: Any) -> None:
    """In a tree grown anywhere, the stack of each node has the frames of its own way alone."""
    problem = make(file_of("ALE/Pong-v5", atari=PLANNING))
    rng = np.random.default_rng(1)
    pong.reset(7)
    tree: list[tuple[Any, list[Any]]] = [(pong.save(), [])]
    for _ in range(30):
        snapshot, way = tree[rng.integers(len(tree))]
        pong.restore(snapshot)
        action = int(rng.integers(6))
        pong.step(action)
        tree.append((pong.save(), [*way, action]))
    for snapshot, way in tree[::5]:
        pong.restore(pickle.loads(pickle.dumps(snapshot)))
        assert exact(pong.observation()) == played(problem, way)[0]
    shared = [snapshot.observation for snapshot, _ in tree]
    assert len({id(frame) for frames in shared for frame in frames}) <= len(tree)
    problem.close()


def test_sticky_actions_draw_the_same_after_a_restore(build: Build) -> None:
    atari = PLANNING | {"repeat_action_probability": 0.5, "frame_skip": 4}
    simulator, _ = build("ALE/Freeway-v5", atari=atari)
    simulator.reset(0)
    rng = np.random.default_rng(0)
    for _ in range(5):
        start, seen = simulator.save(), []
        actions = rng.integers(3, size=8).tolist()
        for _ in range(3):
            simulator.restore(start)
            for action in actions:
                simulator.step(action)
            seen.append(simulator.ram().tobytes())
        assert len(set(seen)) == 1


def test_the_step_counter_is_part_of_a_snapshot(build: Build) -> None:
    simulator, _ = build("CartPole-v1", steps_per_episode=4)
    simulator.reset(0)
    simulator.step(0)
    start = simulator.save()
    for _ in range(3):
        simulator.restore(start)
        assert [simulator.step(action).truncated for action in (1, 0, 1)] == [False, False, True]
        with pytest.raises(gymnasium.error.ResetNeeded):
            simulator.step(0)


@pytest.mark.parametrize("name", ["Ant-v5", "Humanoid-v5", "Pusher-v5"])
def test_the_first_reward_after_a_restore(name: str, build: Build) -> None:
    """MuJoCo's positions and velocities are not enough for it, though they are all of the state."""
    import mujoco

    simulator, problem = build(name, bins=2) if name == "Ant-v5" else one_action(name, build)
    problem.reset(seed=0)
    action = simulator.actions[-1]
    for _ in range(10):
        problem.step(action)
    adopted = simulator.adopt(problem)
    expected = problem.step(action)[1]
    simulator.step(0)
    simulator.restore(adopted)
    assert simulator.step(len(simulator.actions) - 1).reward == expected
    if name == "Pusher-v5":  # whose reward is about the present positions
        return
    inner: Any = problem.unwrapped
    kind = mujoco.mjtState.mjSTATE_INTEGRATION
    state = np.empty(mujoco.mj_stateSize(inner.model, kind))
    mujoco.mj_getState(inner.model, inner.data, state, kind)
    expected = problem.step(action)[1]
    for _ in range(5):
        problem.step(-action)
    mujoco.mj_setState(inner.model, inner.data, state, kind)
    assert problem.step(action)[1] != expected


def one_action(name: str, build: Build) -> tuple[Simulator, Problem]:
    """A simulator of an environment with too many dimensions for a list of all actions."""
    with pytest.MonkeyPatch.context() as patch:
        space: Any = make(file_of(name)).action_space
        few = [np.full(space.shape, 0.2, np.float32)]
        patch.setattr(base, "finite_actions", lambda *_: (few, ["all"]))
        return build(name)


def test_box2d_is_played_again(build: Build) -> None:
    simulator, problem = build("BipedalWalker-v3", bins=2)
    rng = np.random.default_rng(0)
    problem.reset(seed=3)
    for _ in range(2):  # the second episode begins from wherever the generator is
        for _ in range(20):
            problem.step(simulator.actions[int(rng.integers(16))])
        here = simulator.adopt(problem)
        ways = rng.integers(16, size=(3, 6)).tolist()
        for way in [*ways, *ways]:
            simulator.restore(here)
            for action in way:
                simulator.step(action)
        simulator.restore(pickle.loads(pickle.dumps(here)))
        for action in ways[0]:
            expected = problem.step(simulator.actions[action])
            outcome = simulator.step(action)
            assert tuple(outcome) == expected[1:4]
            assert exact(simulator.observation()) == exact(expected[0])
        problem.reset()


def test_going_on_from_where_it_is_replays_nothing(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator, _ = build("LunarLander-v3")
    simulator.reset(0)
    simulator.step(1)
    here = simulator.save()
    monkeypatch.setattr(Problem, "reset", None)
    simulator.restore(here)
    simulator.step(2)


def test_an_episode_that_was_not_remembered_cannot_be_adopted() -> None:
    file = file_of("LunarLander-v3")
    problem = make(file)
    problem.reset(seed=0)
    with pytest.raises(RuntimeError, match="after remember"):
        make_simulator(file).adopt(problem)


@pytest.mark.parametrize("name", ["ALE/Pong-v5", "Hopper-v5", "CartPole-v1", "LunarLander-v3"])
def test_no_environment_is_ever_copied(
    name: str, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any, memo: Any = None) -> None:
        raise AssertionError("an environment was copied")

    monkeypatch.setattr(gymnasium.Env, "__deepcopy__", refuse, raising=False)
    monkeypatch.setattr(gymnasium.Env, "__copy__", refuse, raising=False)
    simulator, problem = build(name, **({"atari": PLANNING} if "ALE" in name else {}))
    check_exact(simulator, np.random.default_rng(0), steps=4)
    problem.reset(seed=0)
    simulator.restore(simulator.adopt(problem))


# -- refusals


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


def test_what_does_not_come_back_is_refused(forgetful: str, build: Build) -> None:
    simulator, _ = build(forgetful)
    with pytest.raises(NotExact, match="differs in the reward and end of step 1 of 20"):
        check_exact(simulator, np.random.default_rng(0))


@pytest.mark.parametrize("name", FAMILIES)
def test_all_others_are_found_exact(name: str, build: Build) -> None:
    simulator, _ = build(name, **({"steps_per_episode": 15} | FAMILIES[name]))
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


def test_continuous_actions_are_a_grid(build: Build) -> None:
    simulator, problem = build("Reacher-v5", bins=3)
    assert simulator.action_names[:4] == ["-1 -1", "-1 0", "-1 1", "0 -1"]
    assert len(simulator.actions) == 9
    assert all(action in problem.action_space for action in simulator.actions)


# -- looking


@pytest.mark.parametrize(
    "name", ["sweep/KeyDoorMaze0-v1", "sweep/PuddleWorld-v1", "CartPole-v1", "ALE/Pong-v5"]
)
def test_a_state_can_be_drawn_also_after_a_restore(name: str, build: Build) -> None:
    simulator, _ = build(name, **({"atari": PLANNING} if "ALE" in name else {}))
    simulator.reset(0)
    start = simulator.save()
    simulator.step(1)
    moved = simulator.picture()
    assert moved.dtype == np.uint8
    assert moved.ndim == 3
    assert moved.shape[2] == 3
    simulator.restore(start)
    assert simulator.picture().any()


def test_atoms_of_a_grid_are_those_of_its_state(build: Build) -> None:
    simulator: Any = build("sweep/KeyDoorCorridor-v1")[0]
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
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "MOST_REMEMBERED", 5)
    simulator: Any = build("sweep/KeyDoorMaze0-v1")[0]
    check_exact(simulator, np.random.default_rng(0))
    simulator.reset(0)
    for action in (1, 2, 3, 4) * 5:
        simulator.step(action)
        simulator.basic_atoms()
    assert len(simulator.problem.env._observations) <= 5
    assert len(simulator._atoms) <= 5
