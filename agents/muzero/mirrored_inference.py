"""A dense network of torch's, on the processor, as acting asks for it: searches are compiled."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from agents.muzero.networks import DenseNetwork
from agents.muzero.settings import MuZeroSettings
from agents.muzero.torch_inference import Floats, Reader, TorchInference
from agents.muzero.torch_q_inference import QInference
from agents.search.mlp import Layer, MLPLayers, MLPModel
from agents.search.scalars import Support


class MirroredInference(TorchInference):
    """See `agents.muzero.interfaces.Inference`; searches have a copy that needs no torch."""

    def __init__(
        self,
        settings: MuZeroSettings,
        network: DenseNetwork,
        read: Reader,
        values: Support,
        rewards: Support,
        *,
        continuous: bool = False,
    ) -> None:
        super().__init__(network, read, values, rewards)
        self._stacks = network.stacks
        self._copy = MLPModel(
            self._exported(),
            network.widths.actions,
            activation=settings.activation,
            transform=settings.latent_transform,
            residual=settings.residual,
            q_values=settings.q_learning,
            continuous=continuous,
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
        states, packed = self._seen(observations)
        return states.numpy(), packed[:, 1:], packed[:, 0]


class MirroredQInference(MirroredInference, QInference):
    """The same of a network of Q."""


def _arrays(layer: nn.Linear) -> Layer:
    return layer.weight.detach().numpy().T, layer.bias.detach().numpy()
