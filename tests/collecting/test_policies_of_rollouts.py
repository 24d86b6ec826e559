"""Who acts in rollouts: what each policy promises, and trained agents as policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders_to_fill import environment
from gymnasium.spaces import Box, Discrete, MultiDiscrete

import agents
from agents.base import AgentRefused
from agents.collecting import describe_policy, make_policy
from agents.collecting.learned import adopt
from agents.collecting.noise import Brownian, Held, Perlin, Uniform
from agents.collecting.policies import NAMES, noise_policy
from agents.collecting.random_network import RandomNetwork
from agents.collecting.settings import RandomPolicySettings

CAR = Box(np.array([-1, 0, 0], np.float32), np.array([1, 1, 1], np.float32))
SPACES = [CAR, Box(-np.inf, np.inf, (2,)), Discrete(5, start=2)]
PICTURE = Box(0, 255, (96, 96, 3), np.uint8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def named(name: str, action_space: Any) -> Any:
    settings = RandomPolicySettings(policy=name)  # type: ignore[arg-type]
    return noise_policy(name, settings.parameters, PICTURE, action_space)


def acts(policy: Any, steps: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """[steps, ...] its actions in an episode."""
    pictures = rng(9).integers(0, 256, (8, 96, 96, 3), np.uint8)
    policy.begin(rng(seed))
    return np.array([policy.act(pictures[step % 8]) for step in range(steps)])


@pytest.mark.parametrize("space", SPACES, ids=["car", "unbounded", "discrete"])
@pytest.mark.parametrize("name", NAMES)
def test_actions_lie_in_the_space_and_come_from_the_episodes_generator(
    name: str, space: Any
) -> None:
    policy = named(name, space)
    one, other, again = (acts(policy, 120, seed) for seed in (3, 4, 3))
    assert all(action in space for action in (one if one.ndim == 2 else [*map(np.int64, one)]))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    if name in ("brownian", "perlin", "random_network"):
        return
    assert one.dtype == np.array(space.sample()).dtype


def test_held_actions_are_kept_for_ten_steps_on_average() -> None:
    actions = acts(Held(CAR, 10), 4000)
    changes = np.flatnonzero((np.diff(actions, axis=0) != 0).any(axis=1)) + 1
    lengths = np.diff(changes)
    assert lengths.min() == 1 and lengths.max() == 19
    assert lengths.mean() == pytest.approx(10, rel=0.15)


def test_a_brownian_step_has_the_variance_dt_where_no_bound_is_near() -> None:
    actions = acts(Brownian(Box(-np.inf, np.inf, (3,)), 0.02), 4000)
    assert np.diff(actions, axis=0).var() == pytest.approx(0.02, rel=0.1)
    cut = acts(Brownian(CAR, 0.02), 2000)
    assert (cut.min(axis=0) == CAR.low).all() and (cut.max(axis=0) == CAR.high).all()


def test_perlin_noise_is_smooth_and_zero_once_in_its_time_scale() -> None:
    space = Box(-10, 10, (1,))
    noise = acts(Perlin(space, 50.0, 1.0), 5000)[:, 0] / 10
    assert np.abs(noise).max() <= 1
    assert noise.std() > 0.15
    # the slope of 2 (lerp of lines up to 1/2 high) over 50 steps
    assert np.abs(np.diff(noise)).max() < 0.1
    lattice = np.flatnonzero(np.abs(noise) < 0.045)
    assert np.diff(lattice).max() <= 51
    louder = acts(Perlin(space, 50.0, 2.0), 5000)[:, 0] / 10
    assert np.allclose(louder, np.clip(2 * noise, -1, 1), atol=1e-6)


def test_a_network_of_random_weights_reacts_to_what_it_sees_and_remembers() -> None:
    policy = RandomNetwork(PICTURE, CAR, 5.0)
    dark, light = np.zeros((96, 96, 3), np.uint8), np.full((96, 96, 3), 255, np.uint8)
    seen = []
    for pictures in ((dark, dark), (light, dark), (light, light)):
        policy.begin(rng(1))
        seen.append([policy.act(picture).tolist() for picture in pictures])
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1] != seen[2][1]


def test_spaces_without_numbers_are_for_policies_that_sample() -> None:
    space = MultiDiscrete([2, 3])
    assert acts(Uniform(space), 3).shape == (3, 2)
    with pytest.raises(AgentRefused, match="random and held sample any"):
        Brownian(space, 0.02)


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(AgentRefused, match="no policy 'browninan'; known: random, held, brownian"):
        describe_policy("browninan")
    with pytest.raises(AgentRefused, match="held learns nothing"):
        describe_policy("held", weights=Path("weights.npz"))


def test_a_share_of_actions_can_be_uniform() -> None:
    settings, env = environment({"env_name": "CartPole-v1", "total_timesteps": 10})
    described = describe_policy("held", {"hold": 1000}, random_share=0.5)
    policy = make_policy(described, settings, env)
    policy.begin(rng())
    actions = np.array([policy.act(None) for _ in range(400)])
    assert 0.15 < actions.mean() < 0.85


# agents that learn ---------------------------------------------------------------------------

TRAINED = {
    "SAC": "sweep/PendulumContinuous-v1",
    "DQN": "sweep/PendulumDiscrete-v1",
    "linearAC": "sweep/PendulumContinuous-v1",
    "MuZero": "CartPole-v1",
}


@pytest.mark.parametrize("name", TRAINED)
def test_an_agent_takes_up_what_another_has_learned(name: str, tmp_path: Path) -> None:
    settings, env = environment({"env_name": TRAINED[name], "total_timesteps": 1000})
    one, other = (make_policy(describe_policy(name), settings, env) for _ in range(2))
    owner: Any = _learner(one)
    learned = {
        key: (0.3 * rng(5).standard_normal(array.shape)).astype(array.dtype)
        for key, array in owner.learned_params().items()
    }
    left = adopt(owner, learned)
    assert set(left) <= {"alpha", "critic_trace", "actor_trace", "average_reward"}
    path = tmp_path / "weights.npz"
    np.savez(path, **{f"learned_params.{key}": array for key, array in learned.items()})
    given = make_policy(describe_policy(name, weights=path), settings, env)
    seen = [_episode(policy, env) for policy in (one, given, other)]
    assert seen[0] == seen[1]
    assert name == "MuZero" or seen[0] != seen[2]


def _learner(policy: Any) -> Any:
    actor = policy._actor
    return getattr(actor, "_driver", getattr(actor, "_agent", actor))


def _episode(policy: Any, env: Any) -> list[Any]:
    observation, _ = env.reset(seed=3)
    policy.begin(rng(2))
    actions = []
    for _ in range(12):
        actions.append(np.array(policy.act(observation)).tolist())
        observation, _, terminated, truncated, _ = env.step(actions[-1])
        if terminated or truncated:
            break
    return actions


@pytest.mark.slow
def test_a_planner_acts_without_weights() -> None:
    content = {"env_name": "sweep/KeyDoorMaze0-v1", "total_timesteps": 10}
    settings, env = environment(content)
    policy: Any = make_policy(describe_policy("rolloutIW", {"nodes": 5}), settings, env)
    observation, _ = env.reset(seed=0)
    policy.begin(rng())
    policy.act_in(env)
    assert env.action_space.contains(policy.act(observation))


def test_weights_of_another_agent_are_refused(tmp_path: Path) -> None:
    settings, env = environment({"env_name": "CartPole-v1", "total_timesteps": 10})
    path = tmp_path / "weights.npz"
    np.savez(path, np.zeros((2, 2)))
    described = describe_policy("SACDiscrete", weights=path)
    with pytest.raises(AgentRefused, match="another agent file or setting"):
        make_policy(described, settings, env)
    np.savez(path, np.ones((2, 2)))
    with pytest.raises(AgentRefused, match="not what it was"):
        make_policy(described, settings, env)


def test_every_policy_is_among_the_agents_as_well() -> None:
    for name in NAMES:
        settings = agents.settings_type("randomPolicy")(policy=name)
        described = describe_policy("randomPolicy", {"policy": name})
        assert described == describe_policy(name)
        assert described["parameters"] == settings.parameters
