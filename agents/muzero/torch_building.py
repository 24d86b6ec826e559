"""Networks in torch, and their learners."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from agents.muzero.convolutional import ConvolutionalNetwork, atari_layers, minatar_layers
from agents.muzero.dense import Floats, Widths
from agents.muzero.networks import DenseNetwork, Network
from agents.muzero.observations import Observations
from agents.muzero.settings import MuZeroSettings
from agents.muzero.supports import supports
from agents.muzero.torch_learner import TorchLearner
from agents.search.sampling import Sampling


def dense_network(settings: MuZeroSettings, widths: Widths, values: Floats) -> Network:
    """Of dense layers, with parameters [P]."""
    return DenseNetwork(
        widths,
        values,
        activation=settings.activation,
        transform=settings.latent_transform,
        residual=settings.residual,
    )


def picture_network(
    settings: MuZeroSettings,
    kind: str,
    observations: Observations,
    actions: int,
    rng: np.random.Generator,
    *,
    outputs: int | None = None,
) -> Network:
    """Of convolutions, "minatar" or "atari"; `outputs`: of the policy's head, if not A."""
    assert observations.picture is not None
    normalization = settings.normalization
    if normalization == "auto":
        normalization = "batch" if kind == "atari" else "none"
    channels = settings.hidden_size or (32 if kind == "minatar" else 64)
    layers = minatar_layers if kind == "minatar" else atari_layers
    values, rewards = supports(settings)
    network = ConvolutionalNetwork(
        observations.picture,
        layers(observations.picture[2], channels, settings.dynamics_blocks, normalization),
        actions,
        channels=channels,
        blocks=settings.dynamics_blocks,
        film=settings.film,
        hidden=settings.hidden_dim,
        policy_outputs=actions if outputs is None else outputs,
        reward_bins=rewards.bins,
        value_bins=values.bins,
        normalization=normalization,
    )
    begin(network, rng)
    return network


@torch.no_grad()
def begin(network: nn.Module, rng: np.random.Generator) -> None:
    """First parameters from a generator, by torch's own law; what is 0 or a normalisation's stays
    as it is."""
    for layer in network.modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear) or not layer.weight.any():
            continue
        bound = 1 / np.sqrt(layer.weight[0].numel())
        for parameter in (layer.weight, layer.bias):
            if parameter is not None:
                drawn = rng.uniform(-bound, bound, tuple(parameter.shape))
                parameter.copy_(torch.from_numpy(drawn))


def build_torch_learner(
    settings: MuZeroSettings,
    network: Network,
    observations: Observations,
    device: str,
    *,
    sampling: Sampling | None = None,
) -> TorchLearner:
    """Its learner, on a device; `sampling`: how actions of a box are drawn."""
    shape = None if isinstance(network, DenseNetwork) else observations.picture

    def read(rows: Floats) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(rows)).to(device)
        return tensor if shape is None else tensor.view(len(rows), *shape)

    return TorchLearner(settings, network.to(device), read, sampling=sampling)
