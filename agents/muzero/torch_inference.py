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
from agents.search.model import Model, Steps
from agents.search.scalars import Support

Floats = NDArray[np.float32]
Reader = Callable[[Floats], Tensor]
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
        states = self._states[torch.from_numpy(latents).to(device)]
        states = self._network.step(states, torch.from_numpy(actions.copy()).to(device))
        logits, values = self._predict(states)
        rewards = decode(self._network.rewards(states).float(), self._rewards)
        # one copy to the processor
        packed = torch.cat((torch.stack((rewards, values), 1), logits), 1).cpu().numpy()
        return Steps(self._numbered(states), packed[:, 0], packed[:, 2:], packed[:, 1])

    def _numbered(self, states: Tensor) -> NDArray[np.int64]:
        end = self._used + len(states)
        if end > len(self._states):
            grown = states.new_zeros(max(end, 2 * len(self._states)), *states.shape[1:])
            if self._used:
                grown[: self._used] = self._states[: self._used]
            self._states = grown
        self._states[self._used : end] = states
        numbers = np.arange(self._used, end)
        self._used = end
        return numbers


class TorchInference:
    """See `agents.muzero.interfaces.Inference`; searches use the parameters as they are."""

    def __init__(self, network: Network, read: Reader, values: Support, rewards: Support) -> None:
        self.network = network
        self._read, self._support = read, values
        self._states = TorchModel(network, self._predict, rewards)
        self.model: Model = self._states

    def refresh(self) -> None:
        """Nothing to do."""

    @torch.inference_mode()
    def roots(self, observations: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
        states = self.network.represent(self._read(observations))
        logits, values = self._predict(states)
        packed: Floats = torch.cat((values[:, None], logits), 1).cpu().numpy()
        return self._states.begin(states), packed[:, 1:], packed[:, 0]

    @torch.inference_mode()
    def values(self, observations: Floats, legal: NDArray[np.bool_] | None = None) -> Floats:
        _, values = self._predict(self.network.represent(self._read(observations)))
        scalars: Floats = values.cpu().numpy()
        return scalars

    def _predict(self, states: Tensor) -> tuple[Tensor, Tensor]:
        logits, values = self.network.predict(states)
        return logits.float(), decode(values.float(), self._support)
