"""What the outer wrapper adds to an environment: limits, clipping, rewards, starts, ranges."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box
from hypothesis import given
from hypothesis import strategies as st

from envs.rewards import Constant, Shifted


class Recorder(gymnasium.Env[Any, Any]):
    """Keeps the last action; terminates and truncates itself in the steps it is told."""

    observation_space = Box(-1, 1, (1,), np.float32)
    action_space = Box(np.array([-1, 0], np.float32), np.array([1, 2], np.float32))
    terminates_in: int | None = None
    truncates_in: int | None = None

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.t = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.t += 1
        self.action = action
        ended = (self.t == self.terminates_in, self.t == self.truncates_in)
        return np.zeros(1, np.float32), 0.5, *ended, {}


@pytest.fixture
def recorder(build: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Builds a Problem around a Recorder, which it returns too."""
    spec = EnvSpec("Recorder-v0", entry_point=lambda **kwargs: Recorder())
    monkeypatch.setitem(gymnasium.registry, "Recorder-v0", spec)

    def make(
        terminates_in: int | None = None, truncates_in: int | None = None, **fields: Any
    ) -> tuple[Any, Any]:
        env = build("Recorder-v0", **fields)
        env.unwrapped.terminates_in, env.unwrapped.truncates_in = terminates_in, truncates_in
        env.reset(seed=0)
        return env, env.unwrapped

    return make


ACTION = np.zeros(2, np.float32)


def ends(env: Any, steps: int) -> list[tuple[bool, bool]]:
    return [env.step(ACTION)[2:4] for _ in range(steps)]


def test_an_episode_is_truncated_in_its_last_step_and_not_before(recorder: Any) -> None:
    env, _ = recorder(steps_per_episode=3)
    for _ in range(2):
        assert ends(env, 3) == [(False, False), (False, False), (False, True)]
        env.reset()


def test_termination_in_the_last_step_wins_over_truncation(recorder: Any) -> None:
    env, _ = recorder(terminates_in=3, truncates_in=3, steps_per_episode=3)
    assert ends(env, 3)[-1] == (True, False)


def test_the_environments_own_truncation_counts(recorder: Any) -> None:
    env, _ = recorder(truncates_in=2, steps_per_episode=None)
    assert ends(env, 2)[-1] == (False, True)


def test_a_step_outside_an_episode_is_an_error(build: Any) -> None:
    env = build("sweep/PendulumContinuous-v1", steps_per_episode=1)
    action = np.zeros(1, np.float32)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(action)
    env.reset(seed=0)
    assert env.in_episode
    env.step(action)
    assert not env.in_episode
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(action)


def test_the_limit_of_the_file_replaces_the_registered_one(build: Any) -> None:
    assert build("Pendulum-v1").steps_per_episode == 200
    assert build("Pendulum-v1", steps_per_episode=300).steps_per_episode == 300
    never = build("Pendulum-v1", steps_per_episode=None)
    never.reset(seed=0)
    assert not any(never.step(np.zeros(1, np.float32))[3] for _ in range(300))


def test_evaluation_may_have_another_limit(build: Any) -> None:
    fields = {"steps_per_episode": None, "eval_episodes": 1, "eval_steps_per_episode": 5}
    assert build("Pendulum-v1", **fields).steps_per_episode is None
    assert build("Pendulum-v1", evaluation=True, **fields).steps_per_episode == 5
    assert build("Pendulum-v1", evaluation=True, steps_per_episode=9).steps_per_episode == 9


def test_an_atari_limit_of_frames_becomes_one_of_steps(build: Any) -> None:
    assert build("ALE/Pong-v5").steps_per_episode == 27_000
    assert build("ALE/Pong-v5", atari={"frame_skip": 1}).steps_per_episode == 108_000


def test_box_actions_are_clipped_to_the_bounds_in_the_spaces_type(recorder: Any) -> None:
    env, inner = recorder(steps_per_episode=None)
    env.step(np.array([-3.0, 3.0]))
    assert inner.action.tolist() == [-1, 2]
    assert inner.action.dtype == np.float32
    env.step(np.array([0.5, -1], np.float32))
    assert inner.action.tolist() == [0.5, 0]


def test_the_callers_action_is_left_alone(recorder: Any) -> None:
    env, _ = recorder(steps_per_episode=None)
    action = np.array([5, 5], np.float32)
    env.step(action)
    assert action.tolist() == [5, 5]


def test_constant_rewards_pay_the_goal_on_termination_only(recorder: Any) -> None:
    rewards = {"overwrite_rewards": True, "rewards": {"timestep": -1, "goal": 7}}
    env, _ = recorder(terminates_in=3, steps_per_episode=5, **rewards)
    assert [env.step(ACTION)[1] for _ in range(3)] == [-1, -1, 7]
    env, _ = recorder(steps_per_episode=2, **rewards)
    assert [env.step(ACTION)[1] for _ in range(2)] == [-1, -1]


def test_shifted_rewards_pay_the_remaining_steps_at_termination(recorder: Any) -> None:
    rewards = {"overwrite_rewards": True, "rewards": {"shift": 2, "gamma": 1}}
    env, _ = recorder(terminates_in=2, steps_per_episode=5, **rewards)
    assert [env.step(ACTION)[1] for _ in range(2)] == [2.5, 8.5]


@given(
    st.floats(-5, 5),
    st.floats(0, 1),
    st.integers(1, 40),
    st.integers(1, 40),
    st.booleans(),
)
def test_a_shift_adds_the_same_to_every_episode(
    shift: float, gamma: float, limit: int, length: int, terminated: bool
) -> None:
    """However early an episode terminates, its discounted return grows by one same constant."""
    overwrite = Shifted(shift, gamma, limit)
    length = min(length, limit) if terminated else limit
    added = sum(
        gamma ** (t - 1) * overwrite(0.0, terminated and t == length, t)
        for t in range(1, length + 1)
    )
    assert added == pytest.approx(shift * sum(gamma**k for k in range(limit)), abs=1e-9)


def test_constant_rewards_do_not_look_at_the_environments() -> None:
    assert Constant(-1.0, 0.0)(123.0, False, 1) == -1.0


START_STATES = [
    # environment, state, observation of it
    ("CartPole-v1", [0.1, 0.2, 0.03, 0.4], [0.1, 0.2, 0.03, 0.4]),
    ("MountainCar-v0", [-0.5, 0.01], [-0.5, 0.01]),
    ("MountainCarContinuous-v0", [-0.5, 0.01], [-0.5, 0.01]),
    ("Pendulum-v1", [np.pi / 2, 1.5], [0, 1, 1.5]),
    ("Acrobot-v1", [np.pi / 2, 0, 1, 2], [0, 1, 1, 0, 1, 2]),
    ("InvertedPendulum-v5", [0.1, 0.02, 0.3, 0.4], [0.1, 0.02, 0.3, 0.4]),
    ("sweep/PendulumContinuous-v1", [1, 2], [1, 2]),
    ("sweep/MountainCarDiscrete-v1", [-0.3, 0.01], [-0.3, 0.01]),
    ("sweep/AcrobotDiscrete-v1", [1, 2, 3, 4], [1, 2, 3, 4]),
    ("sweep/GridWorld-v1", [9, 0], [0, 1]),
    ("sweep/PuddleWorld-v1", [0.2, 0.7], [0.2, 0.7]),
]


@pytest.mark.parametrize(("env_name", "state", "seen"), START_STATES)
def test_every_episode_starts_in_the_given_state(
    build: Any, env_name: str, state: list[float], seen: list[float]
) -> None:
    env = build(env_name, start_state=state)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(2)]
    episodes = []
    for seed in (1, 2, None):
        observation, _ = env.reset(seed=seed)
        np.testing.assert_allclose(observation, seen, atol=1e-7)
        assert observation in env.observation_space
        if env_name != "sweep/PuddleWorld-v1":  # whose moves are random
            episodes.append([observation, *(env.step(action)[0] for action in actions)])
    for episode in episodes:
        np.testing.assert_array_equal(episode, episodes[0])


def test_a_mujoco_start_state_leaves_no_trace_of_the_random_reset(build: Any) -> None:
    state = [0.0] * 18
    env = build("HalfCheetah-v5", start_state=state)
    first = [env.reset(seed=1)[0], *(env.step(np.ones(6, np.float32))[0] for _ in range(20))]
    again = [env.reset(seed=2)[0], *(env.step(np.ones(6, np.float32))[0] for _ in range(20))]
    np.testing.assert_array_equal(first, again)


def test_observation_ranges_replace_bounds(build: Any) -> None:
    unbounded = build("CartPole-v1").observation_space
    ranged = build("CartPole-v1", observation_ranges=[None, [-3, 3], None, [-2, 4]])
    space = ranged.observation_space
    assert space.low[[1, 3]].tolist() == [-3, -2] and space.high[[1, 3]].tolist() == [3, 4]
    np.testing.assert_array_equal(space.low[[0, 2]], unbounded.low[[0, 2]])
    assert space.dtype == np.float32


def test_continuous_chooses_where_the_environment_has_both(build: Any) -> None:
    assert build("LunarLander-v3", continuous=True).action_space.shape == (2,)
    assert build("LunarLander-v3", continuous=False).action_space.n == 4
    assert build("LunarLanderContinuous-v3", continuous=True).action_space.shape == (2,)


def test_constructor_arguments_arrive(build: Any) -> None:
    assert build("Pendulum-v1", kwargs={"g": 3.0}).unwrapped.g == 3.0
    assert build("HalfCheetah-v5", kwargs={"frame_skip": 2}).unwrapped.frame_skip == 2


def test_atari_observations_are_stacked_pictures(build: Any) -> None:
    env = build("ALE/Breakout-v5")
    observation, _ = env.reset(seed=0)
    assert observation.shape == (4, 84, 84) and observation.dtype == np.uint8
    small = build("ALE/Breakout-v5", atari={"screen_size": 42, "frame_stack": 2})
    assert small.reset(seed=0)[0].shape == (2, 42, 42)


def test_a_registered_module_can_be_named(build: Any) -> None:
    assert build("gymnasium:Pendulum-v1").steps_per_episode == 200
