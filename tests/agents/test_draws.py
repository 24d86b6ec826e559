"""A member's random numbers are those of its generator, however they are drawn."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.linear.draws import BLOCK, Draws, Law, normal, uniform


def generators(*seeds: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in seeds]


def take(draws: Draws, members: list[int]) -> list[list[float]]:
    """One step's numbers of each of the members."""
    draws.provide()
    numbers = [draws.values[member, draws.used[member]].tolist() for member in members]
    draws.used[members] += 1
    return numbers


@pytest.mark.parametrize("law", [normal, uniform])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_blocks_hold_what_single_calls_would_give(law: Law, width: int) -> None:
    draws = Draws(law, generators(4, 5), width)
    seen = [take(draws, [0, 1]) for _ in range(2 * BLOCK + 10)]
    for member, rng in enumerate(generators(4, 5)):
        expected = [law(rng, (width,)).tolist() for _ in seen]
        assert [numbers[member] for numbers in seen] == expected


@given(
    st.lists(st.sets(st.integers(0, 2)), min_size=1, max_size=9),
    st.integers(0, 3 * BLOCK),
)
def test_numbers_do_not_depend_on_who_else_draws_or_on_being_saved(
    pattern: list[set[int]], save_at: int
) -> None:
    draws = Draws(uniform, generators(0, 1, 2), 1)
    seen: dict[int, list[list[float]]] = {0: [], 1: [], 2: []}
    for t in range(4 * BLOCK):
        if t == save_at:  # into another slot of another group
            saved = pickle.loads(pickle.dumps([draws.state_dict(member) for member in range(3)]))
            draws = Draws(uniform, generators(7, 8, 9), 1)
            for member in range(3):
                draws.load_state_dict(member, saved[member])
        members = sorted(pattern[t % len(pattern)])
        for member, numbers in zip(members, take(draws, members), strict=True):
            seen[member].append(numbers)
    for member, rng in enumerate(generators(0, 1, 2)):
        assert seen[member] == rng.random((len(seen[member]), 1)).tolist()


def test_a_replaced_generator_is_used_from_the_next_step_on() -> None:
    draws = Draws(uniform, generators(0, 1), 1)
    for _ in range(3):
        take(draws, [0, 1])
    draws.replace(1, np.random.default_rng(6))
    first, second = generators(0, 6)
    assert take(draws, [0, 1]) == [[first.random(4)[3]], [second.random()]]
