"""Snapshots: a restored environment goes on as the saved one does, to the last bit."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import msgspec
import numpy as np
import pytest

from envs.factory import make
from envs.registration import OWN_ENVIRONMENTS
from envs.settings import EnvironmentSettings
from envs.state import restore_state, resumes_mid_episode, save_state
from envs.wrappers import Problem

STEPS = 300

# environment -> steps per episode; short enough that episodes end within the steps compared
MID_EPISODE: dict[str, int] = {
    **{name: 1 if "Bimodal" in name else 130 for name in OWN_ENVIRONMENTS},
    "Pendulum-v1": 130,
    "CartPole-v1": 130,
    "Acrobot-v1": 130,
    "MountainCar-v0": 130,
    "MountainCarContinuous-v0": 130,
    "FrozenLake-v1": 130,
    "CliffWalking-v1": 130,
    "Taxi-v4": 130,
    "Blackjack-v1": 130,
    "HalfCheetah-v5": 130,
    "Hopper-v5": 130,
    "Walker2d-v5": 130,
    "Ant-v5": 130,
    "Humanoid-v5": 130,
    "Swimmer-v5": 130,
    "Reacher-v5": 50,
    "Pusher-v5": 100,
    "InvertedDoublePendulum-v5": 130,
    "ALE/Pong-v5": 200,
    "ALE/Breakout-v5": 1000,
    **{
        f"MinAtar/{game}-v1": 130
        for game in ("Asterix", "Breakout", "Freeway", "Seaquest", "SpaceInvaders")
    },
}
BETWEEN_EPISODES = [
    ("LunarLander-v3", {"continuous": False}),
    ("LunarLanderContinuous-v3", {"kwargs": {"enable_wind": True}}),
    ("BipedalWalker-v3", {}),
    ("BipedalWalkerHardcore-v3", {}),
    ("CarRacing-v3", {"steps_per_episode": 60}),
]
Moment = tuple[bytes, float, bool, bool]


def file(env_name: str, **fields: Any) -> dict[str, Any]:
    return {"env_name": env_name, "total_timesteps": 1, "eval_episodes": 0} | fields


def build(content: dict[str, Any]) -> Problem:
    return make(msgspec.convert(content, EnvironmentSettings))


def exact(observation: Any) -> bytes:
    return pickle.dumps([np.asarray(part).tobytes() for part in np.atleast_1d(observation)])


def run(env: Problem, steps: int, rng: np.random.Generator) -> list[Moment]:
    """Steps with actions from ``rng``, through as many episodes as that takes."""
    moments: list[Moment] = []
    for _ in range(steps):
        if not env.in_episode:
            moments.append((exact(env.reset()[0]), 0.0, False, False))
        observation, reward, terminated, truncated, _ = env.step(action(env.action_space, rng))
        moments.append((exact(observation), float(reward), terminated, truncated))
    return moments


def action(space: Any, rng: np.random.Generator) -> Any:
    if isinstance(space, gymnasium.spaces.Discrete):
        return int(rng.integers(space.n))
    return rng.uniform(space.low, space.high).astype(space.dtype)


def finish_episode(env: Problem, rng: np.random.Generator) -> None:
    while env.in_episode:
        env.step(action(env.action_space, rng))


def continued(content: dict[str, Any], blob: bytes, steps: int = STEPS) -> list[Moment]:
    """What a new environment does from a snapshot; also run in another process, below."""
    env = build(content)
    restore_state(env, pickle.loads(blob))
    moments = run(env, steps, np.random.default_rng(9))
    env.close()
    return moments


@pytest.mark.parametrize("name", MID_EPISODE)
def test_the_middle_of_an_episode_can_be_saved(name: str) -> None:
    content = file(name, steps_per_episode=MID_EPISODE[name])
    env = build(content)
    assert resumes_mid_episode(env)
    env.reset(seed=4)
    run(env, 40, np.random.default_rng(8))
    blob = pickle.dumps(save_state(env))
    undisturbed = run(env, STEPS, np.random.default_rng(9))
    assert continued(content, blob) == undisturbed
    assert any(terminated or truncated for *_, terminated, truncated in undisturbed)
    env.close()


@pytest.mark.parametrize(("name", "fields"), BETWEEN_EPISODES, ids=lambda case: str(case))
def test_box2d_can_be_saved_between_episodes(name: str, fields: dict[str, Any]) -> None:
    content = file(name, **({"steps_per_episode": 130} | fields))
    env = build(content)
    assert not resumes_mid_episode(env)
    rng = np.random.default_rng(8)
    env.reset(seed=4)
    for _ in range(2):  # a world with a past, which the restored one lacks
        run(env, 70, rng)
        finish_episode(env, rng)
    blob = pickle.dumps(save_state(env))
    undisturbed = run(env, STEPS, np.random.default_rng(9))
    assert continued(content, blob) == undisturbed
    env.close()


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("BipedalWalker-v3", {}),
        ("CarRacing-v3", {}),
        # its first action is likely a repeated one: not that of the episode before
        ("MinAtar/Asterix-v1", {"kwargs": {"sticky_action_prob": 0.9}}),
        ("MinAtar/Seaquest-v1", {}),
    ],
)
def test_an_episode_does_not_depend_on_those_before_it(name: str, fields: dict[str, Any]) -> None:
    content = file(name, steps_per_episode=60, **fields)
    used, new = build(content), build(content)
    used.reset(seed=1)
    run(used, 200, np.random.default_rng(0))
    seen = [exact(env.reset(seed=5)[0]) for env in (used, new)]
    assert seen[0] == seen[1]
    runs = [run(env, 60, np.random.default_rng(2)) for env in (used, new)]
    assert runs[0] == runs[1]
    used.close()
    new.close()


@pytest.mark.parametrize(
    "name",
    ["sweep/PuddleWorld-v1", "Pendulum-v1", "Hopper-v5", "ALE/Breakout-v5", "MinAtar/Breakout-v1"],
)
def test_a_snapshot_is_read_by_another_process(name: str, tmp_path: Path) -> None:
    content = file(name, steps_per_episode=100)
    env = build(content)
    env.reset(seed=4)
    run(env, 30, np.random.default_rng(8))
    saved, seen = tmp_path / "state", tmp_path / "seen"
    saved.write_bytes(pickle.dumps((content, pickle.dumps(save_state(env)))))
    code = (
        "import pickle, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from test_environment_state import continued\n"
        "saved, seen = map(Path, sys.argv[2:])\n"
        "seen.write_bytes(pickle.dumps(continued(*pickle.loads(saved.read_bytes()), steps=150)))"
    )
    here = Path(__file__).parent
    command = [sys.executable, "-c", code, str(here), str(saved), str(seen)]
    subprocess.run(command, check=True, cwd=here.parents[1])
    assert pickle.loads(seen.read_bytes()) == run(env, 150, np.random.default_rng(9))
    env.close()


def test_sticky_actions_are_part_of_the_state() -> None:
    """With near-certain repetition the last action decides the next frames."""
    content = file("ALE/Pong-v5", atari={"repeat_action_probability": 0.9, "frame_skip": 2})
    env, other = build(content), build(content)
    env.reset(seed=1)
    other.reset(seed=2)
    rng = np.random.default_rng(3)
    for _ in range(40):
        run(env, 15, rng)
        run(other, 1, rng)
        restore_state(other, save_state(env))
        seed = int(rng.integers(1000))
        ahead = [run(e, 8, np.random.default_rng(seed)) for e in (env, other)]
        assert ahead[0] == ahead[1]
    env.close()
    other.close()


@pytest.mark.parametrize("name", ["sweep/PendulumContinuous-v1", "CartPole-v1", "Hopper-v5"])
def test_a_snapshot_can_be_restored_again_and_again(name: str) -> None:
    """As a planner does, in the environment it was taken from."""
    env = build(file(name, steps_per_episode=None))
    env.reset(seed=1)
    state = save_state(env)
    futures = []
    for _ in range(3):
        restore_state(env, state)
        futures.append(run(env, 40, np.random.default_rng(2)))
    assert futures[0] == futures[1] == futures[2]
    env.close()


@pytest.mark.parametrize("name", ["Pendulum-v1", "LunarLander-v3"])
def test_an_environment_that_was_never_reset_can_be_saved(name: str) -> None:
    content = file(name)
    env, other = build(content), build(content)
    restore_state(other, pickle.loads(pickle.dumps(save_state(env))))
    assert not other.in_episode
    assert exact(env.reset(seed=3)[0]) == exact(other.reset(seed=3)[0])
    env.close()
    other.close()


def test_the_action_spaces_generator_is_part_of_the_state() -> None:
    env, other = build(file("Pendulum-v1")), build(file("Pendulum-v1"))
    env.action_space.seed(5)
    env.action_space.sample()
    restore_state(other, save_state(env))
    assert env.action_space.sample() == other.action_space.sample()


def test_saving_box2d_within_an_episode_is_an_error() -> None:
    env = build(file("LunarLander-v3"))
    env.reset(seed=0)
    with pytest.raises(RuntimeError, match="between two episodes only"):
        save_state(env)
    env.close()


def test_a_snapshot_of_another_environment_is_an_error() -> None:
    state = save_state(build(file("Pendulum-v1")))
    with pytest.raises(ValueError, match="snapshot of Pendulum-v1 cannot be restored into Cart"):
        restore_state(build(file("CartPole-v1")), state)
