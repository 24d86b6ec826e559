"""A network in torch as acting asks for it. Latent states stay where the network is: a search is
given their numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.muzero.networks import Network
from agents.muzero.torch_scalars import decode
from agents.muzero.value_prefix import HORIZON
from agents.precision import Precision, computed_in
from agents.search.model import Model, Steps
from agents.search.scalars import Support

Floats = NDArray[np.float32]
Reader = Callable[[NDArray[Any]], Tensor]
"""From rows [N, inputs] to what a network reads, on its device."""
Predictor = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From latent states to logits [B, A], or Q, and scalar values [B]."""


class TorchModel:
    """A model whose states are numbered in the order in which they are reached."""

    def __init__(self, network: Network, predict: Predictor, rewards: Support) -> None:
        self._network = network
        self._predict, self._rewards = predict, rewards
        self._states = torch.zeros(0)
        self._used = 0

    def begin(self, states: Tensor) -> NDArray[np.int64]:
        """Forgets all states but these [B, ...], and numbers them."""
        self._used = 0
        return self._numbered(states)

    @torch.inference_mode()
    def recurrent(self, latents: NDArray[Any], actions: NDArray[np.int64]) -> Steps:
        """See `agents.search.model.Model`."""
        device = self._states.device
        before = torch.from_numpy(latents).to(device)
        states = self._network.step(
            self._states[before], torch.from_numpy(actions.copy()).to(device)
        )
        logits, values = self._predict(states)
        rewards = self._led(before, states)
        # one copy to the processor
        packed = torch.cat((torch.stack((rewards, values), 1), logits), 1).cpu().numpy()
        return Steps(self._numbered(states), packed[:, 0], packed[:, 2:], packed[:, 1])

    def _led(self, before: Tensor, states: Tensor) -> Tensor:
        """Rewards [B] of the steps from states with these numbers to others."""
        del before
        return decode(self._network.rewards(states).float(), self._rewards)

    def _numbered(self, states: Tensor) -> NDArray[np.int64]:
        end = self._used + len(states)
        self._states = _written(self._states, states, self._used)
        numbers = np.arange(self._used, end)
        self._used = end
        return numbers


class PrefixModel(TorchModel):
    """Rewards are what steps add to a running sum; see `agents.muzero.value_prefix`."""

    def begin(self, states: Tensor) -> NDArray[np.int64]:
        assert self._network.prefix is not None
        # of each state its memory, its sum, and steps from the root
        self._sums = states.new_zeros(len(states), self._network.prefix.units + 2)
        return super().begin(states)

    def _led(self, before: Tensor, states: Tensor) -> Tensor:
        assert self._network.prefix is not None
        left = self._sums[before]
        logits, memories = self._network.prefix(states, left[:, :-2])
        reached = decode(logits.float(), self._rewards)
        steps = left[:, -1] + 1
        after = torch.cat((memories, reached[:, None]), 1) * (steps % HORIZON != 0)[:, None]
        self._sums = _written(self._sums, torch.cat((after, steps[:, None]), 1), self._used)
        return reached - left[:, -2]


def _written(rows: Tensor, more: Tensor, at: int) -> Tensor:
    """Rows with others written from a place on, of which there may be more than there was room."""
    end = at + len(more)
    if end > len(rows):
        grown = more.new_zeros(max(end, 2 * len(rows)), *more.shape[1:])
        if at:
            grown[:at] = rows[:at]
        rows = grown
    rows[at:end] = more
    return rows


class TorchInference:
    """See `agents.muzero.interfaces.Inference`; searches use the parameters as they are.

    Attributes:
        precision: of values; searches are in single precision.
    """

    def __init__(self, network: Network, read: Reader, values: Support, rewards: Support) -> None:
        self.network = network
        self.precision: Precision = "float32"
        self._read, self._support = read, values
        kind = TorchModel if network.prefix is None else PrefixModel
        self._states = kind(network, self._predict, rewards)
        self.model: Model = self._states

    def refresh(self) -> None:
        """Nothing to do."""

    @torch.inference_mode()
    def roots(self, observations: Floats) -> tuple[NDArray[Any], Floats, Floats]:
        states, packed = self._seen(observations)
        return self._states.begin(states), packed[:, 1:], packed[:, 0]

    def _seen(self, observations: Floats) -> tuple[Tensor, Floats]:
        """Latent states, and [N, 1 + A] values and logits, of observations."""
        states = self.network.represent(self._read(observations))
        logits, values = self._predict(states)
        packed: Floats = torch.cat((values[:, None], logits), 1).cpu().numpy()
        return states, packed

    @torch.inference_mode()
    def values(self, observations: Floats, legal: NDArray[np.bool_] | None = None) -> Floats:
        with self._in_precision():
            _, values = self._predict(self.network.represent(self._read(observations)))
        scalars: Floats = values.cpu().numpy()
        return scalars

    def _in_precision(self) -> torch.autocast:
        return computed_in(self.precision, next(self.network.parameters()).device)

    def _predict(self, states: Tensor) -> tuple[Tensor, Tensor]:
        logits, values = self.network.predict(states)
        return logits.float(), decode(values.float(), self._support)
