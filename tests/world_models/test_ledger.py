"""Episodes that were played ahead are counted step by step, wherever counting is left."""

from __future__ import annotations

import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agents.base import Episode
from agents.world_models.ledger import Entry, Ledger

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=6)


@given(lengths=LENGTHS, borders=st.lists(st.integers(0, 60), max_size=8))
def test_counted_in_any_pieces_it_comes_to_the_same(lengths: list[int], borders: list[int]) -> None:
    rng = np.random.default_rng(sum(lengths))
    rewards = [rng.integers(-5, 5, size=length).astype(float) for length in lengths]
    told: list[Episode] = []
    ledger = Ledger(told.append)
    ledger.enter([Entry(part, terminated=True) for part in rewards])
    flat = np.concatenate(rewards)
    for border in [*sorted(borders), 60]:
        ledger.count(border)
        assert ledger.timestep == min(border, len(flat))
        assert ledger.reward_sum == flat[: ledger.timestep].sum()
        other = Ledger(told.append)
        other.load_state_dict(pickle.loads(pickle.dumps(ledger.state_dict())))
        ledger = other
    assert ledger.empty
    assert [episode.steps for episode in told] == lengths
    assert [episode.total for episode in told] == [part.sum() for part in rewards]
    assert [episode.timestep for episode in told] == np.cumsum(lengths).tolist()


def test_an_episode_that_was_cut_counts_and_is_not_reported() -> None:
    told: list[Episode] = []
    ledger = Ledger(told.append)
    ledger.enter([Entry(np.ones(3), terminated=False, cut=True), Entry(np.ones(2), True)])
    ledger.count(10)
    assert (ledger.timestep, ledger.reward_sum, len(told)) == (5, 5.0, 1)
    ledger.skip(10)
    assert ledger.timestep == 10
