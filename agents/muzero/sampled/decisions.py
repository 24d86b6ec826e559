"""Searches over sampled actions of a box, in training, in evaluation, and of what was stored."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.muzero.decisions import Advice, Decisions
from agents.muzero.interfaces import Inference
from agents.muzero.sampled.box import packed
from agents.muzero.settings import MuZeroSettings
from agents.search.mlp import MLPModel
from agents.search.sampling import SampledModel, Sampling
from agents.search.search import SearchResult, draw_noise, sample_actions

Floats = NDArray[np.float32]


class SampledDecisions(Decisions):
    """See `Decisions`: actions are [B, D] in [-1, 1], and policies those of
    `agents.muzero.sampled.box`. Masks have no meaning."""

    def __init__(
        self, settings: MuZeroSettings, sampling: Sampling, discount: float, *, two_player: bool
    ) -> None:
        super().__init__(settings, sampling.samples, discount, two_player=two_player)
        self._sampling, self._mean = sampling, settings.evaluated_action == "mean"

    def explore(
        self,
        network: Inference,
        stored: NDArray[Any],
        observations: Floats,
        legal: NDArray[np.bool_] | None,
        temperature: float | NDArray[np.float64],
        rng: np.random.Generator,
        epsilon: float = 0.0,
    ) -> Advice:
        result, samples, network_values = self._over_samples(network, observations, rng)
        chosen = result.action
        if not self._gumbel:
            chosen = sample_actions(result.visits, temperature, rng)
        return Advice(
            stored,
            None,
            np.tanh(samples[np.arange(len(chosen)), chosen]).astype(np.float32),
            packed(result.policy, samples),
            result.values.astype(np.float32),
            network_values,
        )

    def greedy(
        self,
        network: Inference,
        observations: Floats,
        legal: NDArray[np.bool_] | None,
        rng: np.random.Generator,
        epsilon: float = 0.0,
    ) -> Floats:
        result, samples, _ = self._over_samples(network, observations, rng, explore=False)
        actions = np.tanh(samples)
        if self._mean:
            mean: Floats = np.einsum("bk,bkd->bd", result.policy, actions).astype(np.float32)
            return mean
        best: Floats = actions[np.arange(len(actions)), result.action].astype(np.float32)
        return best

    def search(
        self,
        network: Inference,
        observations: Floats,
        legal: NDArray[np.bool_] | None,
        rng: np.random.Generator,
        *,
        explore: bool = True,
    ) -> tuple[SearchResult, Floats]:
        result, samples, values = self._over_samples(network, observations, rng, explore=explore)
        policies = packed(result.policy, samples).astype(np.float64)
        return result._replace(policy=policies), values

    def _over_samples(
        self,
        network: Inference,
        observations: Floats,
        rng: np.random.Generator,
        *,
        explore: bool = True,
    ) -> tuple[SearchResult, NDArray[np.floating], Floats]:
        """What searches find over fresh samples, the roots' samples [B, K, D] before they are
        squashed, and the network's values [B]."""
        settings, sampling = self._settings[explore], self._sampling
        latents, outputs, values = network.roots(observations)
        B, values = len(observations), values.copy()
        nodes = settings.simulations + 1
        draws = rng.standard_normal((B, nodes, sampling.samples, sampling.dimensions))
        noise = draw_noise(settings, B, sampling.samples, rng, explore=explore)
        model = SampledModel(network.model, sampling, draws)
        numbers, logits = model.begin(latents, outputs)
        search = self._search(explore, B, fused=isinstance(network.model, MLPModel))
        found = search.run(numbers, logits, values, model, noise=noise)
        return found, model.samples(), values
