"""-cos(q(p(s_k)), sg(p(h(o_k)))), k > 0: SimSiam (Chen & He 2021), as in EfficientZero."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.muzero.beginning import begin
from agents.muzero.networks import Network
from agents.muzero.self_supervision.base import SelfSupervision, Unrolled, flat, seen


def _layer(reads: int, writes: int) -> list[nn.Module]:
    return [nn.Linear(reads, writes), nn.BatchNorm1d(writes), nn.ReLU()]


class SimSiam(SelfSupervision):
    """A projection p of three layers, a predictor q of two.

    Args:
        features: of a latent state.
        width: of projections; the predictor's hidden layer has half of it.
        rng: the first parameters.
    """

    def __init__(self, features: int, width: int, rng: np.random.Generator) -> None:
        super().__init__()
        half = max(1, width // 2)
        self._projection = nn.Sequential(
            *_layer(features, width),
            *_layer(width, width),
            nn.Linear(width, width),
            nn.BatchNorm1d(width),
        )
        self._predictor = nn.Sequential(*_layer(width, half), nn.Linear(half, width))
        begin(self, rng)

    def forward(self, network: Network, unrolled: Unrolled) -> Tensor:
        states, observations, _, scales = unrolled
        predicted = self._predictor(self._projection(flat(states[1:])))
        with torch.no_grad():
            wanted = self._projection(seen(network, observations[1:]).flatten(1))
        likeness = functional.cosine_similarity(predicted, wanted)
        return -(likeness * scales[1:].reshape(-1)).sum()
