"""Which settings may be the best: how often they win, and how often the best is among them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plotting.best import possible_bests, probabilities_of_being_best
from plotting.inference import Floats

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_setting_far_above_the_others_is_certain() -> None:
    scores = np.array([[0.0, 1.0, 2.0], [100.0, 101.0, 102.0], [1.0, 0.0, 1.0]])
    found = probabilities_of_being_best(scores, _rng(), 500)
    assert found.tolist() == [0.0, 1.0, 0.0]
    assert possible_bests(found) == [1]


def test_settings_that_are_alike_share_the_probability() -> None:
    scores = np.random.default_rng(3).permuted(np.tile(np.arange(10.0), (4, 1)), axis=1)
    found = probabilities_of_being_best(scores, _rng(), 4000)
    assert found == pytest.approx(0.25, abs=0.04)
    assert sorted(possible_bests(found)) == [0, 1, 2, 3]


def test_a_setting_is_not_certain_because_its_two_seeds_agree_by_chance() -> None:
    scores = np.array([[1.0, 1.0], [0.4, 1.4], [0.2, 1.2]])
    assert 0.3 < probabilities_of_being_best(scores, _rng(), 2000)[0] < 0.9


def test_one_seed_says_nothing_and_leaves_all_settings() -> None:
    found = probabilities_of_being_best(np.array([[1.0], [2.0]]), _rng())
    assert np.isnan(found).all()
    assert possible_bests(found) == [0, 1]


def test_equal_generators_give_equal_probabilities() -> None:
    scores = np.random.default_rng(1).normal(size=(5, 4))
    one, other = (probabilities_of_being_best(scores, _rng(), 300) for _ in range(2))
    assert one.tolist() == other.tolist()


def test_the_fewest_settings_that_reach_the_confidence_likeliest_first() -> None:
    assert possible_bests(np.array([0.05, 0.6, 0.05, 0.3])) == [1, 3, 0]
    assert possible_bests(np.array([0.05, 0.65, 0.3])) == [1, 2]


tables = arrays(np.float64, (4, 3), elements=st.integers(-50, 50).map(float))


@given(scores=tables)
def test_probabilities_add_up_to_one_and_do_not_see_the_unit(scores: Floats) -> None:
    found = probabilities_of_being_best(scores, _rng(), 100)
    assert found.sum() == pytest.approx(1)
    assert probabilities_of_being_best(8 * scores, _rng(), 100).tolist() == found.tolist()


def _documented() -> list[tuple[int, float, float]]:
    text = PAGE.read_text().partition("## Which settings may be the best")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (\S+) of \S+ \| (\S+) \|$", text, re.MULTILINE)
    return [(int(seeds), float(size), float(held)) for seeds, size, held in rows]


def test_the_page_has_the_sets_from_two_to_thirty_seeds() -> None:
    assert [seeds for seeds, _, _ in _documented()] == [2, 3, 5, 10, 30]


@pytest.mark.parametrize(("seeds", "size", "held"), _documented())
def test_the_sets_are_as_large_and_hold_the_best_as_often_as_documented(
    seeds: int, size: float, held: float
) -> None:
    # true means with a standard deviation of 0.5, seeds of 1
    rng = np.random.default_rng(seeds)
    sizes, hits, experiments = [], 0, 100
    for _ in range(experiments):
        truth = rng.normal(0, 0.5, 100)
        scores = truth[:, None] + rng.normal(size=(100, seeds))
        chosen = possible_bests(probabilities_of_being_best(scores, rng, 200))
        sizes.append(len(chosen))
        hits += int(truth.argmax()) in chosen
    assert np.mean(sizes) == pytest.approx(size, rel=0.25)
    assert hits / experiments == pytest.approx(held, abs=0.13)
