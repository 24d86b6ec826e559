"""Searches with exact models find what is known to be true."""

from __future__ import annotations

import known_models
import numpy as np
import pytest
from known_models import TableModel, TicTacToe

from agents.search.search import Engine, Noise, Search
from agents.search.settings import Kind, SearchSettings

# from 0 one goes to 1 for nothing or stays for 0.3; from 1 to 2 for 1, or back; 2 returns for 2
FOLLOWING = [[0, 1], [2, 0], [0, 2]]
REWARDS = [[0.3, 0.0], [1.0, 0.1], [2.0, -1.0]]


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("kind", ["puct", "q_ucb"])
def test_a_search_with_the_exact_values_keeps_them(engine: Engine, kind: Kind) -> None:
    discount = 0.8
    q = TableModel(FOLLOWING, REWARDS).optimal(discount)
    logits = q if kind == "q_ucb" else 20 * (q - q.max(axis=1, keepdims=True))
    model = TableModel(FOLLOWING, REWARDS, q.max(axis=1), logits)
    settings = SearchSettings(
        kind=kind,
        simulations=100,
        discount=discount,
        c1=1e-3,
    )
    result = Search(settings, 2, 3, engine=engine).run(*model.root(0, 1, 2), model)
    np.testing.assert_allclose(result.values, q.max(axis=1), atol=1e-3)
    np.testing.assert_array_equal(result.action, q.argmax(axis=1))


def test_deep_search_finds_the_values_of_value_iteration_itself() -> None:
    # the network knows nothing of value; all that is searched comes from rewards
    discount = 0.5
    q = TableModel(FOLLOWING, REWARDS).optimal(discount)
    model = TableModel(FOLLOWING, REWARDS, logits=20 * (q - q.max(axis=1, keepdims=True)))
    settings = SearchSettings(simulations=6000, discount=discount, c1=0.01)
    result = Search(settings, 2, 3).run(*model.root(0, 1, 2), model)
    np.testing.assert_allclose(result.q.max(axis=1), q.max(axis=1), atol=1e-3)
    np.testing.assert_allclose(result.values, q.max(axis=1), atol=1e-3)


@pytest.mark.parametrize(("simulations", "c1"), [(0, 0.25), (4, 0.25), (16, 1e-3)])
def test_learning_q_from_searches_of_it_is_value_iteration_and_a_deep_one(
    simulations: int, c1: float
) -> None:
    """Q(s, a) <- r + γ V(s'), V being what the search says, ends in Q*; sooner with a search."""
    discount = 0.8
    model = TableModel(FOLLOWING, REWARDS)
    best = model.optimal(discount)
    settings = SearchSettings(kind="q_ucb", simulations=simulations, discount=discount, c1=c1)
    search = Search(settings, 2, 3)
    for _ in range(18 if simulations else 60):
        result = search.run(*model.root(0, 1, 2), model)
        model.logits = model.rewards + discount * result.values[model.following]
    np.testing.assert_allclose(model.logits, best, atol=1e-3)
    result = search.run(*model.root(0, 1, 2), model)
    np.testing.assert_allclose(result.values, best.max(axis=1), atol=1e-3)
    np.testing.assert_array_equal(result.action, best.argmax(axis=1))


def test_gumbel_search_improves_a_uniform_policy() -> None:
    discount = 0.8
    q = TableModel(FOLLOWING, REWARDS).optimal(discount)
    model = TableModel(FOLLOWING, REWARDS, q.max(axis=1))
    settings = SearchSettings(kind="gumbel", simulations=8, discount=discount)
    result = Search(settings, 2, 3).run(*model.root(0, 1, 2), model)
    np.testing.assert_array_equal(result.action, q.argmax(axis=1))
    np.testing.assert_array_equal(result.policy.argmax(axis=1), q.argmax(axis=1))


@pytest.mark.parametrize("kind", ["puct", "gumbel"])
def test_a_reward_belongs_to_the_edge_on_which_it_was_predicted(kind: Kind) -> None:
    # only action 1 at state 0 pays, and both actions lead to the same place
    model = TableModel([[1, 1], [1, 1]], [[0.0, 5.0], [0.0, 0.0]])
    settings = SearchSettings(kind=kind, simulations=12, discount=0.9)
    search = Search(settings, 2, 1)
    for _ in range(2):  # nothing is left over from a search before
        result = search.run(*model.root(0), model)
        np.testing.assert_array_equal(result.q, [[0.0, 5.0]])


def test_the_first_visit_of_an_edge_is_its_whole_mean() -> None:
    model = TableModel([[1, 2], [1, 1], [2, 2]], [[1.0, 3.0], [0, 0], [0, 0]], [0.0, 10.0, 20.0])
    settings = SearchSettings(simulations=2, discount=0.5, ties="first")
    result = Search(settings, 2, 1).run(*model.root(0), model)
    np.testing.assert_array_equal(result.visits, [[1, 1]])
    np.testing.assert_array_equal(result.q, [[1 + 0.5 * 10, 3 + 0.5 * 20]])
    np.testing.assert_allclose(result.values, [(0 + 6 + 13) / 3])


def test_a_network_s_q_counts_as_one_visit() -> None:
    q = [[2.0, 0.0], [4.0, 1.0]]
    model = TableModel([[1, 1], [1, 1]], [[1.0, 1.0], [0.0, 0.0]], logits=q)
    settings = SearchSettings(kind="q_ucb", simulations=1, discount=0.5, c1=0.25)
    result = Search(settings, 2, 1).run(*model.root(0), model)
    np.testing.assert_array_equal(result.visits, [[1, 0]])
    np.testing.assert_array_equal(result.q, [[(2 + (1 + 0.5 * 4)) / 2, 0.0]])


def test_without_simulations_the_network_decides() -> None:
    model = TableModel([[0, 0, 0]], [[0.0, 0.0, 0.0]], logits=[[0.1, 0.9, 0.3]])
    prior = np.exp(model.logits) / np.exp(model.logits).sum()
    for kind in ("puct", "gumbel", "q_ucb"):
        settings = SearchSettings(kind=kind, simulations=0)
        result = Search(settings, 3, 1).run(*model.root(0), model)
        assert result.action == [1]
        assert result.visits.sum() == 0
        if kind == "q_ucb":
            np.testing.assert_array_equal(result.q, model.logits)
        else:
            np.testing.assert_allclose(result.policy, prior)


# the halving gives up a reply too early, now and then, of which it has seen five visits
@pytest.mark.parametrize(("kind", "simulations"), [("puct", 50), ("gumbel", 200)])
def test_at_tic_tac_toe_every_win_is_taken_and_every_threat_is_met(
    kind: Kind, simulations: int
) -> None:
    boards = known_models.positions()
    wins, threats = known_models.winning(boards, 1), known_models.winning(boards, -1)
    forced = wins.any(axis=1) | (threats.sum(axis=1) == 1)
    boards, wins, threats = boards[forced], wins[forced], threats[forced]
    # moves that can be told to be right by looking: win now, else block the only threat
    right = np.where(wins.any(axis=1, keepdims=True), wins, threats)
    settings = SearchSettings(kind=kind, simulations=simulations, discount=1.0, two_player=True)
    result = Search(settings, 9, len(boards)).run(
        boards, known_models.logits(boards), np.zeros(len(boards)), TicTacToe()
    )
    every = np.arange(len(boards))
    lost = threats.any(axis=1) & ~wins.any(axis=1)
    assert np.count_nonzero(wins.any(axis=1)) > 500
    assert np.count_nonzero(lost) > 500
    assert right[every, result.action].all()
    assert not result.visits[boards != 0].any()


def test_at_tic_tac_toe_a_lost_game_has_the_value_of_a_loss() -> None:
    # the other side threatens twice: whatever is played, the next move loses
    boards = np.array([[-1, -1, 0, -1, 1, 0, 0, 0, 1]], np.int8)
    assert known_models.winning(boards, -1).sum() == 2
    settings = SearchSettings(simulations=400, discount=1.0, two_player=True)
    result = Search(settings, 9, 1).run(
        boards, known_models.logits(boards), np.zeros(1), TicTacToe(), noise=Noise()
    )
    assert result.values[0] < -0.8
