"""Networks of Q as acting asks for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.muzero.networks import DenseNetwork
from agents.muzero.settings import MuZeroSettings
from agents.muzero.torch_inference import Floats, Reader, TorchInference
from agents.muzero.torch_scalars import decode
from agents.search.mlp import Layer, MLPLayers, MLPModel
from agents.search.scalars import Support


class QInference(TorchInference):
    """See `agents.muzero.interfaces.Inference`, and `Distributional` there."""

    @torch.inference_mode()
    def values(self, observations: Floats, legal: NDArray[np.bool_] | None = None) -> Floats:
        q, values = self._predict(self.network.represent(self._read(observations)))
        if legal is not None:
            values = _among(q, legal).amax(1)
        scalars: Floats = values.cpu().numpy()
        return scalars

    @torch.inference_mode()
    def distributions(self, observations: Floats, legal: NDArray[np.bool_]) -> Floats:
        """See `agents.muzero.interfaces.Distributional`."""
        logits = self._logits(self.network.represent(self._read(observations)))
        greatest = _among(decode(logits, self._support), legal).argmax(1)
        rows = torch.arange(len(logits), device=logits.device)
        probabilities = logits[rows, greatest].softmax(-1)
        array: Floats = probabilities.cpu().numpy()
        return array

    def _logits(self, states: Tensor) -> Tensor:
        """[B, A, bins]."""
        logits = self.network.predict(states)[0].float()
        return logits.view(len(states), -1, self._support.bins)

    def _predict(self, states: Tensor) -> tuple[Tensor, Tensor]:
        q = decode(self._logits(states), self._support)
        return q, q.amax(1)


class DenseQInference(QInference):
    """Of dense layers on the processor: searches have a copy of them that needs no torch."""

    def __init__(
        self, settings: MuZeroSettings, network: DenseNetwork, read: Reader, *both: Support
    ) -> None:
        super().__init__(network, read, *both)
        self._stacks = network.stacks
        values, rewards = both
        self._copy = MLPModel(
            self._exported(),
            network.actions,
            activation=settings.activation,
            transform=settings.latent_transform,
            residual=settings.residual,
            q_values=True,
            value_support=values,
            reward_support=rewards,
        )
        self.model = self._copy

    def refresh(self) -> None:
        self._copy.load(self._exported())

    def _exported(self) -> MLPLayers:
        return MLPLayers(
            **{name: [_arrays(layer) for layer in self._stacks[name]] for name in MLPLayers._fields}
        )

    @torch.inference_mode()
    def roots(self, observations: Floats) -> tuple[NDArray[Any], Floats, Floats]:
        states = self.network.represent(self._read(observations))
        q, values = self._predict(states)
        return states.numpy(), q.numpy(), values.numpy()


def _arrays(layer: nn.Linear) -> Layer:
    return layer.weight.detach().numpy().T, layer.bias.detach().numpy()


def _among(q: Tensor, legal: NDArray[np.bool_]) -> Tensor:
    """Q [B, A], -inf where not legal; where nothing is, everything is."""
    legal = legal | ~legal.any(axis=1, keepdims=True)
    return q.masked_fill(~torch.from_numpy(legal).to(q.device), -torch.inf)
