"""The network of a policy, with its optimizer and perhaps a target: one for each member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.neural.adam import Adam, AdamSettings
from agents.neural.convolutions import stack
from agents.neural.parameters import Activation, Shape, WeightInit, gain_for, initial_rows


class Actor:
    """M stacked networks from states to a policy's linear outputs h.

    Args:
        tau: [M, 1] the step of target networks towards them; None: there are none.
        name: of its arrays among the learned ones.
    """

    def __init__(
        self,
        shape: Shape,
        activation: Activation,
        weight_init: WeightInit,
        adam: Sequence[AdamSettings],
        generators: Sequence[np.random.Generator],
        *,
        tau: Tensor | None = None,
        name: str = "actor",
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        rows = initial_rows(shape, weight_init, gain_for(activation), generators).to(device, dtype)
        self._net = stack(shape, activation, rows)
        self._tau, self._name = tau, name
        self._target = self._net if tau is None else stack(shape, activation, rows.clone())
        self._adam = Adam(self._net.values, self._net.gradients, adam)

    def forward(self, states: Tensor) -> Tensor:
        """h [M, B, H] of states [M, B, I]; overwritten by the next pass of equal B."""
        return self._net.forward(states)

    def descend(self, d_h: Tensor) -> None:
        """One step of Adam, given dL/dh [M, B', H] for the first B' states of the last pass."""
        self._net.backward(d_h)
        self._adam.step()

    def target_forward(self, states: Tensor) -> Tensor:
        """h likewise, of the target networks."""
        return self._target.forward(states)

    def follow(self) -> None:
        """θ_T <- (1 - τ) θ_T + τ θ."""
        assert self._tau is not None
        self._target.values.lerp_(self._net.values, self._tau)

    def copy(self, other: Actor) -> None:
        """Takes over the other's weights."""
        self._net.values.copy_(other._net.values)

    def state_dict(self, member: int) -> dict[str, Any]:
        """A member's weights and moments."""
        rows = slice(member, member + 1)
        state = {
            "values": self._net.values[rows].cpu().numpy().copy(),
            "adam": self._adam.state_dict(rows),
        }
        if self._tau is not None:
            state["target"] = self._target.values[rows].cpu().numpy().copy()
        return state

    def load_state_dict(self, member: int, state: dict[str, Any]) -> None:
        """Continues a member's."""
        rows = slice(member, member + 1)
        self._net.values[rows] = torch.from_numpy(state["values"]).to(self._net.values)
        self._adam.load_state_dict(rows, state["adam"])
        if self._tau is not None:
            self._target.values[rows] = torch.from_numpy(state["target"]).to(self._net.values)

    def learned_params(self, member: int) -> dict[str, np.ndarray]:
        """A member's arrays by name."""
        named = self._net.shape.named(self._net.values[member : member + 1])
        return {f"{self._name}_{name}": array[0] for name, array in named.items()}
