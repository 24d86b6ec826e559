"""Searches over actions of a box, drawn at each node from the policy there."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import networks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agents.search.mlp import MLPModel
from agents.search.model import Steps
from agents.search.sampling import MEAN_BOUND, SampledModel, Sampling
from agents.search.scalars import Support
from agents.search.search import Engine, Search, SearchResult, draw_noise
from agents.search.settings import SearchSettings

samplings = st.builds(
    Sampling,
    samples=st.integers(5, 9),
    dimensions=st.integers(1, 3),
    low=st.sampled_from([0.1, 0.5]),
    high=st.sampled_from([1.0, 2.0]),
    broad=st.sampled_from([0, 1, 4]),
    broad_scale=st.sampled_from([1.5, 3.0]),
    density=st.booleans(),
)


def normalised(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    weights = np.exp(logits - logits.max())
    share: NDArray[np.floating] = weights / weights.sum()
    return share


@given(samplings, st.integers(0, 2**31))
@settings(max_examples=40)
def test_a_prior_is_the_policy_by_what_samples_come_from(sampling: Sampling, seed: int) -> None:
    rng = np.random.default_rng(seed)
    K, D = sampling.samples, sampling.dimensions
    outputs, draws = 2 * rng.normal(size=2 * D), rng.normal(size=(K, D))
    means = [MEAN_BOUND * math.tanh(m / MEAN_BOUND) for m in outputs[:D]]
    spreads = [
        sampling.low + (sampling.high - sampling.low) / (1 + math.exp(-s)) for s in outputs[D:]
    ]
    u = sampling.draw(outputs, draws)
    weights = []
    for k in range(K):
        scale = sampling.broad_scale if k >= K - sampling.broad else 1.0
        policy = wide = slope = 1.0
        for d, (mean, std) in enumerate(zip(means, spreads, strict=True)):
            assert u[k, d] == pytest.approx(mean + scale * std * draws[k, d])
            policy *= NormalDist(mean, std).pdf(u[k, d])
            wide *= NormalDist(mean, sampling.broad_scale * std).pdf(u[k, d])
            slope *= 1 / math.cosh(u[k, d]) ** 2  # da/du
        drawn_from = ((K - sampling.broad) * policy + sampling.broad * wide) / K
        weights.append(policy / slope if sampling.density else policy / drawn_from)
    expected = np.array(weights) / sum(weights)
    assert normalised(sampling.log_priors(outputs, draws)) == pytest.approx(expected, rel=1e-6)


def test_means_by_the_prior_are_means_by_the_policy() -> None:
    """However broadly samples are drawn; the mean of tanh is known from many plain ones."""
    rng = np.random.default_rng(0)
    outputs = np.array([0.4, -0.3])
    plain = Sampling(200_000, 1)
    wanted = np.tanh(plain.draw(outputs, rng.normal(size=(200_000, 1)))).mean()
    for broad in (0, 10_000, 19_999):
        sampling = Sampling(20_000, 1, broad=broad)
        draws = rng.normal(size=(20_000, 1))
        share = normalised(sampling.log_priors(outputs, draws))
        found = (share * np.tanh(sampling.draw(outputs, draws))[:, 0]).sum()
        assert found == pytest.approx(wanted, abs=0.03)


@given(
    samplings,
    st.sampled_from(["puct", "gumbel"]),
    st.integers(0, 24),
    st.integers(1, 3),
    st.integers(0, 2**31),
)
@settings(max_examples=20, deadline=None)
def test_engines_agree(
    sampling: Sampling, kind: Any, simulations: int, batch: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rules = SearchSettings(kind=kind, simulations=simulations, discount=0.9)
    layers = networks.random_layers(rng, actions=sampling.dimensions, bins=5, dtype=np.float32)
    head = networks.dense(rng, [8, sampling.outputs], np.float32)
    support = Support(-3.0, 3.0, 5)
    model = MLPModel(
        layers._replace(policy=head),
        sampling.dimensions,
        continuous=True,
        residual=True,
        value_support=support,
        reward_support=support,
    )
    latents, outputs, values = networks.random_roots(rng, model, batch)
    draws = rng.normal(size=(batch, simulations + 1, sampling.samples, sampling.dimensions))
    noise = draw_noise(rules, batch, sampling.samples, rng, explore=True)
    engines: tuple[Engine, ...] = ("numpy", "numba", "fused")
    found = []
    for engine in engines:
        sampled = SampledModel(model, sampling, draws)
        numbers, logits = sampled.begin(latents, outputs)
        search = Search(rules, sampling.samples, batch + 1, engine=engine)
        found.append(search.run(numbers, logits, values, sampled, noise=noise))
    for other in found[1:]:
        assert np.array_equal(other.visits, found[0].visits)
        assert np.array_equal(other.action, found[0].action)
        assert other.values == pytest.approx(found[0].values, abs=1e-4)
        assert other.policy == pytest.approx(found[0].policy, abs=1e-3)


class Target:
    """Whoever comes near to a place [D] is paid, 0 there and less elsewhere; then it is over. A
    latent state is whether the step was taken."""

    def __init__(self, place: NDArray[np.floating]) -> None:
        self.place = place

    def recurrent(self, latents: NDArray[Any], actions: NDArray[Any]) -> Steps:
        fresh = latents[:, 0] == 0
        rewards = np.where(fresh, -np.square(actions - self.place).sum(axis=1), 0.0)
        outputs = np.zeros((len(actions), 2 * len(self.place)))
        return Steps(np.ones_like(latents), rewards, outputs, np.zeros(len(actions)))


def search_target(
    kind: Any, place: NDArray[np.floating], simulations: int, rng: np.random.Generator
) -> tuple[SearchResult, NDArray[np.floating]]:
    """Of 16 roots, and their samples [16, K, D] as actions."""
    sampling = Sampling(12, len(place))
    rules = SearchSettings(kind=kind, simulations=simulations, unvisited_q="parent_value")
    draws = rng.normal(size=(16, simulations + 1, 12, len(place)))
    model = SampledModel(Target(place), sampling, draws)
    numbers, logits = model.begin(np.zeros((16, 1)), np.zeros((16, sampling.outputs)))
    search = Search(rules, 12, 16)
    noise = draw_noise(rules, 16, 12, rng, explore=False)
    result = search.run(numbers, logits, np.zeros(16), model, noise=noise)
    return result, np.tanh(model.samples())


@pytest.mark.parametrize(("kind", "simulations"), [("puct", 100), ("gumbel", 24)])
@pytest.mark.parametrize("dimensions", [1, 2])
def test_it_finds_the_best_sample_of_a_problem_of_one_step(
    kind: str, simulations: int, dimensions: int
) -> None:
    rng = np.random.default_rng(dimensions)
    place = rng.uniform(-0.9, 0.9, dimensions)
    result, actions = search_target(kind, place, simulations, rng)
    lost = np.square(actions - place).sum(axis=2)
    taken = np.take_along_axis(lost, result.action[:, None], axis=1)[:, 0]
    assert (taken <= lost.min(axis=1) + 0.01).all()
    # and more than by chance it advises what is near
    assert ((result.policy * lost).sum(axis=1) < 0.7 * lost.mean(axis=1)).all()
