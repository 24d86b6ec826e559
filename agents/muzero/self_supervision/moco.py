"""Which observation belongs to a state, told from a queue of earlier ones: MoCo (He et al. 2020).

Of queries q_i = p(s_i), keys k_i = p'(h'(o_i)), h', p' slow copies, and a queue of the last keys
k'_j, all of length 1:

    -ln (exp(q_i k_i/τ) / (exp(q_i k_i/τ) + Σ_j exp(q_i k'_j/τ))), k >= 0

A key of the same observation in the queue is left out of the sum.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.muzero.beginning import begin
from agents.muzero.networks import Network
from agents.muzero.self_supervision.base import Momentum, SelfSupervision, Unrolled, flat


class MoCo(SelfSupervision):
    """A projection p of two layers.

    Args:
        network: that h' begins as.
        features: of a latent state.
        width: of projections.
        rate: share of h and p that h' and p' take over after each update.
        temperature: τ.
        queue: keys that it holds.
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
        queue: int,
        rng: np.random.Generator,
    ) -> None:
        super().__init__()
        self._temperature = temperature
        self._projection = nn.Sequential(
            nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width)
        )
        begin(self, rng)
        self._keys = Momentum(network, self._projection, rate)
        self.queue: Tensor
        self.rows: Tensor
        self.written: Tensor
        self.register_buffer("queue", torch.zeros(queue, width))
        # of which observations these are; -1: of none yet
        self.register_buffer("rows", torch.full((queue,), -1))
        self.register_buffer("written", torch.zeros(1, dtype=torch.long))

    def forward(self, network: Network, unrolled: Unrolled) -> Tensor:
        del network
        states, observations, rows, scales = unrolled
        queries = functional.normalize(self._projection(flat(states)), dim=-1) / self._temperature
        keys = functional.normalize(self._keys(observations), dim=-1)
        own = (queries * keys).sum(-1).float().view_as(scales)
        # by steps, to hold less at once
        others = torch.stack(
            [
                self._against_queue(*step)
                for step in zip(queries.view(*rows.shape, -1), rows, strict=True)
            ]
        )
        loss = ((torch.logaddexp(own, others) - own) * scales).sum()
        known = rows.reshape(-1) >= 0
        self._enqueue(keys[known], rows.reshape(-1)[known])
        return loss

    def _against_queue(self, queries: Tensor, rows: Tensor) -> Tensor:
        """[B] ln Σ_j exp(q_i k'_j) of queries [B, width] of observations at these places."""
        left_out = (self.rows < 0) | (self.rows == rows[:, None])
        scores = (queries @ self.queue.mT).float()
        return scores.masked_fill_(left_out, -torch.inf).logsumexp(1)

    @torch.no_grad()
    def _enqueue(self, keys: Tensor, rows: Tensor) -> None:
        """Writes keys over the oldest ones."""
        size = len(self.queue)
        keys, rows = keys[-size:], rows[-size:]
        places = (self.written + torch.arange(len(keys), device=keys.device)) % size
        # in place it would change what the way back reads
        self.queue = self.queue.index_copy(0, places, keys)
        self.rows[places] = rows
        self.written += len(keys)

    def follow(self, network: Network) -> None:
        self._keys.follow(network, self._projection)
