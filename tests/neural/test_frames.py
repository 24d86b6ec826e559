"""States that are bytes are kept once, and come out as if both of a transition were."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch

from agents.neural.replay import Replay

WIDTH = 5
CAPACITY = 11


class Kept:
    """A replay of bytes beside all transitions that were put into it, by member.

    A transition's reward is its number, by which a sampled one is recognised. Episodes end at
    random, and a member's own.
    """

    def __init__(self, members: int = 3, *, byte_scale: int = 1) -> None:
        rngs = [np.random.default_rng(seed) for seed in range(members)]
        self.replay = Replay(CAPACITY, WIDTH, 1, 64, rngs, byte_scale=byte_scale)
        self.rng = np.random.default_rng(9)
        self.states = self.draw(members)
        self.transitions: list[tuple[np.ndarray, np.ndarray]] = []

    def draw(self, members: int) -> np.ndarray:
        return self.rng.integers(256, size=(members, WIDTH)).astype(np.uint8)

    def step(self, times: int, *, ends: float) -> None:
        for _ in range(times):
            M = len(self.states)
            following, number = self.draw(M), len(self.transitions)
            terminated = np.zeros(M, dtype=bool)
            self.replay.add(
                self.states, np.zeros((M, 1)), np.full(M, number), following, terminated
            )
            self.transitions.append((self.states, following))
            again = self.rng.random((M, 1)) < ends
            self.states = np.where(again, self.draw(M), following)

    def check(self, replay: Replay, members: list[int], scale: int = 1) -> None:
        for _ in range(2):
            batch = replay.sample()
            for slot, member in enumerate(members):
                for position, number in enumerate(batch.rewards[slot].int().tolist()):
                    assert len(self.transitions) - CAPACITY <= number
                    state, following = self.transitions[number]
                    for got, put in ((batch.states, state), (batch.next_states, following)):
                        expected = torch.from_numpy(put[member].astype(np.float32)) / scale
                        assert torch.equal(got[slot, position], expected)


@pytest.mark.parametrize("ends", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("steps", [1, 2, CAPACITY - 1, CAPACITY, CAPACITY + 1, 57])
def test_batches_hold_what_was_put_in(steps: int, ends: float) -> None:
    kept = Kept()
    for _ in range(steps):
        kept.step(1, ends=ends)
        kept.check(kept.replay, [0, 1, 2])


def test_bytes_are_divided_by_their_scale() -> None:
    kept = Kept(byte_scale=255)
    kept.step(20, ends=0.2)
    kept.check(kept.replay, [0, 1, 2], scale=255)


def test_a_place_of_its_own_is_for_last_states_only() -> None:
    kept = Kept()
    kept.step(40, ends=0.0)
    frames: Any = kept.replay._frames
    assert [len(apart) for apart in frames._apart] == [1, 1, 1]  # the newest successor
    kept.step(40, ends=1.0)
    assert [len(apart) for apart in frames._apart] == [CAPACITY] * 3


@pytest.mark.parametrize("steps", [4, 30])
def test_a_member_goes_on_in_other_company(steps: int) -> None:
    kept = Kept()
    kept.step(steps, ends=0.3)
    saved = pickle.loads(pickle.dumps([kept.replay.state_dict(m) for m in (2, 0)]))
    other = Kept(2)
    other.step(17, ends=0.5)  # a past that must leave no trace
    for slot, state in enumerate(saved):
        other.replay.load_state_dict(slot, state)
    kept.check(other.replay, [2, 0])
    other.states, other.transitions = (
        kept.states[[2, 0]],
        [(states[[2, 0]], following[[2, 0]]) for states, following in kept.transitions],
    )
    for _ in range(20):
        other.step(1, ends=0.3)
        other.check(other.replay, [0, 1])


def test_pictures_are_compressed_where_they_are_saved() -> None:
    rngs = [np.random.default_rng(0)]
    replay = Replay(600, 4000, 1, 8, rngs, byte_scale=255)
    picture = np.zeros((1, 4000), dtype=np.uint8)
    for _ in range(600):
        replay.add(picture, np.zeros((1, 1)), np.zeros(1), picture, np.zeros(1, dtype=bool))
    assert len(pickle.dumps(replay.state_dict(0))) < 100_000 < 600 * 4000
