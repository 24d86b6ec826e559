"""Rewards as differences of a running sum (Ye et al. 2021): when a reward comes within a few steps
is hard to say, that it does is easy.

A recurrent layer reads the states that steps led to and says Σ_{j<=k} u_j; it forgets all every
`HORIZON` steps, in searches too, and the sum begins again. A reward is what a step adds to it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Steps after which a sum begins again.
HORIZON = 5


class ValuePrefix(nn.Module):
    """A head with a memory.

    Args:
        reduce: from states [B, ...] to features [B, reads].
        units: of the recurrent layer.
        bins: that sums are distributions over.

    Attributes:
        units: of a memory.
    """

    def __init__(self, reduce: nn.Module, reads: int, units: int, bins: int) -> None:
        super().__init__()
        self.units = 2 * units
        self._reduce = reduce
        self._gates = nn.Linear(reads + units, 4 * units)
        self._outputs = nn.Linear(units, bins)
        nn.init.zeros_(self._outputs.weight)
        nn.init.zeros_(self._outputs.bias)

    def forward(self, states: Tensor, memories: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, bins] of the sums at states, and memories [B, units] after them.

        Args:
            memories: [B, units] before them; 0 where a sum begins.
        """
        return self._said(self._reduce(states), memories)

    def unrolled(self, states: Tensor) -> Tensor:
        """Logits [K, B, bins] of the sums at states [K, B, ...]; the first one begins a sum."""
        K, B = states.shape[:2]
        features = self._reduce(states.flatten(0, 1)).view(K, B, -1)
        memories = features.new_zeros(B, self.units)
        logits = []
        for k in range(K):
            if k % HORIZON == 0:
                memories = torch.zeros_like(memories)
            here, memories = self._said(features[k], memories)
            logits.append(here)
        return torch.stack(logits)

    def _said(self, features: Tensor, memories: Tensor) -> tuple[Tensor, Tensor]:
        output, cell = memories.chunk(2, 1)
        gates = self._gates(torch.cat((features, output), 1))
        enters, forgets, says, new = gates.chunk(4, 1)
        cell = forgets.sigmoid() * cell + enters.sigmoid() * new.tanh()
        output = says.sigmoid() * cell.tanh()
        return self._outputs(output), torch.cat((output, cell), 1)


def sums(rewards: Tensor) -> Tensor:
    """[K, B] Σ of rewards [K, B] since the sum began."""
    return torch.cat([part.cumsum(0) for part in torch.split(rewards, HORIZON)])
