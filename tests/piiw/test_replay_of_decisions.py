"""The replay forgets the oldest decision first, and keeps once what decisions share."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.piiw.replay import Replay

POLICY = np.array([0.25, 0.75])


@given(st.integers(1, 9), st.integers(0, 40))
def test_the_most_recent_are_kept(capacity: int, added: int) -> None:
    replay = Replay(capacity)
    for number in range(added):
        replay.add(np.full(2, number), POLICY, float(number))
    kept = min(capacity, added)
    assert len(replay) == kept
    if kept:
        batch = replay.sample(kept, np.random.default_rng(0))
        assert sorted(batch.returns) == list(range(added - kept, added))
        assert np.array_equal(batch.observations, np.stack([batch.returns] * 2, 1))


def test_a_batch_holds_no_decision_twice() -> None:
    replay = Replay(20)
    for number in range(20):
        replay.add(np.zeros(1), POLICY, float(number))
    batch = replay.sample(12, np.random.default_rng(1))
    assert len(set(batch.returns.tolist())) == 12
    with pytest.raises(ValueError, match="larger sample"):
        replay.sample(21, np.random.default_rng(1))


def stacks(count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Observations of four frames in a row, and a new episode halfway."""
    frames = rng.integers(256, size=(2, count + 3, 6, 6)).astype(np.uint8)
    half = count // 2
    return [frames[i >= half, i : i + 4].copy() for i in range(count)]


def test_stacks_come_out_as_they_were() -> None:
    observations = stacks(30, np.random.default_rng(5))
    replay = Replay(12, stacked=True)
    for number, observation in enumerate(observations):
        replay.add(observation, POLICY, float(number))
        observation.fill(0)  # what was given may change
    expected = stacks(30, np.random.default_rng(5))
    for one in (replay, pickled(replay)):
        batch = one.sample(12, np.random.default_rng(0))
        for observation, number in zip(batch.observations, batch.returns, strict=True):
            assert np.array_equal(observation, expected[int(number)])


def test_frames_that_decisions_share_are_stored_once() -> None:
    def size(replay: Replay) -> int:
        rng = np.random.default_rng(5)
        frames = rng.integers(256, size=(203, 30, 30)).astype(np.uint8)
        for i in range(200):
            replay.add(frames[i : i + 4], POLICY, 0.0)
        return len(pickle.dumps(replay.state_dict()))

    assert size(Replay(200, stacked=True)) < 0.4 * size(Replay(200))


def pickled(replay: Replay) -> Replay:
    other = Replay(replay.capacity, stacked=True)
    other.load_state_dict(pickle.loads(pickle.dumps(replay.state_dict())))
    return other
