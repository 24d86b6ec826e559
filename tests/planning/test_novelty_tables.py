"""Compiled novelty tables are the dictionaries that the papers describe."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_planning import SlowTable

from agents.planning.novelty import NoveltyTable, magnitude

ATOMS = 9
STATE = st.lists(st.integers(0, ATOMS - 1), max_size=6, unique=True).map(sorted)
VISIT = st.tuples(
    st.sampled_from(["enter", "enter", "look", "forget"]),
    STATE,
    st.integers(0, 4),
    st.sampled_from([-3.0, 0.0, 0.3, 0.5, 1.0, 1.5, 2.0, 700.0]),
)


@settings(max_examples=120, deadline=None)
@given(
    width=st.sampled_from([1, 2, 3, 4, None]),
    depths=st.booleans(),
    magnitudes=st.booleans(),
    visits=st.lists(VISIT, max_size=60),
)
def test_a_table_is_a_dictionary_of_least_depths(
    width: int | None, depths: bool, magnitudes: bool, visits: list[Any]
) -> None:
    slow = SlowTable(width, depths=depths, magnitudes=magnitudes)
    table = NoveltyTable(ATOMS, width, depths=depths, magnitudes=magnitudes)
    for what, state, depth, reward in visits:
        atoms = np.array(state, dtype=np.int32)
        if what == "forget":
            table.forget()
            slow.least.clear()
        elif what == "enter":
            assert table.enter(atoms, depth, reward) == slow.enter(state, depth, reward)
        else:
            expected = slow.stays_novel(state, depth, reward)
            assert table.stays_novel(atoms, depth, reward) == expected


def test_a_hashed_table_grows_and_forgets_nothing_meanwhile() -> None:
    table, slow = NoveltyTable(60_000, 2), SlowTable(2)
    assert table.hashed
    rng = np.random.default_rng(0)
    for _ in range(60):
        atoms = np.sort(rng.choice(60_000, 40, replace=False)).astype(np.int32)
        depth = int(rng.integers(5))
        assert table.enter(atoms, depth) == slow.enter(atoms.tolist(), depth, 0.0)
    for (_, one, other), depth in slow.least.items():
        pair = np.array([one, other], dtype=np.int32)
        assert table.stays_novel(pair, depth) and not table.stays_novel(pair, depth + 1)


def test_the_same_depth_is_novel_for_a_node_in_the_tree_but_not_for_a_new_one() -> None:
    table, atoms = NoveltyTable(3), np.array([1], dtype=np.int32)
    assert table.enter(atoms, 2) == 1
    assert table.enter(atoms, 2) == 0
    assert table.stays_novel(atoms, 2)
    assert not table.stays_novel(atoms, 3)
    assert table.enter(atoms, 1) == 1
    assert not table.stays_novel(atoms, 2)


@pytest.mark.parametrize(
    ("reward", "order"), [(-1.0, 0), (0.0, 0), (0.4, -2), (0.5, -1), (1.0, 1), (2.0, 2), (9.0, 4)]
)
def test_magnitudes_of_rewards(reward: float, order: int) -> None:
    assert magnitude(reward) == order


def test_combinations_that_cannot_be_numbered_are_refused() -> None:
    with pytest.raises(ValueError, match="width 5 is too much for 28,672 atoms"):
        NoveltyTable(28_672, 5)
