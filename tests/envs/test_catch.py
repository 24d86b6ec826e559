"""Catch: its rules, and what it shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.own.catch import BALL_COLOUR, PADDLE_COLOUR, Catch

LEFT, STAY, RIGHT = range(3)


def started(row: int, column: int, paddle: int, balls: int, **kwargs: Any) -> Catch:
    env = Catch(**kwargs)
    env.reset(seed=0)
    env.start_at([row, column, paddle, balls])
    return env


def test_a_ball_falls_a_row_a_step_and_the_paddle_moves_a_column() -> None:
    env = started(2, 5, 3, 3)
    for action, paddle in ((RIGHT, 4), (STAY, 4), (LEFT, 3)):
        _, reward, terminated, truncated, _ = env.step(action)
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert env._state[1:3] == (5, paddle)
    assert env._state[0] == 5


def test_edges_stop_the_paddle() -> None:
    left, right = started(0, 0, 0, 1), started(0, 0, 7, 1)
    left.step(LEFT)
    right.step(RIGHT)
    assert (left._state[2], right._state[2]) == (0, 7)


@pytest.mark.parametrize(("action", "reward"), [(LEFT, -1.0), (STAY, -1.0), (RIGHT, 1.0)])
def test_a_ball_pays_when_it_lands_and_the_next_one_is_at_the_top(
    action: int, reward: float
) -> None:
    env = started(6, 4, 3, 2)
    _, earned, terminated, _, _ = env.step(action)
    assert (earned, terminated) == (reward, False)
    assert env._state[0] == 0 and env._state[3] == 1


def test_the_last_ball_ends_the_episode_after_seven_steps_a_ball() -> None:
    env = Catch()
    env.reset(seed=1)
    ends = [env.step(STAY)[2] for _ in range(21)]
    assert ends == [False] * 20 + [True]


def test_a_cell_is_two_by_two_pixels() -> None:
    env = started(1, 2, 6, 3)
    observation = env._observation()
    expected = np.zeros((16, 16, 3), np.uint8)
    expected[2:4, 4:6] = BALL_COLOUR
    expected[14:16, 12:14] = PADDLE_COLOUR
    np.testing.assert_array_equal(observation, expected)


def test_balls_appear_in_every_column_and_by_seed_alone() -> None:
    env = Catch()
    starts = []
    for seed in range(100):
        env.reset(seed=seed)
        starts.append(env._state)
    assert {state[1] for state in starts} == set(range(8)) == {state[2] for state in starts}
    env.reset(seed=7)
    assert env._state == starts[7]


def test_random_actions_miss_most_balls() -> None:
    env, rng = Catch(), np.random.default_rng(0)
    rewards = []
    env.reset(seed=0)
    for action in rng.integers(3, size=14_000):
        _, reward, terminated, _, _ = env.step(action)
        rewards.append(reward)
        if terminated:
            env.reset()
    assert sum(rewards) / 2000 == pytest.approx(-0.75, abs=0.05)


def test_what_is_no_state_is_refused() -> None:
    env = Catch()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="row = 7 is outside"):
        env.start_at([7, 0, 0, 1])
    with pytest.raises(ValueError, match="four whole numbers"):
        env.start_at([0.5, 0, 0, 1])
    with pytest.raises(ValueError, match="balls is 1 or more"):
        Catch(balls=0)
