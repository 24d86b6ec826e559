"""Tile coding: T tilings of B tiles a dimension, and a bias that is always on."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.base import AgentRefused
from agents.linear.features import Tiles, activate, tiles_for
from agents.linear.kernels import compiled
from agents.linear.settings import LinearSettings


def tiles(
    low: list[float], high: list[float], tilings: int = 4, bins: int = 4, table_size: int = 2**20
) -> Tiles:
    space = gymnasium.spaces.Box(np.array(low), np.array(high), dtype=np.float64)
    settings = LinearSettings(tilings=tilings, bins=bins, table_size=table_size)
    return tiles_for(space, settings, agent="an agent")


def active(coder: Tiles, *observation: float) -> list[int]:
    out = np.zeros(coder.active, dtype=np.int64)
    compiled(activate)(np.array(observation, dtype=np.float64), coder.bounds, coder.layout, out)
    return out.tolist()


def test_each_tiling_and_the_bias_have_one_active_feature() -> None:
    coder = tiles([0, 0], [1, 1], tilings=3, bins=4)
    assert coder.size == 3 * 4**2 + 1
    bias, *features = active(coder, 0.4, 0.9)
    assert bias == 0
    assert [(feature - 1) // 16 for feature in features] == [0, 1, 2]


def test_tiling_n_is_displaced_by_n_over_tilings_of_a_tile() -> None:
    coder = tiles([0], [1], tilings=4, bins=2)  # tiles of 1/2, displacements of 1/8
    # at 0.3 the cells are floor((0.3 + n/8) * 2) for n = 0..3
    assert active(coder, 0.3) == [0, 1 + 0, 3 + 0, 5 + 1, 7 + 1]


def test_nearby_observations_share_most_features_and_distant_ones_share_the_bias() -> None:
    coder = tiles([-1, -1], [1, 1], tilings=16, bins=8)
    here = set(active(coder, 0.1, 0.1))
    assert len(here & set(active(coder, 0.11, 0.1))) >= 15
    assert here & set(active(coder, -0.9, 0.8)) == {0}


def test_values_beyond_the_range_fall_into_the_outermost_tile() -> None:
    coder = tiles([-1], [1])
    assert active(coder, -7.0) == active(coder, -1.0)
    assert active(coder, 7.0) == active(coder, 1.0)


@given(
    st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    st.integers(1, 20),
    st.integers(1, 10),
    st.booleans(),
)
def test_features_are_within_the_table(
    observation: list[float], tilings: int, bins: int, hashed: bool
) -> None:
    coder = tiles([-1] * 3, [1] * 3, tilings, bins, table_size=100 if hashed else 2**20)
    features = active(coder, *observation)
    assert all(0 <= feature < coder.size for feature in features)
    assert len(features) == coder.active == tilings + 1
    if not coder.hashed:
        assert len(set(features)) == tilings + 1


def test_many_dimensions_are_hashed_into_the_table_and_rarely_collide() -> None:
    coder = tiles([-1] * 17, [1] * 17, tilings=16, bins=8, table_size=2**20)
    assert coder.hashed
    assert coder.size == 2**20
    rng = np.random.default_rng(0)
    seen = [feature for _ in range(500) for feature in active(coder, *rng.uniform(-1, 1, 17))[1:]]
    assert len(set(seen)) > 0.99 * len(seen)


def test_every_hashed_dimension_and_tiling_counts() -> None:
    coder = tiles([-1] * 12, [1] * 12, tilings=8, bins=8, table_size=2**16)
    base = [0.01] * 12
    for dimension in range(12):
        moved = list(base)
        moved[dimension] = 0.9
        assert not set(active(coder, *moved)[1:]) & set(active(coder, *base)[1:])


def test_a_discrete_observation_has_a_feature_of_its_own_for_each_state() -> None:
    coder = tiles_for(gymnasium.spaces.Discrete(5, start=3), LinearSettings(), agent="an agent")
    assert coder.size == 6
    features = [active(coder, state) for state in range(3, 8)]
    assert features == [[0, 1], [0, 2], [0, 3], [0, 4], [0, 5]]


def test_an_unbounded_dimension_is_refused_by_number() -> None:
    space = gymnasium.make("CartPole-v1").observation_space
    with pytest.raises(AgentRefused, match=r"dimensions 1, 3 of 4 have no finite bounds.*observ"):
        tiles_for(space, LinearSettings(), agent="linearAC")


def test_images_are_refused() -> None:
    space = gymnasium.spaces.Box(0, 255, (84, 84), dtype=np.uint8)
    with pytest.raises(AgentRefused, match="vector or a discrete"):
        tiles_for(space, LinearSettings(), agent="linearAC")
