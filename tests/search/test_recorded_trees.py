"""A search in a model as a file: what it says is what was searched."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import random_model, random_roots

from agents.search.record import tree_record
from agents.search.search import Search, draw_noise
from agents.search.settings import Kind, SearchSettings
from agents.search_file import encode
from plotting.search_view.record import Search as Read
from plotting.search_view.record import parse

A = 3


def searched(kind: Kind, seed: int, *, two_player: bool = False) -> tuple[Search, Read]:
    """12 simulations from one root whose action 2 is not legal, and what the file says of them."""
    rng = np.random.default_rng(seed)
    options = SearchSettings(kind=kind, simulations=12, discount=0.9, two_player=two_player)
    search = Search(options, A, 1, engine="numpy")
    legal = np.array([[True, True, False]])
    noise = draw_noise(options, 1, A, rng, explore=False)
    model = random_model(rng, actions=A, q_values=kind == "q_ucb", latent=4, hidden=5)
    search.run(*random_roots(rng, model, 1), model, legal=legal, noise=noise)
    record = tree_record(search, ["left", "right", "back"], name="agent")
    return search, parse(encode(record), "search.json")


KINDS = st.sampled_from(["puct", "gumbel", "q_ucb"])


@settings(max_examples=20, deadline=None)
@given(KINDS, st.integers(0, 1000), st.booleans())
def test_visits_of_a_node_are_its_own_and_those_below(
    kind: Kind, seed: int, two_player: bool
) -> None:
    search, read = searched(kind, seed, two_player=two_player)
    nodes, found = read.nodes, search.found
    assert found is not None
    assert nodes.visits[0] == 13
    for node, below in enumerate(read.children()):
        assert nodes.visits[node] == 1 + sum(nodes.visits[child] for child in below)
    first = {nodes.action[child]: nodes.visits[child] for child in read.children()[0]}
    assert [first.get(a, 0) for a in range(A)] == found.visits[0].tolist()
    assert read.chosen == found.action[0]
    assert read.root.q[2] is read.root.policy[2] is read.root.prior[2] is None


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["puct", "gumbel"]), st.integers(0, 1000), st.booleans())
def test_a_return_is_the_reward_and_the_mean_of_what_came_of_the_state(
    kind: Kind, seed: int, two_player: bool
) -> None:
    _, read = searched(kind, seed, two_player=two_player)
    nodes = read.nodes
    for node, below in enumerate(read.children()):
        value = nodes.value[node]
        assert value is not None
        total = value + sum(nodes.visits[child] * nodes.returns[child] for child in below)
        mean = total / nodes.visits[node]
        if node:
            mean = nodes.reward[node] + (-0.9 if two_player else 0.9) * mean
        assert nodes.returns[node] == pytest.approx(mean)


def test_the_best_line_goes_by_visits() -> None:
    _, read = searched("puct", 3)
    path = read.chosen_path()
    children = read.children()
    for node, following in itertools.pairwise(path[1:]):
        most = max(read.nodes.visits[child] for child in children[node])
        assert read.nodes.visits[following] == most
    assert not children[path[-1]]


def test_q_is_not_called_a_prior() -> None:
    assert set(searched("q_ucb", 0)[1].nodes.prior) == {None}


def test_a_search_that_was_not_done_has_no_record() -> None:
    with pytest.raises(ValueError, match="nothing was searched"):
        tree_record(Search(SearchSettings(), 2, 1, engine="numpy"), ["a", "b"])
