"""Evolution finds better weights, with the same bits whenever it was left; evaluations are fair."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.world_models.controller.evolution import Evolution, fitnesses, noise_of
from agents.world_models.controller.search import Search
from agents.world_models.controller.settings import ControllerSettings

SIZE = 6
GOAL = np.arange(SIZE) / SIZE


def evolution(seed: int = 0, **fields: Any) -> Evolution:
    settings = ControllerSettings(cma_population=10, cma_sigma=0.3, cma_l2=0.0, **fields)
    return Evolution(settings, SIZE, np.random.default_rng(seed))


def returns_of(weights: np.ndarray, episodes: int = 2) -> np.ndarray:
    """The nearer to the goal the better, in each episode by another constant."""
    distances: np.ndarray = ((weights - GOAL) ** 2).sum(axis=1, keepdims=True)
    returns: np.ndarray = np.arange(episodes) - distances
    return returns


def go_on(one: Evolution, generations: int) -> None:
    for _ in range(generations):
        candidates = one.ask()
        one.tell(candidates, returns_of(candidates))


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
@pytest.mark.parametrize("fitness", ["returns", "ranks"])
def test_it_climbs(covariance: str, fitness: str) -> None:
    one = evolution(cma_covariance=covariance, cma_fitness=fitness)
    go_on(one, 40)
    assert np.abs(one.mean - GOAL).max() < 0.05


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_left_and_taken_up_it_has_the_same_bits(covariance: str) -> None:
    whole, left = evolution(cma_covariance=covariance), evolution(cma_covariance=covariance)
    go_on(whole, 12)
    go_on(left, 5)
    other = evolution(seed=9, cma_covariance=covariance)
    other.load_state_dict(pickle.loads(pickle.dumps(left.state_dict())))
    go_on(other, 7)
    assert np.array_equal(other.mean, whole.mean)
    assert other.sigma == whole.sigma
    assert other.generation == 12


def test_numpys_own_generator_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    go_on(evolution(), 3)
    assert np.array_equal(np.random.get_state()[1], before)  # type: ignore[index]


@given(st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=2, max_size=6))
def test_ranks_count_who_did_worse_in_the_same_episode(rows: list[list[int]]) -> None:
    returns = np.array(rows, float)
    settings = ControllerSettings(cma_fitness="ranks", cma_l2=0.5)
    weights = np.full((len(rows), 2), 2.0)
    expected = []
    for own in returns:
        worse = (own > returns).sum(axis=0) + ((own == returns).sum(axis=0) - 1) / 2
        expected.append((worse / (len(rows) - 1) - 0.5).mean() - 0.5 * 4)
    assert fitnesses(settings, weights, returns) == pytest.approx(expected)


def test_differences_that_all_share_are_no_noise() -> None:
    shared = np.array([[0.0, 100.0], [1.0, 101.0], [2.0, 102.0]])
    assert noise_of(shared) == pytest.approx(0.0, abs=1e-12)
    rng = np.random.default_rng(0)
    # of candidates that are equal, what tells their means apart is chance alone
    assert noise_of(rng.normal(size=(2000, 4))) == pytest.approx(1.0, abs=0.1)


# -- what is tried next


def search(
    generations: int | None = None,
    express: Callable[[np.ndarray], np.ndarray] = np.array,
    **fields: Any,
) -> Search:
    defaults: dict[str, Any] = {
        "cma_population": 8,
        "cma_episodes": 3,
        "cma_sigma": 0.3,
        "cma_l2": 0.0,
        "controller_evaluation_interval": 4,
        "controller_evaluation_episodes": 5,
        "controller_patience": 2,
    }
    settings = ControllerSettings(**(defaults | fields))
    seed = np.random.SeedSequence(7, spawn_key=(0,))
    return Search(settings, SIZE, np.random.default_rng(1), seed, generations, express)


def test_every_generation_and_every_evaluation_has_fresh_episodes() -> None:
    one, seeds, kinds = search(generations=10), [], []
    while (trial := one.trial()) is not None:
        kinds.append(trial.kind[0])
        seeds += trial.seeds.tolist()
        assert len(trial.weights) == (8 if trial.kind == "generation" else 2)
        one.tell(trial, returns_of(trial.weights, len(trial.seeds)))
    assert "".join(kinds) == "gggge" * 2 + "gge"
    assert len(set(seeds)) == len(seeds) == 10 * 3 + 3 * 5


@pytest.mark.parametrize("room", [0, 30, 33, 34, 100, 158, 400])
def test_no_generation_is_begun_that_could_not_be_evaluated(room: int) -> None:
    one, kinds, left = search(), "", float(room)
    while (trial := one.trial(left)) is not None:
        kinds += trial.kind[0]
        left -= trial.weights.shape[0] * len(trial.seeds)
        one.tell(trial, returns_of(trial.weights, len(trial.seeds)))
    assert kinds.startswith("g") and kinds.endswith("e")
    assert left >= 0 or kinds == "ge"
    assert left < 8 * 3 + 2 * 5


def test_the_controller_is_the_best_on_fresh_seeds_whatever_luck_there_was_before() -> None:
    one = search()
    for generation in range(4):
        trial = one.trial()
        assert trial is not None
        returns = returns_of(trial.weights, 3)
        if generation == 0:
            lucky = trial.weights[0].copy()
            returns[0] += 1000
        one.tell(trial, returns)
    trial = one.trial()
    assert trial is not None and trial.kind == "evaluation"
    assert np.array_equal(trial.weights[1], lucky)
    said = one.tell(trial, np.array([[1.0] * 5, [0.5] * 5]))
    assert said is not None and "best so far 1" in said
    assert np.array_equal(one.weights, trial.weights[0])
    assert one.metrics()["best_return_on_fresh_seeds"] == 1.0


def test_who_plays_has_weights_as_controllers_have_them_and_evolution_its_own() -> None:
    one = search(express=lambda weights: weights + 100.0)
    assert one.weights == pytest.approx(100.0)
    for _ in range(60):
        trial = one.trial()
        assert trial is not None
        assert np.array_equal(trial.weights, trial.searched + 100.0)
        one.tell(trial, returns_of(trial.searched, len(trial.seeds)))
    assert one.weights == pytest.approx(GOAL + 100.0, abs=0.2)


def test_it_says_when_it_is_stuck_and_begins_again_where_it_may() -> None:
    one, said = search(cma_restarts=True), list[str]()
    while len(said) < 3:
        trial = one.trial()
        assert trial is not None
        evaluates = trial.kind == "evaluation"
        returns = np.zeros((len(trial.weights), len(trial.seeds))) - len(said) * evaluates
        if (text := one.tell(trial, returns)) is not None:
            said.append(text)
    assert ["stuck" in text for text in said] == [False, False, True]
    assert "begins again" in said[2]
    assert not one.stuck
    trial = one.trial()
    assert trial is not None
    one.tell(trial, returns_of(trial.weights, 3))
    assert one.metrics()["cma_restarts"] == 1


def test_a_search_that_was_left_goes_on_to_the_bit() -> None:
    def play(one: Search, trials: int) -> None:
        for _ in range(trials):
            trial = one.trial()
            assert trial is not None
            one.tell(trial, returns_of(trial.weights, len(trial.seeds)))

    whole, left, other = search(), search(), search()
    play(whole, 13)
    play(left, 6)
    other.load_state_dict(pickle.loads(pickle.dumps(left.state_dict())))
    play(other, 7)
    assert np.array_equal(other.weights, whole.weights)
    assert other.metrics() == whole.metrics()
