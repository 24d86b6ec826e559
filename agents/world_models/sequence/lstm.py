"""What remembers, recurrently: one LSTM layer.

    [i, f, g, o] = W x + V h + b;  c' = σ(f) c + σ(i) tanh(g);  h' = σ(o) tanh(c')

There is one bias, as in the paper; torch's second one is 0 and is not trained. The forget gate's
begins at 1.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from agents.world_models.sequence.interface import State


class LstmCore(nn.Module):
    """State: (h [B, H], c [B, H]).

    Attributes:
        hidden_size: H.
        feature_size: H, or 2H where a controller sees the cell too.
    """

    def __init__(self, inputs: int, hidden: int, *, cell_is_seen: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)
        self.hidden_size, self.cell_is_seen = hidden, cell_is_seen
        self.feature_size = 2 * hidden if cell_is_seen else hidden
        with torch.no_grad():
            cast(Tensor, self.lstm.bias_hh_l0).zero_().requires_grad_(False)
            cast(Tensor, self.lstm.bias_ih_l0).zero_()[hidden : 2 * hidden] = 1.0

    def initial_state(self, batch: int) -> State:
        zeros = cast(Tensor, self.lstm.bias_ih_l0).new_zeros(batch, self.hidden_size)
        return zeros, zeros

    def features(self, state: State) -> Tensor:
        return torch.cat(state, -1) if self.cell_is_seen else state[0]

    def forward(self, inputs: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """[B, L, I] to h [B, L, H] after each. Nothing in it is left to chance."""
        del generator
        hidden: Tensor = self.lstm(inputs)[0]
        return hidden

    def step(self, state: State, inputs: Tensor) -> tuple[State, Tensor]:
        """[B, I] to the state after it and its h."""
        hidden, cell = (part.unsqueeze(0) for part in state)
        _, (hidden, cell) = self.lstm(inputs.unsqueeze(1), (hidden, cell))
        return (hidden[0], cell[0]), hidden[0]
