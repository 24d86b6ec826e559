"""Take Cover: what is random in it, and what hits."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from envs.own.take_cover import REACH, STEP
from envs.registration import register

register()
LEFT, STAY, RIGHT = range(3)


def take_cover(**kwargs: Any) -> Any:
    name = "sweep/TakeCover-v1"
    return gymnasium.make(name, disable_env_checker=True, **kwargs).unwrapped


def test_a_stone_falls_straight_down_lands_on_the_eighth_step_and_hits_who_is_near() -> None:
    env, hits = take_cover(chance=1.0), 0
    for seed in range(200):
        env.reset(seed=seed)
        seen = [env.step(STAY) for _ in range(8)]
        np.testing.assert_array_equal([each[0][2] for each in seen], np.arange(7, -1, -1) / 8)
        offsets = [float(each[0][1]) for each in seen]
        assert offsets == [offsets[0]] * 8
        assert [each[2] for each in seen] == [False] * 7 + [abs(offsets[0]) < REACH]
        assert [each[1] for each in seen] == [1.0] * 8
        hits += seen[-1][2]
    assert hits == pytest.approx(200 * 2 * REACH, abs=20)


def test_three_steps_aside_are_enough() -> None:
    env = take_cover(chance=1.0)
    for seed in range(100):
        env.reset(seed=seed)
        away = LEFT if env.step(STAY)[0][1] > 0 else RIGHT
        assert not any(env.step(away)[2] for _ in range(7))


def test_throwing_has_its_chance_and_depends_on_no_place() -> None:
    env, places, thrown = take_cover(throwers=4), [], []
    for seed in range(1000):
        env.reset(seed=seed)
        seen = env.step(STAY)[0]
        places += [seen[0] + seen[1::2]]
        thrown += [seen[2::2] < 1]
    where, whether = np.ravel(places), np.ravel(thrown)
    assert whether.mean() == pytest.approx(0.2, abs=0.025)
    assert np.histogram(where, 4, (0, 1))[0] == pytest.approx(1000, abs=110)
    assert abs(np.corrcoef(where, whether)[0, 1]) < 0.05


def test_walls_keep_the_player_from_places_that_would_be_safer() -> None:
    env = take_cover()
    start, _ = env.reset(seed=0)
    assert env.step(RIGHT)[0][0] == pytest.approx(start[0] + STEP)
    for action, end in ((RIGHT, 1 - REACH), (LEFT, REACH)):
        assert [env.step(action)[0][0] for _ in range(30)][-1] == pytest.approx(end)


@pytest.mark.parametrize("kwargs", [{"throwers": 0}, {"chance": 0.0}, {"chance": 1.5}])
def test_it_refuses_a_game_without_danger(kwargs: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        take_cover(**kwargs)
