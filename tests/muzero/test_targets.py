"""What a network is trained towards: n-step values, the ends of episodes, and the ring's border."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agents.muzero.replay import Batch, Field, Replay
from agents.muzero.targets import CUT, LAST, STEP, TERMINAL

ACTIONS = 3


def replay(
    episodes: list[list[tuple[int, float]]], *, capacity: int = 32, **options: Any
) -> Replay:
    """One environment's rows, given as (kind, reward); row i has value 100 i and action i mod 3."""
    settings = {"unroll": 2, "discount": 0.5, **options}
    ring = Replay(
        len(episodes),
        capacity,
        {"policies": Field((ACTIONS,), np.float32), "observations": Field((1,), np.float32)},
        actions=ACTIONS,
        **settings,
    )
    for environment, rows in enumerate(episodes):
        for i, (kind, reward) in enumerate(rows):
            ring.add(
                environment,
                kinds=kind,
                rewards=reward,
                values=100.0 * i,
                actions=i % ACTIONS,
                policies=np.eye(ACTIONS)[i % ACTIONS],
                observations=float(i),
            )
    return ring


def batch_from(ring: Replay, start: int, horizon: int) -> Batch:
    """The sequence that begins at a place."""
    rng = np.random.default_rng(0)
    for _ in range(1000):
        batch = ring.sample(1, rng, horizon=horizon)
        if batch.starts[0] == start:
            return batch
    raise AssertionError(f"{start} was never drawn")


def values_of(ring: Replay, batch: Batch) -> NDArray[np.float32]:
    targets = batch.targets
    values: NDArray[np.float32] = (
        targets.sums + targets.factors * ring.rows("values", targets.bootstraps)
    )[0]
    return values


def steps(*rewards: float) -> list[tuple[int, float]]:
    return [(STEP, reward) for reward in rewards]


def test_n_rewards_and_then_the_value() -> None:
    ring = replay([steps(1, 2, 4, 8, 16, 32)])
    batch = batch_from(ring, 0, horizon=2)
    # 1 + 2/2 + 200/4; 2 + 4/2 + 300/4; 4 + 8/2 + 400/4
    assert values_of(ring, batch).tolist() == [52.0, 79.0, 108.0]
    assert batch.targets.rewards[0].tolist() == [0.0, 1.0, 2.0]
    assert batch.targets.reward_mask[0].tolist() == [0.0, 1.0, 1.0]
    assert batch.actions[0].tolist() == [0, 1]
    assert batch.policies[0].tolist() == np.eye(ACTIONS)[:3].tolist()


def test_nothing_is_worth_anything_after_a_termination() -> None:
    ring = replay([[*steps(1), (TERMINAL, 2), *steps(4, 8, 16)]])
    batch = batch_from(ring, 0, horizon=3)
    assert values_of(ring, batch).tolist() == [2.0, 2.0, 0.0]
    assert batch.targets.rewards[0].tolist() == [0.0, 1.0, 2.0]
    assert batch.targets.value_mask[0].tolist() == [1.0, 1.0, 1.0]
    assert batch.targets.policy_mask[0].tolist() == [1.0, 1.0, 0.0]
    assert batch.policies[0, 2].tolist() == [0.0, 0.0, 0.0]


def test_states_past_an_end_stay_as_they_are() -> None:
    ring = replay([[(TERMINAL, 2), *steps(4, 8, 16)]])
    batch = batch_from(ring, 0, horizon=3)
    assert values_of(ring, batch).tolist() == [2.0, 0.0, 0.0]
    assert batch.targets.rewards[0].tolist() == [0.0, 2.0, 0.0]
    assert batch.targets.reward_mask[0].tolist() == [0.0, 1.0, 1.0]
    assert batch.targets.rows[0].tolist() == [0, -1, -1]


def test_an_episode_that_was_cut_goes_on_with_the_value_of_what_was_seen_last() -> None:
    ring = replay([[*steps(1), (CUT, 2), (LAST, 0), *steps(4, 8)]])
    batch = batch_from(ring, 0, horizon=5)
    # 1 + 2/2 + 200/4; 2 + 200/2; and 200 of the last observation itself
    assert values_of(ring, batch).tolist() == [52.0, 102.0, 200.0]
    assert batch.targets.policy_mask[0].tolist() == [1.0, 1.0, 0.0]
    assert batch.targets.value_mask[0].tolist() == [1.0, 1.0, 1.0]


def test_beyond_a_cut_there_are_no_targets() -> None:
    ring = replay([[(CUT, 2), (LAST, 0), *steps(4, 8)]])
    targets = batch_from(ring, 0, horizon=5).targets
    assert targets.rewards[0].tolist() == [0.0, 2.0, 0.0]
    assert targets.reward_mask[0].tolist() == [0.0, 1.0, 0.0]
    assert targets.value_mask[0].tolist() == [1.0, 1.0, 0.0]
    assert targets.rows[0].tolist() == [0, 1, -1]


def test_what_was_seen_last_begins_no_sequence() -> None:
    ring = replay([[*steps(1), (CUT, 2), (LAST, 0), *steps(4)]])
    drawn = ring.sample(400, np.random.default_rng(0), horizon=1).starts
    assert set(drawn.tolist()) == {0, 1, 3}
    assert set(ring.uniform(400, np.random.default_rng(0)).tolist()) == {0, 1, 2, 3}
    assert len(ring) == 3


def test_the_newest_row_is_where_looking_ahead_ends() -> None:
    ring = replay([steps(1, 2, 4)])
    batch = batch_from(ring, 1, horizon=5)
    # 2 + 200/2; then the newest row's own value, and nothing is known after its reward
    assert values_of(ring, batch)[:2].tolist() == [102.0, 200.0]
    assert batch.targets.value_mask[0].tolist() == [1.0, 1.0, 0.0]
    assert batch.targets.rewards[0].tolist() == [0.0, 2.0, 4.0]
    assert batch.targets.reward_mask[0].tolist() == [0.0, 1.0, 1.0]


def test_a_termination_in_the_newest_row_is_one() -> None:
    ring = replay([[*steps(1), (TERMINAL, 2)]])
    assert values_of(ring, batch_from(ring, 0, horizon=5)).tolist() == [2.0, 2.0, 0.0]


def test_a_ring_that_came_round_joins_its_end_to_its_beginning() -> None:
    # seven rows in a ring of four: rows 4, 5, 6, 3 remain
    ring = replay([steps(1, 2, 4, 8, 16, 32, 64)], capacity=4)
    batch = batch_from(ring, 3, horizon=2)
    assert ring.rows("observations", batch.targets.rows)[0, :, 0].tolist() == [3.0, 4.0, 5.0]
    # 8 + 16/2 + 500/4
    assert values_of(ring, batch)[0] == 141.0
    # the newest row lies before the oldest one, and is not followed by it
    batch = batch_from(ring, 2, horizon=2)
    assert batch.targets.rows[0].tolist() == [2, -1, -1]


def test_between_two_players_every_other_reward_is_the_opponents() -> None:
    ring = replay([[*steps(1, 2), (TERMINAL, 4)]], discount=-1.0)
    assert values_of(ring, batch_from(ring, 0, horizon=5)).tolist() == [3.0, -2.0, 4.0]
    assert values_of(ring, batch_from(ring, 0, horizon=1)).tolist()[0] == 1.0 - 100.0


def test_environments_are_apart() -> None:
    ring = replay([steps(1, 2, 4, 8), steps(16, 32, 64, 128)], capacity=8)
    assert values_of(ring, batch_from(ring, 8, horizon=2))[0] == 16 + 16 + 50
    assert values_of(ring, batch_from(ring, 0, horizon=2))[0] == 1 + 1 + 50


def test_old_rows_look_less_far_ahead() -> None:
    ring = replay([steps(*[1.0] * 20)], discount=1.0)
    rng = np.random.default_rng(0)
    batch = ring.sample(200, rng, horizon=5, shrink=4.0)
    ages = ring.ages(batch.starts)
    horizons = np.clip(5 - ages // 4, 1, 5)
    expected = batch.starts + np.minimum(horizons, ages)
    assert batch.targets.bootstraps[:, 0].tolist() == expected.tolist()


@given(
    ends=st.lists(st.sampled_from([STEP, STEP, STEP, TERMINAL, CUT]), min_size=1, max_size=30),
    capacity=st.integers(4, 12),
    horizon=st.integers(1, 6),
    unroll=st.integers(0, 4),
    seed=st.integers(0, 100),
)
def test_targets_are_those_of_a_plain_walk(
    ends: list[int], capacity: int, horizon: int, unroll: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, float]] = []
    for kind in ends:
        rows.append((kind, float(rng.integers(9))))
        if kind == CUT:
            rows.append((LAST, 0.0))
    ring = replay([rows], capacity=capacity, unroll=unroll, discount=0.5)
    if len(ring) == 0:
        return
    batch = ring.sample(1, rng, horizon=horizon)
    newest = len(rows) - 1
    i = newest - (newest - int(batch.starts[0])) % capacity
    targets = batch.targets
    over = False
    for k in range(unroll + 1):
        if k > 0 and not over and i + k - 1 <= newest:
            kind, reward = rows[i + k - 1]
            if kind != LAST:
                assert targets.rewards[0, k] == reward
                assert targets.reward_mask[0, k] == 1
            over = kind == TERMINAL
            if kind == LAST:
                assert targets.value_mask[0, k:].tolist() == [0.0] * (unroll + 1 - k)
                return
        if over:
            assert targets.value_mask[0, k] == 1
            assert (targets.sums[0, k], targets.factors[0, k]) == (0, 0)
            continue
        if i + k > newest:
            assert targets.value_mask[0, k] == 0
            continue
        expected, factor, at = 0.0, 1.0, i + k
        while True:
            if (
                at - (i + k) == horizon
                or rows[at][0] == LAST
                or (at == newest and rows[at][0] != TERMINAL)
            ):
                expected += factor * 100.0 * at
                break
            expected += factor * rows[at][1]
            if rows[at][0] == TERMINAL:
                break
            factor, at = 0.5 * factor, at + 1
        assert values_of(ring, batch)[k] == pytest.approx(expected)
