"""What holds for every search."""

from __future__ import annotations

from typing import Any

import networks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_models import TableModel

from agents.search.mlp import MLPModel
from agents.search.search import Engine, Noise, Search, draw_noise, sample_actions
from agents.search.settings import SearchSettings
from agents.search.trees import considered_visits


@settings(max_examples=30)
@given(
    kind=st.sampled_from(["puct", "gumbel", "q_ucb"]),
    seed=st.integers(0, 2**32),
    simulations=st.integers(1, 30),
)
def test_illegal_actions_are_never_taken_and_all_simulations_count(
    kind: Any, seed: int, simulations: int
) -> None:
    # illegal at the root by the mask, and everywhere by the model's word
    rng = np.random.default_rng(seed)
    states, actions = 6, 5
    legal = rng.random((states, actions)) > 0.5
    legal[0, rng.integers(actions)] = True  # others may have none: they are ends
    logits = np.where(legal, rng.normal(size=legal.shape), -np.inf)
    following = rng.integers(states, size=legal.shape)
    values = rng.normal(size=states)
    model = TableModel(following, rng.normal(size=legal.shape), values, logits)
    rules = SearchSettings(kind=kind, simulations=simulations)
    mask = rng.random((1, actions)) > 0.5
    mask[0, legal[0].argmax()] = True
    search = Search(rules, actions, 2)
    noise = draw_noise(rules, 1, actions, rng, explore=True, legal=mask & legal[:1])
    result = search.run(*model.root(0), model, legal=mask, noise=noise)
    allowed = (mask & legal[:1])[0]
    assert result.visits.sum() == simulations
    assert not result.visits[0, ~allowed].any()
    assert not result.policy[0, ~allowed].any()
    assert allowed[result.action[0]]
    assert (result.q[0, ~allowed] == -np.inf).all()
    nodes = search.trees.nodes[0]
    states_of = [0]
    for n in range(1, simulations + 1):
        above, action = states_of[nodes["parent"][n]], nodes["action"][n]
        there = legal[above] if nodes["parent"][n] > 0 else allowed
        assert there[action] or not there.any()
        states_of.append(following[above, action])


def test_a_root_without_legal_actions_is_refused() -> None:
    model = TableModel([[0, 0]], [[0.0, 0.0]])
    with pytest.raises(ValueError, match="its episode is over"):
        Search(SearchSettings(), 2, 1).run(*model.root(0), model, legal=np.zeros((1, 2), bool))


def test_more_roots_than_there_is_room_for_are_refused() -> None:
    model = TableModel([[0, 0]], [[0.0, 0.0]])
    with pytest.raises(ValueError, match="room for 1 roots"):
        Search(SearchSettings(), 2, 1).run(*model.root(0, 0), model)


def test_the_engine_fused_refuses_what_is_no_network() -> None:
    model = TableModel([[0, 0]], [[0.0, 0.0]])
    with pytest.raises(ValueError, match="not TableModel: take numba"):
        Search(SearchSettings(), 2, 1, engine="fused").run(*model.root(0), model)


def test_a_setting_out_of_range_is_named() -> None:
    with pytest.raises(ValueError, match="discount of the search"):
        SearchSettings(discount=1.5)


def test_noise_is_the_generator_s_and_leaves_evaluation_alone() -> None:
    rules = SearchSettings(root_dirichlet_alpha=0.01)
    legal = np.array([[True, False, True]] * 50)
    first, again = (
        draw_noise(rules, 50, 3, np.random.default_rng(3), explore=True, legal=legal)
        for _ in range(2)
    )
    assert first.dirichlet is not None and first.ties is not None and again.ties is not None
    np.testing.assert_array_equal(first.ties, again.ties)
    np.testing.assert_allclose(first.dirichlet.sum(axis=1), 1.0)
    assert not first.dirichlet[~legal].any()
    evaluation = draw_noise(rules, 50, 3, np.random.default_rng(3), explore=False)
    assert evaluation.dirichlet is None and evaluation.gumbel is None


def test_random_ties_spread_over_equal_actions() -> None:
    model = TableModel([[0, 0, 0]], [[0.0, 0.0, 0.0]])
    rules = SearchSettings(simulations=1)
    roots = model.root(*[0] * 300)
    noise = draw_noise(rules, 300, 3, np.random.default_rng(0), explore=False)
    search = Search(rules, 3, 300)
    assert (search.run(*roots, model, noise=noise).visits.sum(axis=0) > 70).all()
    np.testing.assert_array_equal(
        search.run(*roots, model, noise=Noise()).visits.sum(axis=0), [300, 0, 0]
    )


def test_the_more_visits_the_likelier_the_action() -> None:
    visits = np.array([[0, 10, 30]] * 4000)
    rng = np.random.default_rng(0)
    share = np.bincount(sample_actions(visits, 1.0, rng), minlength=3) / 4000
    np.testing.assert_allclose(share, [0, 0.25, 0.75], atol=0.03)
    share = np.bincount(sample_actions(visits, 0.5, rng), minlength=3) / 4000
    np.testing.assert_allclose(share, [0, 0.1, 0.9], atol=0.03)
    assert (sample_actions(visits, 0.0, rng) == 2).all()
    # each of them by a temperature of its own
    temperatures = (np.arange(len(visits)) % 2).astype(np.float64)
    drawn = sample_actions(visits, temperatures, rng)
    assert (drawn[::2] == 2).all()
    assert set(drawn[1::2]) == {1, 2}


def test_halving_gives_each_round_its_share() -> None:
    # 4 actions, 16 simulations: two rounds of 8, the first 2 visits for 4, the second 4 for 2
    assert considered_visits(4, 16) == [0] * 4 + [1] * 4 + [2, 2, 3, 3, 4, 4, 5, 5]
    assert considered_visits(1, 3) == [0, 1, 2]
    assert considered_visits(8, 3) == [0, 0, 0]


def test_a_constant_latent_state_is_no_division_by_zero() -> None:
    rng = np.random.default_rng(0)
    layers = networks.random_layers(rng, actions=2, latent=4)
    weight, bias = layers.dynamics[-1]
    constant = (np.zeros_like(weight), np.full_like(bias, 0.5))
    dynamics = [*layers.dynamics[:-1], constant]
    model = MLPModel(layers._replace(dynamics=dynamics), 2, transform="min_max")
    latents = np.zeros((1, 4))
    engines: tuple[Engine, ...] = ("numpy", "fused")
    for engine in engines:
        search = Search(SearchSettings(), 2, 1, engine=engine)
        result = search.run(latents, *model.predict(latents), model)
        assert np.isfinite(result.values).all()
        assert result.visits.sum() == 16


def test_layers_that_do_not_fit_are_named() -> None:
    layers = networks.random_layers(np.random.default_rng(0), actions=2, latent=4)
    with pytest.raises(ValueError, match="a layer of dynamics reads 6 features, not 7"):
        MLPModel(layers, 3)
    with pytest.raises(ValueError, match="value has 2 outputs, not 1"):
        MLPModel(layers._replace(value=layers.policy), 2)
