"""|q(p(s_k))/|.| - p'(h'(o_k))/|.||², k > 0: self-predictive representations (Schwarzer et al.
2021); h', p' follow h, p slowly."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from agents.muzero.beginning import begin
from agents.muzero.networks import Network
from agents.muzero.self_supervision.base import Momentum, SelfSupervision, Unrolled, flat


class SPR(SelfSupervision):
    """A projection p and a predictor q, both linear.

    Args:
        network: that h' begins as.
        features: of a latent state.
        width: of projections.
        rate: share of h and p that h' and p' take over after each update.
        rng: the first parameters.
    """

    def __init__(
        self, network: Network, features: int, width: int, rate: float, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self._projection, self._predictor = nn.Linear(features, width), nn.Linear(width, width)
        begin(self, rng)
        self._target = Momentum(network, self._projection, rate)

    def forward(self, network: Network, unrolled: Unrolled) -> Tensor:
        states, observations, _, scales = unrolled
        predicted = self._predictor(self._projection(flat(states[1:])))
        wanted = self._target(observations[1:])
        likeness = functional.cosine_similarity(predicted, wanted)
        return ((2 - 2 * likeness) * scales[1:].reshape(-1)).sum()

    def follow(self, network: Network) -> None:
        self._target.follow(network, self._projection)
