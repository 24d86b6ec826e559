"""Which observation belongs to a state: CURL (Laskin et al. 2020).

z_i = p(s_i) is told from the batch's keys z'_j = p'(h'(o_j)), h', p' slow copies, by a bilinear
score: -ln softmax_j(z_i W z'_j) at j = i, k >= 0.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from agents.muzero.beginning import begin
from agents.muzero.networks import Network
from agents.muzero.self_supervision.base import Momentum, SelfSupervision, Unrolled, flat
from agents.muzero.self_supervision.contrast import comparable, cross_entropies


class CURL(SelfSupervision):
    """A projection p, linear and normalised by layer.

    Args:
        network: that h' begins as.
        features: of a latent state.
        width: of projections.
        rate: share of h and p that h' and p' take over after each update.
        temperature: that scores are divided by.
        within_sequences: whether other steps of the same sequence are negatives too.
        rng: the first parameters.
    """

    def __init__(
        self,
        network: Network,
        features: int,
        width: int,
        *,
        rate: float,
        temperature: float,
        within_sequences: bool,
        rng: np.random.Generator,
    ) -> None:
        super().__init__()
        self._temperature, self._within = temperature, within_sequences
        self._projection = nn.Sequential(nn.Linear(features, width), nn.LayerNorm(width))
        self._bilinear = nn.Linear(width, width, bias=False)
        begin(self, rng)
        self._keys = Momentum(network, self._projection, rate)

    def forward(self, network: Network, unrolled: Unrolled) -> Tensor:
        del network
        states, observations, rows, scales = unrolled
        keys = self._bilinear(self._keys(observations))
        scores = self._projection(flat(states)) @ keys.mT / self._temperature
        told = comparable(rows, within_sequences=self._within)
        losses, _ = cross_entropies(scores, told)
        return (losses * scales.reshape(-1)).sum()

    def follow(self, network: Network) -> None:
        self._keys.follow(network, self._projection)
