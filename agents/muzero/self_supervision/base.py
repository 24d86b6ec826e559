"""What a learner asks of a self-supervised loss."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.muzero.networks import Network


class Unrolled(NamedTuple):
    """B sequences of K + 1 states.

    Attributes:
        states: [K + 1, B, ...] of the model; the first ones are those of the observations.
        observations: [K + 1, B, ...] of the same moments, as the network reads them.
        rows: [K + 1, B] which observations these are, by their places in the replay; -1: none was
            made.
        scales: [K + 1, B] what each state's loss counts; 0 where there is no observation.
    """

    states: Tensor
    observations: Tensor
    rows: Tensor
    scales: Tensor


class SelfSupervision(nn.Module):
    """A loss with whatever it needs: parameters that learn take part in the optimizer, and those
    without gradients (copies, queues) follow in their own way."""

    @abstractmethod
    def forward(self, network: Network, unrolled: Unrolled) -> Tensor:
        """Σ scales * loss; called once for each update."""

    def follow(self, network: Network) -> None:
        """After a step of the optimizer."""


def flat(x: Tensor) -> Tensor:
    """[N, features] of [K, B, ...]."""
    return x.flatten(0, 1).flatten(1)


def seen(network: Network, observations: Tensor) -> Tensor:
    """[N, ...] what a network sees in observations [K, B, ...]."""
    return network.represent(observations.flatten(0, 1))


class Momentum(nn.Module):
    """A network and a projection of its latent states that follow others slowly, without
    gradients.

    Args:
        network, projection: what they begin as.
        rate: share of the others that they take over each time.
    """

    def __init__(self, network: Network, projection: nn.Module, rate: float) -> None:
        super().__init__()
        self._rate = rate
        self._network, self._projection = copy.deepcopy(network), copy.deepcopy(projection)
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, observations: Tensor) -> Tensor:
        """[N, width] of observations [K, B, ...]."""
        projected: Tensor = self._projection(seen(self._network, observations).flatten(1))
        return projected

    @torch.no_grad()
    def follow(self, network: Network, projection: nn.Module) -> None:
        """Goes some way to what these are now."""
        for slow, fast in ((self._network, network), (self._projection, projection)):
            for mine, its in zip(slow.parameters(), fast.parameters(), strict=True):
                mine.lerp_(its, self._rate)
