"""An index is one run of one setting, by arithmetic alone."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_runs import LINEAR_AC, build

from experiment.canonical import canonical
from experiment.grid import Axis, Grid

values = st.one_of(
    st.integers(-5, 5),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(0, 3), max_size=2),
)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    names = iter("abcdefghij")
    axes = []
    for _ in range(draw(st.integers(0, 4))):
        width = draw(st.integers(1, 2))
        rows = draw(
            st.lists(st.tuples(*[values] * width), min_size=1, max_size=4, unique_by=canonical)
        )
        axes.append(Axis(tuple(itertools.islice(names, width)), rows))
    return Grid(tuple(axes), {"constant": draw(values)})


def test_the_documented_grid_has_36_settings() -> None:
    grid = build(LINEAR_AC).grid
    assert grid.size == 36
    first = grid.setting(0)
    assert (first["critic_lr"], first["actor_lr"], first["avg_reward_lr"]) == (0.005, 0.005, 0.1)
    assert grid.setting(1) == first | {"critic_lr": 0.1}
    assert grid.setting(3) == first | {"actor_lr": 0.1}
    assert grid.setting(9) == first | {"avg_reward_lr": 0.3}
    assert grid.split(0) == (0, 0)
    assert grid.split(37) == (1, 1)
    assert grid.split(359) == (35, 9)


@given(grids(), st.integers(0, 10**30))
def test_an_index_is_found_back_from_what_it_means(grid: Grid, index: int) -> None:
    setting, run = grid.split(index)
    assert 0 <= setting < grid.size
    assert grid.index(setting, run) == index
    assert list(grid.where(grid.setting(setting))) == [setting]


@given(grids())
def test_all_settings_are_distinct_and_the_first_axis_varies_fastest(grid: Grid) -> None:
    settings = [grid.setting(number) for number in range(grid.size)]
    assert len({canonical(setting) for setting in settings}) == grid.size
    expected = itertools.product(*[axis.rows for axis in reversed(grid.axes)])
    for setting, rows in zip(settings, expected, strict=True):
        for axis, row in zip(grid.axes, reversed(rows), strict=True):
            assert tuple(setting[name] for name in axis.names) == row


@given(grids(), st.data())
def test_where_finds_what_a_search_of_every_setting_finds(grid: Grid, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(grid.names)), unique=True))
    wanted: dict[str, Any] = {}
    for name in names:
        present = [grid.setting(number)[name] for number in range(grid.size)]
        wanted[name] = data.draw(st.one_of(st.sampled_from(present), values))
    expected = [
        number
        for number in range(grid.size)
        if all(canonical(grid.setting(number)[n]) == canonical(v) for n, v in wanted.items())
    ]
    assert list(grid.where(wanted)) == expected


@pytest.mark.parametrize("number", [-1, 36])
def test_a_setting_outside_the_grid_is_an_error(number: int) -> None:
    with pytest.raises(IndexError, match=f"setting {number} of a grid of 36"):
        build(LINEAR_AC).grid.setting(number)


def test_any_setting_of_a_grid_of_10_to_the_12_is_found_at_once() -> None:
    column = [(i + 1) / 2048 for i in range(1000)]
    names = ("critic_lr", "actor_lr", "avg_reward_lr", "decay")
    agent = {"agent_name": "linearAC", "parameters": dict.fromkeys(names, column)}
    grid = build(agent).grid
    assert grid.size == 10**12
    numbers = [999_999_937 * k % grid.size for k in range(2000)]
    best = min(_seconds(lambda: [grid.setting(n) for n in numbers]) for _ in range(3))
    assert best / len(numbers) < 200e-6
    assert list(grid.where(grid.setting(123_456_789_012))) == [123_456_789_012]


def test_a_grid_of_a_million_settings_is_checked_at_once() -> None:
    column = [(i + 1) / 2048 for i in range(1000)]
    agent = {"agent_name": "linearAC", "parameters": {"critic_lr": column, "actor_lr": column}}
    assert min(_seconds(lambda: build(agent)) for _ in range(3)) < 1


def _seconds(action: Any) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
