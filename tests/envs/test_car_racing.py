"""The faster CarRacing shows and pays what Gymnasium's does, to the bit."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import envs
from envs.arguments import creator
from envs.errors import EnvironmentRefused
from envs.lookup import find_spec
from envs.settings import EnvironmentSettings
from experiment.files import read_json_object

# as the factory imports them: warnings of Box2D's bindings are not errors there
Stock, CarRacing = creator(find_spec("CarRacing-v3")), creator(find_spec("sweep/CarRacing-v3"))
FOLDER = Path(__file__).parents[2] / "config" / "environment"


def actions(seed: int, count: int) -> list[Any]:
    """Held for ten frames each, mostly forwards."""
    rng = np.random.default_rng(seed)
    held = rng.uniform((-1, 0.3, 0), (1, 1, 0.2), size=(count // 10 + 1, 3)).astype(np.float32)
    return [*held.repeat(10, axis=0)[:count]]


def differences(stock: Any, fast: Any, seed: int, taken: list[Any]) -> int:
    """Steps, the reset among them, in which the two are not the same."""
    different = int(not np.array_equal(stock.reset(seed=seed)[0], fast.reset(seed=seed)[0]))
    for action in taken:
        (one, *rest), (other, *its) = stock.step(action), fast.step(action)
        different += not (np.array_equal(one, other) and rest == its)
        if rest[1]:
            break
    return different


@pytest.mark.parametrize(
    "arguments",
    [{}, {"domain_randomize": True}, {"lap_complete_percent": 0.03}],
    ids=["as it is", "colours at random", "short laps"],
)
def test_every_picture_and_reward_is_gymnasiums(arguments: dict[str, Any]) -> None:
    stock, fast = Stock(**arguments), CarRacing(**arguments)
    assert differences(stock, fast, 3, actions(3, 60)) == 0
    assert differences(stock, fast, 4, actions(4, 10)) == 0  # in the world of the first episode


def test_so_are_those_of_discrete_actions() -> None:
    stock, fast = Stock(continuous=False), CarRacing(continuous=False)
    rng = np.random.default_rng(0)
    assert differences(stock, fast, 1, [*rng.integers(5, size=25)]) == 0


def test_and_those_at_the_edge_of_the_world() -> None:
    pair = Stock(), CarRacing()
    for env in pair:
        env.reset(seed=2)
        env.t = 3.0  # past the zoom of the first second
    for x, y, angle in [(330, 0, 0.0), (325, 328, 2.0), (-331, -100, np.pi / 2), (0, 332, 4.5)]:
        seen = []
        for env in pair:
            env.car.hull.position, env.car.hull.angle = (x, y), angle
            seen.append(env._render("state_pixels"))
        assert np.array_equal(*seen)


def test_a_repeated_action_is_as_many_steps_of_which_the_last_is_seen() -> None:
    stock, fast = (
        Stock(lap_complete_percent=0.004),
        CarRacing(lap_complete_percent=0.004, action_repeat=3),
    )
    assert np.array_equal(stock.reset(seed=5)[0], fast.reset(seed=5)[0])
    for action in actions(5, 25):
        total = 0.0
        for _ in range(3):
            observation, reward, over, _, _ = stock.step(action)
            total += float(reward)
            if over:
                break
        seen, paid, ended, _, _ = fast.step(action)
        assert np.array_equal(observation, seen)
        assert (paid, ended) == (total, over)
        if over:
            break


def test_the_file_of_400_frames_has_episodes_of_200_steps() -> None:
    content = read_json_object(FOLDER / "CarRacing-v3-400.json")
    settings = msgspec.convert(content, EnvironmentSettings)
    env = envs.make(settings)
    simulator: Any = env.unwrapped
    env.reset(seed=0)
    steps, over = 0, False
    while not over:
        *_, over, cut, _ = env.step(np.array([0, 0, 0], np.float32))
        over, steps = over or cut, steps + 1
    assert steps == 200
    assert simulator.t == pytest.approx(401 / 50)  # a frame belongs to the reset


def test_an_episode_does_not_depend_on_those_before_it() -> None:
    content = {"env_name": "sweep/CarRacing-v3", "total_timesteps": 10}
    used, new = (envs.make(msgspec.convert(content, EnvironmentSettings)) for _ in range(2))
    used.reset(seed=1)
    for action in actions(1, 15):
        used.step(action)
    assert differences(used, new, 7, actions(7, 15)) == 0


def test_no_frames_are_refused() -> None:
    content = {
        "env_name": "sweep/CarRacing-v3",
        "total_timesteps": 10,
        "kwargs": {"action_repeat": 0},
    }
    with pytest.raises(EnvironmentRefused, match="not a number of frames"):
        envs.make(msgspec.convert(content, EnvironmentSettings))


def test_it_takes_well_under_the_time() -> None:
    """About 0.45 of it; a loaded machine blurs that."""
    spent = []
    for env in (Stock(), CarRacing()):
        env.reset(seed=0)
        taken = actions(0, 80)
        for action in taken[:60]:  # past the zoom of the first second
            env.step(action)
        began = time.process_time()
        for action in taken[60:]:
            env.step(action)
        spent.append(time.process_time() - began)
    assert spent[1] < 0.75 * spent[0]
