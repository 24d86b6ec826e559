"""The project's own environments: their dynamics, and Gymnasium's interface."""

from __future__ import annotations

import pickle
from math import cos, pi, sin
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from envs.own.puddle_world import puddle_cost
from envs.registration import OWN_ENVIRONMENTS, register

register()
OWN = sorted(OWN_ENVIRONMENTS)


def own(name: str, **kwargs: Any) -> Any:
    env = gymnasium.make(f"sweep/{name}-v1", disable_env_checker=True, **kwargs).unwrapped
    env.reset(seed=0)
    return env


def float32(*values: float) -> list[float]:
    return [float(np.float32(value)) for value in values]


# every environment ---------------------------------------------------------------------------


# torques and the bandit's action are in units of the literature, not within ±1
@pytest.mark.filterwarnings("ignore:.*For Box action spaces, we recommend:UserWarning")
@pytest.mark.parametrize("name", OWN)
def test_gymnasiums_checker_accepts_it(name: str) -> None:
    check_env(gymnasium.make(name).unwrapped)


def test_registering_twice_does_nothing() -> None:
    before = dict(gymnasium.registry)
    register()
    assert gymnasium.registry == before


@pytest.mark.parametrize("name", OWN)
def test_save_and_restore_repeat_the_future(name: str) -> None:
    env: Any = gymnasium.make(name).unwrapped
    env.reset(seed=1)
    saved = pickle.loads(pickle.dumps(env.save()))
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(5)]
    first = [env.step(action)[:2] for action in actions] + [env.reset()[0]]
    env.restore(saved)
    again = [env.step(action)[:2] for action in actions] + [env.reset()[0]]
    assert pickle.dumps(first) == pickle.dumps(again)


@pytest.mark.parametrize("name", OWN)
def test_a_picture_shows_the_state(name: str) -> None:
    env: Any = gymnasium.make(name, render_mode="rgb_array").unwrapped
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (400, 400, 3) and picture.dtype == np.uint8
    assert len(np.unique(picture)) > 1
    env.close()


def test_an_unknown_render_mode_is_refused() -> None:
    from envs.own.pendulum import PendulumDiscrete

    with pytest.raises(ValueError, match="render_mode is one of"):
        PendulumDiscrete(render_mode="ascii")


@pytest.mark.parametrize("name", ["PendulumContinuous", "MountainCarContinuous"])
def test_actions_are_clipped(name: str) -> None:
    near, far = own(name), own(name)
    bound = near.action_space.high
    np.testing.assert_array_equal(near.step(bound)[0], far.step(bound * 10)[0])


# pendulum ------------------------------------------------------------------------------------


def test_the_pendulum_starts_hanging() -> None:
    for seed in range(3):
        env = own("PendulumContinuous")
        assert env.reset(seed=seed)[0].tolist() == float32(-pi, 0)


def test_one_step_of_the_pendulum_by_hand() -> None:
    env = own("PendulumContinuous")
    env.reset(options={"start_state": [0.5, 1.0]})
    observation, reward, terminated, truncated, _ = env.step(np.array([-1.5], np.float32))
    omega = 1.0 + (15 * sin(0.5) - 4.5) * 0.05
    theta = 0.5 + omega * 0.05
    assert observation.tolist() == float32(theta, omega)
    assert reward == pytest.approx(cos(theta), abs=1e-15)
    assert not terminated and not truncated


def test_the_pendulums_angle_moves_with_the_unclipped_speed() -> None:
    env = own("PendulumDiscrete")
    env.reset(options={"start_state": [1.0, 8.0]})
    theta, omega = env.step(2)[0]
    assert omega == 8
    assert theta == np.float32(1.0 + (8.0 + (15 * sin(1.0) + 6) * 0.05) * 0.05)


def test_the_pendulums_angle_wraps_at_both_ends() -> None:
    env = own("PendulumDiscrete")
    env.reset(options={"start_state": [pi - 0.01, 8.0]})
    assert env.step(1)[0][0] == pytest.approx(-pi - 0.01 + 0.4, abs=0.01)
    env.reset(options={"start_state": [-pi + 0.01, -8.0]})
    assert env.step(1)[0][0] == pytest.approx(pi + 0.01 - 0.4, abs=0.01)


def test_the_pendulum_never_leaves_its_bounds() -> None:
    env = own("PendulumContinuous")
    for _ in range(3000):  # pushing with the swing reaches full speed
        torque = np.sign(env._state[1]) or 1.0
        observation = env.step(np.array([2 * torque], np.float32))[0]
        assert observation in env.observation_space


def test_discrete_torques_are_those_of_the_continuous_pendulum() -> None:
    discrete, continuous = own("PendulumDiscrete"), own("PendulumContinuous")
    for action in (0, 1, 2, 2, 1, 0):
        torque = np.array([2.0 * (action - 1)], np.float32)
        np.testing.assert_array_equal(discrete.step(action)[0], continuous.step(torque)[0])


# mountain car --------------------------------------------------------------------------------


def test_the_discrete_car_is_gymnasiums() -> None:
    ours, theirs = own("MountainCarDiscrete"), gymnasium.make("MountainCar-v0").unwrapped
    np.testing.assert_array_equal(ours.reset(seed=3)[0], theirs.reset(seed=3)[0])
    terminated = False
    while not terminated:  # with the motion: reaches the goal
        action = 2 if ours._state[1] >= 0 else 0
        mine, reward, terminated, *_ = ours.step(action)
        other, _, also_terminated, *_ = theirs.step(action)
        np.testing.assert_allclose(mine, other, rtol=1e-6)
        assert (reward, terminated) == (-1.0, also_terminated)
    assert mine[0] >= np.float32(0.5)


def test_the_continuous_car_is_gymnasiums_but_for_rounding_and_reward() -> None:
    ours = own("MountainCarContinuous")
    theirs = gymnasium.make("MountainCarContinuous-v0").unwrapped
    ours.reset(seed=3)
    theirs.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(100):
        action = rng.uniform(-1, 1, 1).astype(np.float32)
        mine, reward, *_ = ours.step(action)
        np.testing.assert_allclose(mine, theirs.step(action)[0], atol=1e-5)
        assert reward == -1.0


def test_the_continuous_cars_goal() -> None:
    env = own("MountainCarContinuous")
    env.reset(options={"start_state": [0.44, 0.02]})
    observation, reward, terminated, *_ = env.step(np.array([1.0], np.float32))
    assert observation[0] > 0.45 and terminated and reward == -1.0


def test_the_left_wall_stops_the_car() -> None:
    env = own("MountainCarDiscrete")
    env.reset(options={"start_state": [-1.19, -0.07]})
    assert env.step(0)[0].tolist() == float32(-1.2, 0)


# acrobot -------------------------------------------------------------------------------------


def test_the_acrobot_moves_as_gymnasiums() -> None:
    ours: Any = own("AcrobotDiscrete")
    theirs: Any = gymnasium.make("Acrobot-v1").unwrapped
    theirs.reset(seed=0)
    theirs.state = np.zeros(4)
    rng = np.random.default_rng(1)
    for _ in range(30):  # the motion is chaotic: rounding grows later
        action = rng.integers(3)
        mine, reward, terminated, *_ = ours.step(action)
        _, other_reward, other_terminated, *_ = theirs.step(action)
        np.testing.assert_allclose(mine, theirs.state, rtol=1e-5, atol=1e-6)
        assert (reward, terminated) == (other_reward, other_terminated)


def test_the_acrobot_is_paid_nothing_and_ends_above_the_line() -> None:
    env = own("AcrobotContinuous")
    observation, _ = env.reset(options={"start_state": [pi, 0, 0, 0]})
    observation, reward, terminated, *_ = env.step(np.zeros(1, np.float32))
    assert -cos(observation[0]) - cos(observation[0] + observation[1]) > 1
    assert reward == 0.0 and terminated
    env.reset()
    assert env.step(np.zeros(1, np.float32))[1:3] == (-1.0, False)


def test_the_acrobot_never_leaves_its_bounds() -> None:
    env = own("AcrobotDiscrete")
    env.reset(options={"start_state": [3.0, -3.0, 12.5, -28.0]})
    for _ in range(500):
        action = 2 if env._state[3] > 0 else 0
        assert env.step(action)[0] in env.observation_space


# the others ----------------------------------------------------------------------------------


def test_the_bimodal_bandit_has_two_bumps() -> None:
    env = own("Bimodal")
    rewards = {}
    for action in (-1.0, -1.05, 0.0, 1.0, 7.0):
        observation, _ = env.reset()
        assert observation.tolist() == [1.0]
        _, rewards[action], terminated, truncated, _ = env.step(np.array([action]))
        assert terminated and not truncated
    assert rewards[1.0] == pytest.approx(1.5) and rewards[-1.0] == pytest.approx(1.5)
    assert rewards[-1.05] == pytest.approx(1.5 * np.exp(-0.5))
    assert rewards[0.0] < 1e-80 and rewards[7.0] < 1e-80


def test_the_left_bump_may_be_lower_and_rewards_noisy() -> None:
    env = own("Bimodal", suboptimal_reward=0.75, stddev=0.2, reward_stddev=0.5)
    rewards = []
    for _ in range(400):
        env.reset()
        rewards.append(env.step(np.array([-1.0]))[1])
    assert np.mean(rewards) == pytest.approx(0.75, abs=0.1)
    assert np.std(rewards) == pytest.approx(0.5, abs=0.1)


def test_a_walk_through_the_grid() -> None:
    env = own("GridWorld", rows=2, cols=3)
    left, right, up, down = range(4)
    walk = [(left, 0, 0), (up, 0, 0), (right, 0.5, 0), (down, 0.5, 1), (up, 0.5, 0), (right, 1, 0)]
    for action, x, y in walk:
        observation, reward, terminated, *_ = env.step(action)
        assert observation.tolist() == [x, y]
        assert (reward, terminated) == (-1.0, False)
    observation, reward, terminated, *_ = env.step(down)
    assert observation.tolist() == [1, 1]
    assert (reward, terminated) == (0.0, True)


def test_the_grids_other_observations() -> None:
    onehot, index = (own("GridWorld", rows=2, cols=3, observation=o) for o in ("onehot", "index"))
    assert onehot.step(1)[0].tolist() == [0, 1, 0, 0, 0, 0]
    assert index.step(3)[0] == 3
    assert index.observation_space.n == 6


@pytest.mark.parametrize(
    ("x", "y", "cost"),
    [
        (0.0, 0.0, 0),
        (0.2, 0.75, 40),  # on the first puddle's axis
        (0.2, 0.80, 20),
        (0.05, 0.75, 20),  # in its round end
        (0.45, 0.5, 40),  # on the second's
        (0.45, 0.75, 80),  # where they cross
        (0.56, 0.5, 0),
    ],
)
def test_the_depth_of_the_puddles(x: float, y: float, cost: float) -> None:
    assert puddle_cost(x, y) == pytest.approx(cost)


def test_moves_in_puddle_world_are_noisy_and_stay_in_the_square() -> None:
    env = own("PuddleWorld")
    moves = []
    for _ in range(500):
        env.reset(options={"start_state": [0.7, 0.5]})
        moves.append(env.step(2)[0] - np.array([0.7, 0.5]))
    np.testing.assert_allclose(np.mean(moves, axis=0), [0, 0.05], atol=0.002)
    np.testing.assert_allclose(np.std(moves, axis=0), [0.01, 0.01], atol=0.002)
    env.reset(options={"start_state": [0.0, 0.0]})
    assert all(env.step(0)[0] in env.observation_space for _ in range(50))


def test_puddle_world_starts_outside_its_goal_and_ends_in_it() -> None:
    env = own("PuddleWorld")
    assert all(sum(env.reset()[0]) < 1.9 for _ in range(300))
    env.reset(options={"start_state": [0.93, 0.93]})
    terminated = False
    for _ in range(10):
        terminated = terminated or env.step(1)[2]
    assert terminated
