"""Where going back goes wrong: each trap that planners in these simulators fell into."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from simulated import PLANNING, Build, exact, file_of, played

from envs.factory import make
from envs.simulator import Simulator, check_exact, make_simulator
from envs.simulators import base
from envs.state import restore_state, save_state
from envs.wrappers import Problem


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


@pytest.mark.parametrize("atari", [PLANNING, {"repeat_action_probability": 0.25}], ids=str)
def test_the_picture_is_of_the_present_state(atari: dict[str, Any], both: Build) -> None:
    """In colour where the emulator shows it, else the observation's; never that of before."""
    simulator, problem = both("ALE/Breakout-v5", atari=atari)
    problem.reset(seed=0)
    for action in (1, 2, 2, 2):
        problem.step(action)
    here = simulator.adopt(problem)
    last = simulator.observation()[-1]
    simulator.restore(here)
    assert (simulator.picture() == last[..., None]).all()
    simulator.step(3)
    problem.step(3)
    if atari is PLANNING:
        shown: Any = problem.unwrapped
        assert (simulator.picture() == shown.ale.getScreenRGB()).all()
    assert simulator.picture().shape == (210, 160, 3)


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
    adopted = [pong.adopt(problem) for problem in (running, resumed)]
    futures = []
    for snapshot in adopted:
        pong.restore(snapshot)
        for action in (2, 2, 5, 3, 1, 4) * 2:
            pong.step(action)
        futures.append((pong.screen().tobytes(), pong.ram().tobytes(), exact(pong.observation())))
    assert futures[0] == futures[1]
    pong.restore(adopted[0])
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


def test_sticky_actions_draw_the_same_after_a_restore(both: Build) -> None:
    atari = PLANNING | {"repeat_action_probability": 0.5, "frame_skip": 4}
    simulator, _ = both("ALE/Freeway-v5", atari=atari)
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


def test_the_step_counter_is_part_of_a_snapshot(both: Build) -> None:
    simulator, _ = both("CartPole-v1", steps_per_episode=4)
    simulator.reset(0)
    simulator.step(0)
    start = simulator.save()
    for _ in range(3):
        simulator.restore(start)
        assert [simulator.step(action).truncated for action in (1, 0, 1)] == [False, False, True]
        with pytest.raises(gymnasium.error.ResetNeeded):
            simulator.step(0)


@pytest.mark.parametrize("name", ["sweep/MoveToBeacon-v1", "LunarLander-v3"])
def test_an_evaluation_has_limits_and_rewards_of_its_own(name: str) -> None:
    """Of the episode that is adopted, not of the training that the simulator was made for."""
    pay = {"overwrite_rewards": True, "rewards": {"shift": 1, "gamma": 0.5}}
    file = file_of(name, steps_per_episode=3, eval_steps_per_episode=6, **pay)
    simulator, evaluation = make_simulator(file), make(file, evaluation=True)
    evaluation.remember()
    evaluation.reset(seed=0)
    for _ in range(4):
        evaluation.step(0)
    here = pickle.loads(pickle.dumps(simulator.adopt(evaluation)))
    simulator.reset(0)
    assert [simulator.step(0).truncated for _ in range(3)] == [False, False, True]
    simulator.restore(here)
    for _ in range(2):
        assert tuple(simulator.step(0)) == evaluation.step(0)[1:4]
    assert not simulator.in_episode
    evaluation.close()
    simulator.close()


@pytest.mark.parametrize("name", ["Ant-v5", "Humanoid-v5", "Pusher-v5"])
def test_the_first_reward_after_a_restore(name: str, both: Build) -> None:
    """MuJoCo's positions and velocities are not enough for it, though they are all of the state."""
    import mujoco

    simulator, problem = both(name, bins=2) if name == "Ant-v5" else one_action(name, both)
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


def one_action(name: str, both: Build) -> tuple[Simulator, Problem]:
    """A simulator of an environment with too many dimensions for a list of all actions."""
    with pytest.MonkeyPatch.context() as patch:
        space: Any = make(file_of(name)).action_space
        few = [np.full(space.shape, 0.2, np.float32)]
        patch.setattr(base, "finite_actions", lambda *_: (few, ["all"]))
        return both(name)


def test_box2d_is_played_again(both: Build) -> None:
    simulator, problem = both("BipedalWalker-v3", bins=2)
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
    both: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator, _ = both("LunarLander-v3")
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
    name: str, both: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any, memo: Any = None) -> None:
        raise AssertionError("an environment was copied")

    monkeypatch.setattr(gymnasium.Env, "__deepcopy__", refuse, raising=False)
    monkeypatch.setattr(gymnasium.Env, "__copy__", refuse, raising=False)
    simulator, problem = both(name, **({"atari": PLANNING} if "ALE" in name else {}))
    check_exact(simulator, np.random.default_rng(0), steps=4)
    problem.reset(seed=0)
    simulator.restore(simulator.adopt(problem))
