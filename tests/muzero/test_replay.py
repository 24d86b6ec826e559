"""Sampling by priority, and the weights that make up for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.muzero.replay import Field, Replay
from agents.muzero.sum_tree import SumTree
from agents.muzero.targets import STEP


def filled(rows: int, **options: Any) -> Replay:
    fields = {"policies": Field((2,), np.float32), "observations": Field((1,), np.float32)}
    settings = {"unroll": 1, "actions": 2, "discount": 0.9, "exponent": 1.0, **options}
    ring = Replay(2, 16, fields, **settings)
    for i in range(rows):
        ring.add(i % 2, kinds=STEP, rewards=float(i), observations=float(i))
    return ring


def test_places_are_drawn_in_proportion_to_their_priorities() -> None:
    tree = SumTree(5)
    priorities = np.array([0.0, 1.0, 2.0, 0.0, 5.0])
    tree.set(np.arange(5), priorities)
    draws = 20_000
    counts = np.bincount(tree.sample(np.random.default_rng(0).random(draws)), minlength=5)
    expected = priorities / 8 * draws
    assert counts[[0, 3]].tolist() == [0, 0]
    held = expected > 0
    # chi-square with 2 degrees of freedom: 13.8 is exceeded once in a thousand
    assert ((counts - expected)[held] ** 2 / expected[held]).sum() < 13.8


@given(
    st.lists(st.tuples(st.integers(0, 12), st.floats(0, 10)), min_size=1, max_size=40),
)
def test_a_tree_sums_what_was_set_last(changes: list[tuple[int, float]]) -> None:
    tree, plain = SumTree(13), np.zeros(13)
    for place, priority in changes:
        tree.set(np.array([place]), np.array([priority]))
        plain[place] = priority
    assert tree.priorities.tolist() == plain.tolist()
    assert tree.total == pytest.approx(plain.sum())
    other = SumTree(13)
    other.load(tree.priorities)
    assert other.sums.tolist() == tree.sums.tolist()


def test_the_edges_of_a_draw_fall_on_places_with_priority() -> None:
    tree = SumTree(8)
    tree.set(np.array([2, 5]), np.array([1.0, 1.0]))
    assert tree.sample(np.array([0.0, np.nextafter(1.0, 0.0)])).tolist() == [2, 5]


def test_errors_raised_to_the_exponent_are_what_is_drawn_by() -> None:
    ring = filled(8, exponent=0.5)
    places = np.array([0, 1, 2, 3, 16, 17, 18, 19])
    ring.prioritise(places, np.array([0, 0, 0, 0, 0, 0, 1, 4], np.float32))
    starts = ring.sample(30_000, np.random.default_rng(1), horizon=1).starts
    share = (starts == 19).mean() / (starts == 18).mean()
    assert share == pytest.approx(2.0, rel=0.1)
    assert (starts < 16).mean() < 0.01


def test_weights_make_sampling_unbiased() -> None:
    ring = filled(16, exponent=1.0, correction=1.0)
    rng = np.random.default_rng(2)
    places = np.concatenate((np.arange(8), 16 + np.arange(8)))
    ring.prioritise(places, rng.uniform(0.5, 4.0, 16).astype(np.float32))
    batch = ring.sample(60_000, rng, horizon=1)
    rewards = ring.rows("rewards", batch.starts)
    assert np.average(rewards, weights=batch.weights) == pytest.approx(7.5, abs=0.15)
    assert batch.weights.max() == 1.0


def test_without_an_exponent_all_steps_are_equal() -> None:
    ring = filled(16, exponent=0.0, correction=1.0)
    ring.prioritise(np.array([0, 1]), np.array([100.0, 0.0], np.float32))
    batch = ring.sample(16_000, np.random.default_rng(0), horizon=1)
    counts = np.bincount(batch.starts, minlength=32)
    held = counts[counts > 0]
    assert len(held) == 16
    # 15 degrees of freedom: 37.7 is exceeded once in a thousand
    assert ((held - 1000) ** 2 / 1000).sum() < 37.7
    assert set(batch.weights.tolist()) == {1.0}


def test_new_steps_are_drawn_as_often_as_any() -> None:
    ring = filled(4)
    ring.prioritise(np.array([0, 1]), np.array([0.5, 7.0], np.float32))
    ring.add(0, kinds=STEP, rewards=9.0)
    starts = ring.sample(20_000, np.random.default_rng(0), horizon=1).starts
    assert (starts == 2).mean() == pytest.approx((starts == 1).mean(), rel=0.1)


def test_new_steps_may_bring_their_own_priority() -> None:
    ring = filled(2)
    ring.add(0, kinds=STEP, priority=3.0)
    starts = ring.sample(20_000, np.random.default_rng(0), horizon=1).starts
    assert (starts == 1).mean() == pytest.approx(3 / 5, abs=0.02)


def test_a_replay_goes_on_where_another_was_left() -> None:
    ring = filled(40)  # came round
    ring.prioritise(np.array([3, 20]), np.array([2.0, 5.0], np.float32))
    other = filled(0)
    other.load_state_dict(ring.state_dict())
    assert len(other) == len(ring)
    draws = [one.sample(64, np.random.default_rng(5), horizon=3) for one in (ring, other)]
    for mine, its in zip(*draws, strict=True):
        for a, b in zip(mine, its, strict=True) if isinstance(mine, tuple) else [(mine, its)]:
            assert np.array_equal(a, b)
    for one in (ring, other):
        one.add(1, kinds=STEP, rewards=2.0)
    for name, array in ring.arrays.items():
        assert np.array_equal(array, other.arrays[name])


def test_an_empty_replay_says_so() -> None:
    with pytest.raises(ValueError, match="empty"):
        filled(0).sample(4, np.random.default_rng(0), horizon=1)
