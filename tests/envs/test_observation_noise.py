"""Noise on observations: of its own random numbers, restored exactly, apart for evaluation."""

from __future__ import annotations

import pickle
from typing import Any

import msgspec
import numpy as np
import pytest

import envs
from envs.errors import EnvironmentRefused
from envs.settings import EnvironmentSettings
from envs.state import restore_anywhere, restore_state, save_anywhere, save_state
from envs.wrappers import Problem
from experiment.configuration import build_experiment

ALL = {"gaussian": 0.1, "salt_and_pepper": 0.1, "occlusion": 0.3}


def settings(name: str = "sweep/Catch-v1", **fields: Any) -> EnvironmentSettings:
    content = {"env_name": name, "total_timesteps": 1000, "steps_per_episode": 30} | fields
    return msgspec.convert(content, EnvironmentSettings)


def noisy(noise: dict[str, float], name: str = "sweep/Catch-v1") -> Problem:
    return envs.make(settings(name, observation_noise=noise))


def played(problem: Problem, steps: int, seed: int | None) -> list[tuple[Any, float]]:
    """Observations and rewards of random actions, over ends of episodes."""
    problem.action_space.seed(3)
    seen: list[tuple[Any, float]] = [(problem.reset(seed=seed)[0], 0.0)]
    for _ in range(steps):
        if not problem.in_episode:
            seen.append((problem.reset()[0], 0.0))
        observation, reward, *_ = problem.step(problem.action_space.sample())
        seen.append((observation, reward))
    return seen


def equal(ours: list[tuple[Any, float]], theirs: list[tuple[Any, float]]) -> bool:
    return all(np.array_equal(a, b) and x == y for (a, x), (b, y) in zip(ours, theirs, strict=True))


def test_what_happens_is_the_same_with_noise_and_without() -> None:
    clean = played(envs.make(settings()), 60, 1)
    disturbed = played(noisy(ALL), 60, 1)
    assert [reward for _, reward in clean] == [reward for _, reward in disturbed]
    assert not any(np.array_equal(a, b) for (a, _), (b, _) in zip(clean, disturbed, strict=True))
    assert all(observation.dtype == np.uint8 for observation, _ in disturbed)


def test_equal_seeds_have_equal_noise_and_others_another() -> None:
    assert equal(played(noisy(ALL), 60, 1), played(noisy(ALL), 60, 1))
    first, other = noisy(ALL).reset(seed=1)[0], noisy(ALL).reset(seed=2)[0]
    assert not np.array_equal(first, other)


def test_each_kind_is_as_strong_as_it_says() -> None:
    shown = np.stack([o for o, _ in played(noisy({"gaussian": 0.1}), 200, 0)]).astype(float)
    dark = np.stack([o for o, _ in played(envs.make(settings()), 200, 0)]) == 0
    # what would be below black is black: the mean of the positive half of a Gaussian
    assert shown[dark].mean() == pytest.approx(25.5 / np.sqrt(2 * np.pi), rel=0.02)
    shown = np.stack([o for o, _ in played(noisy({"salt_and_pepper": 0.2}), 200, 0)])
    white = (shown[dark].reshape(-1) == 255).mean()
    assert white == pytest.approx(0.1, abs=0.01)
    picture = noisy({"occlusion": 0.5}).reset(seed=0)[0]
    assert (picture == 128).all(-1).sum() == 8 * 8


def test_a_snapshot_brings_the_noise_back() -> None:
    problem = noisy(ALL)
    played(problem, 5, 0)
    saved = pickle.dumps(save_state(problem))
    expected = [problem.step(1)[0] for _ in range(10)]
    other = noisy(ALL)
    other.reset(seed=9)
    restore_state(other, pickle.loads(saved))
    assert all(np.array_equal(other.step(1)[0], one) for one in expected)


def test_an_episode_that_is_played_again_has_its_noise() -> None:
    name, problems = "sweep/CarRacing-v3", []
    for _ in range(2):
        problems.append(noisy({"salt_and_pepper": 0.1}, name))
        problems[-1].remember()
    problem, other = problems
    problem.reset(seed=0)
    problem.reset()
    still = np.zeros(3, np.float32)
    problem.step(still)
    saved = pickle.dumps(save_anywhere(problem))
    restore_anywhere(other, pickle.loads(saved))
    assert np.array_equal(problem.step(still)[0], other.step(still)[0])


def test_evaluation_may_have_noise_of_its_own() -> None:
    clean = envs.make(settings()).reset(seed=0)[0]
    for evaluated, same in ((None, False), ({}, True)):
        file = settings(observation_noise=ALL, eval_observation_noise=evaluated)
        seen = envs.make(file, evaluation=True).reset(seed=0)[0]
        assert np.array_equal(seen, clean) == same
    file = settings(eval_observation_noise=ALL)
    assert np.array_equal(envs.make(file).reset(seed=0)[0], clean)


def test_only_noise_of_training_is_part_of_who_a_setting_is() -> None:
    def identity(**fields: Any) -> str:
        file = {"env_name": "sweep/Catch-v1", "total_timesteps": 10} | fields
        agent: dict[str, Any] = {"agent_name": "random", "parameters": {}}
        return build_experiment(file, agent, "", "").setting_id(0)

    plain = identity()
    assert identity(observation_noise=None) == plain
    assert identity(eval_observation_noise=ALL) == plain
    assert identity(observation_noise=ALL) != plain


@pytest.mark.parametrize("name", ["CartPole-v1", "MinAtar/Breakout-v1"])
def test_what_is_no_picture_of_bytes_is_refused(name: str) -> None:
    with pytest.raises(EnvironmentRefused, match="for pictures of bytes"):
        noisy(ALL, name)


def test_planners_are_refused() -> None:
    with pytest.raises(EnvironmentRefused, match="not for planners"):
        envs.make_simulator(settings(observation_noise=ALL))


# -- lives of Atari


def atari(**fields: Any) -> EnvironmentSettings:
    games = {"terminal_on_life_loss": True, "repeat_action_probability": 0.0} | fields
    return settings("ALE/Breakout-v5", atari=games, steps_per_episode=500)


def lives_at_begins(problem: Problem, episodes: int) -> list[int]:
    game: Any = problem.unwrapped
    lives: list[int] = []
    problem.reset(seed=0)
    for _ in range(episodes):
        if not problem.in_episode:
            problem.reset()
        lives.append(game.ale.lives())
        while problem.in_episode:
            problem.step(1)
    return lives


def test_after_a_life_the_game_goes_on_if_it_is_to() -> None:
    assert lives_at_begins(envs.make(atari()), 3) == [5, 5, 5]
    assert lives_at_begins(envs.make(atari(after_life_loss="continue")), 6) == [5, 4, 3, 2, 1, 5]


def test_a_game_that_is_to_go_on_does_so_after_a_snapshot() -> None:
    problem, other = (envs.make(atari(after_life_loss="continue")) for _ in range(2))
    lives_at_begins(problem, 2)
    saved = pickle.dumps(save_state(problem))
    other.reset(seed=4)
    restore_state(other, pickle.loads(saved))
    observation, _ = other.reset()
    assert np.array_equal(observation, problem.reset()[0])
    game: Any = other.unwrapped
    assert game.ale.lives() == 3


def test_evaluation_may_play_whole_games() -> None:
    file = atari(eval_terminal_on_life_loss=False, eval_noop_max=0)
    problem = envs.make(file, evaluation=True)
    problem.reset(seed=0)
    game: Any = problem.unwrapped
    while problem.in_episode and game.ale.lives() == 5:
        problem.step(1)
    assert problem.in_episode
