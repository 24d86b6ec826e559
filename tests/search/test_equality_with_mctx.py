"""mctx is the oracle: equal trees, node by node, equal actions and policy targets.

In double precision, so that rounding decides no choice; mctx's own random numbers are handed on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import networks
import numpy as np
import pytest
from numpy.typing import NDArray

from agents.search.mlp import MLPModel
from agents.search.search import Noise, Search, SearchResult
from agents.search.settings import SearchSettings

BATCH = 12


@pytest.fixture(scope="module")
def jax() -> Iterator[Any]:
    # compiling is most of what these tests cost
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
    )
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    jax = pytest.importorskip("jax", reason="jax is not installed: tests/requirements.txt has it")
    pytest.importorskip("mctx", reason="mctx is not installed: tests/requirements.txt has it")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield jax
    jax.config.update("jax_enable_x64", before)


class Roots:
    """Roots of a random network, a third of whose actions are masked in half of them."""

    def __init__(self, actions: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.actions = actions
        self.model = networks.random_model(self.rng, actions=actions, transform="tanh")
        self.latents, self.logits, self.values = networks.random_roots(self.rng, self.model, BATCH)
        self.legal = self.rng.random((BATCH, actions)) > 1 / 3
        self.legal[: BATCH // 2] = True
        self.legal[:, 0] |= ~self.legal.any(axis=1)

    def search(self, settings: SearchSettings, noise: Noise) -> tuple[Search, SearchResult]:
        search = Search(settings, self.actions, BATCH)
        result = search.run(
            self.latents, self.logits, self.values, self.model, legal=self.legal, noise=noise
        )
        return search, result


def recurrent(jax: Any, model: MLPModel, discount: float) -> Any:
    """The network as mctx calls it."""
    import mctx

    jnp = jax.numpy
    # dynamics of two layers, one layer for each of the others
    (first, second), (reward,), (trunk,), (policy,), (value,) = model._stacks

    def linear(layer: Any, x: Any) -> Any:
        return x @ layer[0] + layer[1]

    def call(_: Any, __: Any, actions: Any, latents: Any) -> Any:
        hot = jax.nn.one_hot(actions, model.actions)
        hidden = jax.nn.relu(linear(first, jnp.concatenate([latents, hot], axis=1)))
        following = jnp.tanh(linear(second, hidden))
        features = jax.nn.relu(linear(trunk, following))
        output = mctx.RecurrentFnOutput(
            reward=linear(reward, following)[:, 0],
            discount=jnp.full(len(actions), discount),
            prior_logits=linear(policy, features),
            value=linear(value, features)[:, 0],
        )
        return output, following

    return call


def assert_equal_trees(search: Search, tree: Any) -> None:
    """The same nodes, edges and statistics."""
    nodes, edges = search.trees.nodes, search.trees.edges
    np.testing.assert_array_equal(edges["visits"], tree.children_visits)
    np.testing.assert_array_equal(edges["child"], tree.children_index)
    np.testing.assert_array_equal(nodes["visits"], tree.node_visits)
    np.testing.assert_array_equal(nodes["parent"], tree.parents)
    np.testing.assert_allclose(nodes["value"], tree.node_values, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(nodes["evaluation"], tree.raw_values, rtol=1e-9, atol=1e-12)
    visited = edges["visits"] > 0
    q = tree.children_rewards + tree.children_discounts * tree.children_values
    np.testing.assert_allclose(edges["q"][visited], np.asarray(q)[visited], rtol=1e-9, atol=1e-12)


def masked(logits: NDArray[np.float64], legal: NDArray[np.bool_]) -> NDArray[np.float64]:
    """As mctx masks."""
    return np.where(legal, logits, np.finfo(np.float64).min)


@pytest.mark.parametrize(("actions", "simulations", "two_player"), [(2, 50, False), (18, 24, True)])
def test_puct_grows_the_trees_of_mctx(
    jax: Any, actions: int, simulations: int, two_player: bool
) -> None:
    import mctx

    settings = SearchSettings(
        simulations=simulations, q_normalisation="node", two_player=two_player, ties="first"
    )
    roots = Roots(actions, seed=actions)
    dirichlet = roots.rng.dirichlet([0.3] * actions, BATCH) * roots.legal
    dirichlet /= dirichlet.sum(axis=1, keepdims=True)
    prior = np.exp(masked(roots.logits - roots.logits.max(axis=1, keepdims=True), roots.legal))
    mixed = 0.75 * prior / prior.sum(axis=1, keepdims=True) + 0.25 * dirichlet
    with np.errstate(divide="ignore"):
        logits = masked(np.log(mixed), roots.legal)

    @jax.jit
    def oracle(key: Any) -> Any:
        return mctx.search(
            None,
            key,
            root=mctx.RootFnOutput(
                prior_logits=jax.numpy.asarray(logits),
                value=jax.numpy.asarray(roots.values),
                embedding=jax.numpy.asarray(roots.latents),
            ),
            recurrent_fn=recurrent(jax, roots.model, settings.signed_discount),
            root_action_selection_fn=lambda *of: mctx.muzero_action_selection(*of, depth=0),
            interior_action_selection_fn=mctx.muzero_action_selection,
            num_simulations=simulations,
            invalid_actions=jax.numpy.asarray(~roots.legal, float),
        )

    tree = oracle(jax.random.PRNGKey(0))
    search, result = roots.search(settings, Noise(dirichlet=dirichlet))
    assert_equal_trees(search, tree)
    summary = tree.summary()
    np.testing.assert_array_equal(result.visits, summary.visit_counts)
    np.testing.assert_allclose(result.policy, summary.visit_probs, rtol=1e-12)
    np.testing.assert_allclose(result.values, summary.value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("actions", "simulations"), [(5, 4), (18, 50)])
def test_gumbel_grows_the_trees_of_mctx(jax: Any, actions: int, simulations: int) -> None:
    import mctx

    settings = SearchSettings(
        kind="gumbel", simulations=simulations, two_player=actions == 5, ties="first"
    )
    roots = Roots(actions, seed=simulations)

    @jax.jit
    def oracle(key: Any) -> Any:
        return mctx.gumbel_muzero_policy(
            None,
            key,
            mctx.RootFnOutput(
                prior_logits=jax.numpy.asarray(roots.logits),
                value=jax.numpy.asarray(roots.values),
                embedding=jax.numpy.asarray(roots.latents),
            ),
            recurrent(jax, roots.model, settings.signed_discount),
            num_simulations=simulations,
            invalid_actions=jax.numpy.asarray(~roots.legal, float),
        )

    output = oracle(jax.random.PRNGKey(1))
    gumbel = np.asarray(output.search_tree.extra_data.root_gumbel)
    search, result = roots.search(settings, Noise(gumbel=gumbel))
    assert_equal_trees(search, output.search_tree)
    np.testing.assert_array_equal(result.visits, output.search_tree.summary().visit_counts)
    np.testing.assert_array_equal(result.action, output.action)
    np.testing.assert_allclose(result.policy, output.action_weights, rtol=1e-9, atol=1e-12)
