"""One search, three engines: equal visit counts, actions and policies for equal random numbers."""

from __future__ import annotations

from typing import Any

import networks
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.search.search import Engine, Search, SearchResult, draw_noise
from agents.search.settings import SearchSettings

ENGINES: tuple[Engine, ...] = ("numpy", "numba", "fused")

options = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["puct", "gumbel", "q_ucb"]),
        "simulations": st.integers(0, 24),
        "discount": st.sampled_from([0.9, 1.0]),
        "two_player": st.booleans(),
        "q_normalisation": st.sampled_from(["tree", "node", "none"]),
        "q_bounds": st.sampled_from(["ever", "current"]),
        "normalisation_floor": st.sampled_from([1e-8, 0.01, 1.0]),
        "unvisited_q": st.sampled_from(["worst", "parent_mean", "parent_value"]),
        "own_visit": st.sampled_from(["always", "below_root", "never"]),
        "ties": st.sampled_from(["random", "first"]),
        "max_considered": st.sampled_from([1, 2, 3, 16]),
        "rescale_q": st.booleans(),
        "completed_q": st.sampled_from(["mixed", "network"]),
    }
)
networks_of = st.fixed_dictionaries(
    {
        "latent": st.integers(1, 9),
        "hidden": st.integers(1, 17),
        "bins": st.sampled_from([1, 5, 21]),
        "trunk": st.booleans(),
        "activation": st.sampled_from(["relu", "tanh", "elu", "silu"]),
        "transform": st.sampled_from(["none", "activation", "tanh", "min_max"]),
        "residual": st.booleans(),
    }
)


def searched(
    engine: Engine, seed: int, batch: int, actions: int, explore: bool, of: Any, network: Any
) -> SearchResult:
    rng = np.random.default_rng(seed)
    rules = SearchSettings(**of)
    q_values = rules.kind == "q_ucb"
    model = networks.random_model(rng, actions=actions, q_values=q_values, **network)
    roots = networks.random_roots(rng, model, batch)
    legal = rng.random((batch, actions)) > 0.3
    legal[:, rng.integers(actions)] = True
    noise = draw_noise(rules, batch, actions, rng, explore=explore, legal=legal)
    search = Search(rules, actions, batch + 1, engine=engine)
    return search.run(*roots, model, legal=legal, noise=noise)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    batch=st.integers(1, 3),
    actions=st.integers(1, 6),
    explore=st.booleans(),
    of=options,
    network=networks_of,
)
def test_engines_find_the_same(
    seed: int, batch: int, actions: int, explore: bool, of: Any, network: Any
) -> None:
    plain, *others = (
        searched(engine, seed, batch, actions, explore, of, network) for engine in ENGINES
    )
    assert (plain.visits.sum(axis=1) == of["simulations"]).all()
    np.testing.assert_allclose(plain.policy.sum(axis=1), 1.0)
    for other in others:
        np.testing.assert_array_equal(other.visits, plain.visits)
        np.testing.assert_array_equal(other.action, plain.action)
        np.testing.assert_allclose(other.policy, plain.policy, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(other.values, plain.values, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(other.q, plain.q, rtol=1e-6, atol=1e-9)
