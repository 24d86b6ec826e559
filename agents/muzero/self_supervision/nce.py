"""Which newest picture belongs to a state, at each place of it: noise-contrastive estimation after
Anand et al. (2019), as published with the original.

A target encoder e reads the newest picture alone, is trained jointly, and is neither slow nor
stopped. With c = relu(W s + b), cosines over a temperature, and all other pictures of the batch but
those of the same sequence as negatives:

    -1/2 (ln softmax_j cos(c_i, e_j)/τ + ln softmax_j cos(c_j, e_i)/τ) at j = i, k >= 0
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from agents.muzero.beginning import begin
from agents.muzero.networks import Network
from agents.muzero.self_supervision.base import SelfSupervision, Unrolled
from agents.muzero.self_supervision.contrast import comparable, cross_entropies

#: Convolutions of the target encoder.
DEPTH = 5


class NCE(SelfSupervision):
    """See the module's text.

    Args:
        target: e, from what `newest` gives to [N, width, ...] with the places of a latent state.
        newest: of observations [N, ...] the newest picture, or all where there is no stack.
        channels: of a latent state, or its features where it has one place.
        width: of embeddings.
        temperature: τ.
        within_sequences: whether other steps of the same sequence are negatives too.
        rng: the first parameters.
    """

    def __init__(
        self,
        target: nn.Module,
        newest: Callable[[Tensor], Tensor],
        *,
        channels: int,
        width: int,
        temperature: float,
        within_sequences: bool,
        rng: np.random.Generator,
    ) -> None:
        super().__init__()
        self._newest, self._temperature = newest, temperature
        self._within = within_sequences
        self._classifier, self._target = nn.Linear(channels, width), target
        begin(self, rng)

    def forward(self, network: Network, unrolled: Unrolled) -> Tensor:
        del network
        states, observations, rows, scales = unrolled
        classes = functional.relu(self._classifier(by_place(states.flatten(0, 1))))
        wanted = by_place(self._target(self._newest(observations.flatten(0, 1))))
        scores = cosines(classes, wanted) / self._temperature
        told = comparable(rows, within_sequences=self._within)
        of_states, of_pictures = cross_entropies(scores, told)
        losses = (of_states + of_pictures).mean(0) / 2
        return (losses * scales.reshape(-1)).sum()


def by_place(x: Tensor) -> Tensor:
    """[places, N, channels] of [N, channels, ...]; [N, channels] have one place."""
    return x.flatten(2).permute(2, 0, 1) if x.ndim > 2 else x[None]


def cosines(x: Tensor, y: Tensor) -> Tensor:
    """[..., N, M] of x [..., N, features] with y [..., M, features]."""
    return functional.normalize(x, dim=-1) @ functional.normalize(y, dim=-1).mT


def dense_target(inputs: int, hidden: int, width: int) -> nn.Module:
    """e for vectors."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, width))


class PictureTarget(nn.Module):
    """e for pictures [N, height, width, channels]: five convolutions.

    Args:
        channels: of what it reads.
        halvings: how often the sides of a latent state are halves, rounded up, of a picture's.
        hidden: channels in between.
        width: of embeddings.
    """

    def __init__(self, channels: int, halvings: int, hidden: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for place in range(DEPTH - 1):
            stride = 2 if place < halvings else 1
            reads = hidden if place else channels
            convolution = nn.Conv2d(reads, hidden, 3, stride, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(hidden), nn.ReLU()]
        self._layers = nn.Sequential(*layers, nn.Conv2d(hidden, width, 3, padding=1))

    def forward(self, pictures: Tensor) -> Tensor:
        y: Tensor = self._layers(pictures.permute(0, 3, 1, 2).contiguous())
        return y
