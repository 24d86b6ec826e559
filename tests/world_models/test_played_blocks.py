"""What comes of a block of episodes depends on the block alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import short
from test_world_model_agent import driver_of

import envs
from agents.base import Diverged
from agents.world_models.agent import WorldModel
from agents.world_models.controller.company import Company
from agents.world_models.controller.playing import Block, Played


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> WorldModel:
    made = driver_of(short("environment", eval_episodes=0), tmp_path_factory.mktemp("run"))
    made.advance(200, lambda: False)
    return made


def blocks(driver: WorldModel, keep: bool = False) -> list[Block]:
    rng = np.random.default_rng(0)
    size = driver._stood_on().controllers.size
    return [
        Block(rng.normal(size=(3, size)).astype(np.float32), np.arange(3) + 10 * n, keep)
        for n in range(3)
    ]


def company(driver: WorldModel, workers: int = 0) -> Company:
    made = driver._stood_on().company(driver._make)
    made._count = workers
    return made


def played(who: Company, what: list[Block], **how: Any) -> dict[int, list[Played]]:
    found = dict(who.play(what, how.get("stop", lambda: False)))
    who.close()
    return found


def rewards(found: dict[int, list[Played]]) -> dict[int, list[list[float]]]:
    return {n: [one.rewards.tolist() for one in many] for n, many in found.items()}


def test_others_that_were_played_before_make_no_difference(driver: WorldModel) -> None:
    three = blocks(driver)
    together = rewards(played(company(driver), three))
    backwards = rewards(played(company(driver), three[::-1]))
    assert together == {n: backwards[2 - n] for n in range(3)}
    assert len({len(one) for many in together.values() for one in many}) > 1


def test_processes_play_the_same(driver: WorldModel) -> None:
    three = blocks(driver)
    assert rewards(played(company(driver, 2), three)) == rewards(played(company(driver), three))


def test_a_rollout_that_is_kept_can_be_played_again(driver: WorldModel) -> None:
    """actions[t] was chosen on observations[t]; rewards[t] and observations[t + 1] came of it."""
    (block, *_) = blocks(driver, keep=True)
    (episodes,) = played(company(driver), [block]).values()
    problem = envs.make(driver._make.settings)
    for episode, seed in zip(episodes, block.seeds, strict=True):
        rollout = episode.rollout
        assert rollout is not None and rollout.seed == seed
        observation, _ = problem.reset(seed=int(seed))
        for t, action in enumerate(rollout.actions):
            assert np.array_equal(rollout.observations[t], observation)
            observation, reward, terminated, _, _ = problem.step(action)
            assert reward == rollout.rewards[t] == episode.rewards[t]
        assert np.array_equal(rollout.observations[-1], observation)
        assert terminated == rollout.terminated == episode.terminated


def test_asked_to_leave_whole_blocks_are_kept(driver: WorldModel) -> None:
    asked = iter([False] * 25 + [True] * 1000)
    found = played(company(driver), blocks(driver), stop=lambda: next(asked))
    assert 0 < len(found) < 3
    assert rewards(found).items() <= rewards(played(company(driver), blocks(driver))).items()


def test_weights_that_are_not_finite_are_named(driver: WorldModel) -> None:
    (block, *_) = blocks(driver)
    broken = block._replace(weights=np.full_like(block.weights, np.nan))
    acting = company(driver)
    # of discrete actions even nan has a greatest: a box shows it
    assert played(acting, [broken])[0]


def test_a_box_shows_weights_that_are_not_finite(tmp_path: Path) -> None:
    driver = driver_of(short("boxes", eval_episodes=0), tmp_path)
    driver.advance(200, lambda: False)
    (block, *_) = blocks(driver)
    broken = block._replace(weights=np.full_like(block.weights, np.nan))
    with pytest.raises(Diverged, match="the action"):
        played(company(driver), [broken])
