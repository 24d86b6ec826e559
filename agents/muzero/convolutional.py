"""Networks for pictures: residual blocks of convolutions, in the pattern of EfficientZero.

h  MinAtar:  convolution of stride 2, blocks; half the picture's side
   Atari:    convolution of stride 2, block, block of stride 2, block, pool, block, pool; a
             sixteenth of the side; "strided": convolutions of 8 x 8 with stride 4 and of 4 x 4
             with stride 2, blocks, pool, blocks
g  the action's plane beside the state's, convolution, + s, blocks
R, f  1 x 1 convolution to few channels, dense layers
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.muzero.networks import Network, rescaled, told
from agents.muzero.value_prefix import ValuePrefix

#: Channels of the 1 x 1 convolutions before the heads.
REDUCED = 16


class Normalization(nn.Module):
    """Of channels, after a convolution: by the batch, of each picture, or not at all."""

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        self._layer: nn.Module = nn.Identity()
        if kind == "batch":
            self._layer = nn.BatchNorm2d(channels)
        elif kind == "layer":
            self._layer = nn.GroupNorm(1, channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self._layer(x)
        return y


class Convolution(nn.Module):
    """Padded, with what normalises it; `size` pixels a side."""

    def __init__(
        self, reads: int, writes: int, normalization: str, stride: int = 1, size: int = 3
    ) -> None:
        super().__init__()
        biased = normalization == "none"
        padding = (size - stride + 1) // 2
        self._weight = nn.Conv2d(reads, writes, size, stride, padding, bias=biased)
        self._normalization = Normalization(normalization, writes)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self._normalization(self._weight(x))
        return y


class Block(nn.Module):
    """relu(x + conv(relu(conv(x)))); where it has a stride, x passes a convolution too."""

    def __init__(self, reads: int, writes: int, normalization: str, stride: int = 1) -> None:
        super().__init__()
        self._first = Convolution(reads, writes, normalization, stride)
        self._second = Convolution(writes, writes, normalization)
        self._beside: nn.Module = nn.Identity()
        if reads != writes or stride != 1:
            self._beside = Convolution(reads, writes, normalization, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self._second(functional.relu(self._first(x)))
        return functional.relu(self._beside(x) + y)


def _blocks(count: int, channels: int, normalization: str) -> list[nn.Module]:
    return [Block(channels, channels, normalization) for _ in range(count)]


class Reduced(nn.Module):
    """1 x 1 convolution to few channels, flattened."""

    def __init__(self, channels: int, normalization: str) -> None:
        super().__init__()
        self._reduce = nn.Conv2d(channels, REDUCED, 1)
        self._normalization = Normalization(normalization, REDUCED)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self._normalization(self._reduce(x))).flatten(1)


class Head(nn.Module):
    """1 x 1 convolution, dense layer, outputs that begin as zeros."""

    def __init__(
        self, channels: int, area: int, hidden: int, outputs: int, normalization: str
    ) -> None:
        super().__init__()
        self._reduced = Reduced(channels, normalization)
        self._hidden = nn.Linear(REDUCED * area, hidden)
        self._outputs = nn.Linear(hidden, outputs)
        nn.init.zeros_(self._outputs.weight)
        nn.init.zeros_(self._outputs.bias)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self._outputs(functional.relu(self._hidden(self._reduced(x))))
        return y


def minatar_layers(inputs: int, channels: int, blocks: int, normalization: str) -> list[nn.Module]:
    """Of h, for pictures of some ten pixels a side."""
    first = [Convolution(inputs, channels, normalization, 2), nn.ReLU()]
    return [*first, *_blocks(blocks, channels, normalization)]


def strided_layers(inputs: int, channels: int, blocks: int, normalization: str) -> list[nn.Module]:
    """Of h, for pictures of some ninety pixels a side: the strides of DQN (Mnih et al. 2015)."""
    return [
        Convolution(inputs, channels, normalization, 4, size=8),
        nn.ReLU(),
        Convolution(channels, channels, normalization, 2, size=4),
        nn.ReLU(),
        *_blocks(blocks, channels, normalization),
        nn.AvgPool2d(3, 2, padding=1),
        *_blocks(blocks, channels, normalization),
    ]


def atari_layers(inputs: int, channels: int, blocks: int, normalization: str) -> list[nn.Module]:
    """Of h, for pictures of some ninety pixels a side."""
    half = max(1, channels // 2)
    return [
        Convolution(inputs, half, normalization, 2),
        nn.ReLU(),
        *_blocks(blocks, half, normalization),
        Block(half, channels, normalization, 2),
        *_blocks(blocks, channels, normalization),
        nn.AvgPool2d(3, 2, padding=1),
        *_blocks(blocks, channels, normalization),
        nn.AvgPool2d(3, 2, padding=1),
        *_blocks(blocks, channels, normalization),
    ]


class ConvolutionalNetwork(Network):
    """Latent states [channels, h, w]; in memory channels are last, for the convolutions.

    Args:
        picture: (height, width, channels); observations are [B, height, width, channels].
        layers: of h.
        actions: A; of a box its dimensions.
        channels: of latent states.
        blocks: of the dynamics.
        value_prefix: whether sums of rewards are said in place of rewards.
        film: an action scales and shifts channels (Perez et al. 2018), in place of planes.
        hidden: units of the heads' dense layers.
    """

    def __init__(
        self,
        picture: tuple[int, int, int],
        layers: list[nn.Module],
        actions: int,
        *,
        channels: int,
        blocks: int,
        film: bool,
        hidden: int,
        policy_outputs: int,
        reward_bins: int,
        value_prefix: bool,
        value_bins: int,
        q_values: bool,
        normalization: str,
    ) -> None:
        super().__init__()
        self._actions = actions
        self._representation = nn.Sequential(*layers)
        height, width, inputs = picture
        with torch.no_grad():
            found = self._representation(torch.zeros(2, inputs, height, width))
        area = found.shape[2] * found.shape[3]
        self._film = nn.Linear(actions, 2 * channels) if film else None
        reads = channels if film else channels + actions
        self._entering = Convolution(reads, channels, normalization)
        self._dynamics = nn.Sequential(*_blocks(blocks, channels, normalization))
        self._reward: Head | None = None
        if value_prefix:
            reduced = Reduced(channels, normalization)
            self.prefix = ValuePrefix(reduced, REDUCED * area, hidden, reward_bins)
        else:
            self._reward = Head(channels, area, hidden, reward_bins, normalization)
        outputs = actions * value_bins if q_values else policy_outputs
        self._policy = Head(channels, area, hidden, outputs, normalization)
        self._value: Head | None = None
        if not q_values:
            self._value = Head(channels, area, hidden, value_bins, normalization)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def represent(self, observations: Tensor) -> Tensor:
        return rescaled(self._representation(observations.permute(0, 3, 1, 2)))

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        hot = told(actions, self._actions).to(states)
        if self._film is None:
            planes = hot[:, :, None, None].expand(-1, -1, *states.shape[2:])
            y = self._entering(torch.cat((states, planes), 1))
        else:
            scale, shift = self._film(hot)[:, :, None, None].chunk(2, 1)
            y = self._entering(states) * (1 + scale) + shift
        return rescaled(self._dynamics(functional.relu(y + states)))

    def rewards(self, states: Tensor) -> Tensor:
        assert self._reward is not None
        logits: Tensor = self._reward(states)
        return logits

    def predict(self, states: Tensor) -> tuple[Tensor, Tensor]:
        policy: Tensor = self._policy(states)
        return policy, policy[:, :0] if self._value is None else self._value(states)
