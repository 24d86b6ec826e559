"""Networks in torch, and their learners."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.base import AgentRefused
from agents.muzero.beginning import begin
from agents.muzero.board import BoardNetwork
from agents.muzero.convolutional import (
    ConvolutionalNetwork,
    atari_layers,
    minatar_layers,
    strided_layers,
)
from agents.muzero.dense import Floats, Widths
from agents.muzero.networks import DenseNetwork, Network
from agents.muzero.observations import Observations
from agents.muzero.self_supervision.building import augmentation_of, self_supervision_of
from agents.muzero.settings import MuZeroSettings
from agents.muzero.supports import supports
from agents.muzero.torch_learner import TorchLearner
from agents.muzero.torch_q_learner import QLearner
from agents.muzero.value_prefix import ValuePrefix
from agents.search.sampling import Sampling


def dense_network(
    settings: MuZeroSettings, widths: Widths, values: Floats, rng: np.random.Generator
) -> Network:
    """Of dense layers, with parameters [P]; a generator draws those of what has a memory."""
    network = DenseNetwork(
        widths,
        values,
        activation=settings.activation,
        transform=settings.latent_transform,
        residual=settings.residual,
    )
    if settings.value_prefix:
        bins = supports(settings)[1].bins
        network.prefix = ValuePrefix(nn.Identity(), widths.latent, settings.hidden_dim, bins)
        begin(network.prefix, rng)
    return network


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
    large = strided_layers if settings.stem == "strided" else atari_layers
    layers = minatar_layers if kind == "minatar" else large
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
        value_prefix=settings.value_prefix,
        value_bins=values.bins,
        q_values=settings.q_learning,
        normalization=normalization,
    )
    begin(network, rng, wide=settings.weight_init == "he")
    return network


def board_network(
    settings: MuZeroSettings, observations: Observations, actions: int, rng: np.random.Generator
) -> Network:
    """For boards.

    Raises:
        AgentRefused: there is no line of so many cells.
    """
    assert observations.picture is not None
    values, rewards = supports(settings)
    normalization = settings.normalization
    try:
        network = BoardNetwork(
            observations.picture,
            actions,
            line=settings.line_length,
            channels=settings.hidden_size or 16,
            blocks=settings.dynamics_blocks,
            hidden=settings.hidden_dim,
            reward_bins=rewards.bins,
            value_bins=values.bins,
            normalization="batch" if normalization == "auto" else normalization,
        )
    except ValueError as error:
        raise AgentRefused(f"MuZero with line_length {settings.line_length}: {error}") from None
    begin(network, rng, wide=settings.weight_init == "he")
    return network


def build_torch_learner(
    settings: MuZeroSettings,
    network: Network,
    observations: Observations,
    device: str,
    rng: np.random.Generator,
    *,
    sampling: Sampling | None = None,
) -> TorchLearner:
    """Its learner, on a device.

    Args:
        rng: first parameters of what learns beside the network; what is augmented has a child.
        sampling: how actions of a box are drawn.
    """
    shape = None if isinstance(network, DenseNetwork) else observations.picture

    def read(rows: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(rows)).to(device)
        return tensor if shape is None else tensor.view(len(rows), *shape)

    learner = QLearner if settings.q_learning else TorchLearner
    ssl = self_supervision_of(settings, network, observations, rng)
    return learner(
        settings,
        network.to(device),
        read,
        ssl=None if ssl is None else ssl.to(device),
        augmentation=augmentation_of(settings, rng.spawn(1)[0]),
        sampling=sampling,
        scale=float(observations.scale),
    )
