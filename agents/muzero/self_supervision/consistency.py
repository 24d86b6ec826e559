"""|s_k - sg(h(o_k))|², k > 0: as in TD-MPC (Hansen et al. 2022)."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.muzero.networks import Network
from agents.muzero.self_supervision.base import SelfSupervision, Unrolled, seen


class Consistency(SelfSupervision):
    """Nothing of its own learns."""

    def forward(self, network: Network, unrolled: Unrolled) -> Tensor:
        states, observations, _, scales = unrolled
        with torch.no_grad():
            wanted = seen(network, observations[1:])
        apart = (states[1:].flatten(0, 1) - wanted).float().square().flatten(1).sum(1)
        return (apart * scales[1:].reshape(-1)).sum()
