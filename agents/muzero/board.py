"""A network for board games that lines of cells decide.

h  convolution; every cell keeps its place
g  the action's plane beside the state's, two convolutions: what a move changes is near to it
R  the features of lines, the greatest of each, dense layers
f  what the lines through a cell say beside its state, convolution, blocks; heads as of pictures

States stay as relu leaves them. With the range of each state as its scale, wins are not learned
in many times as many updates.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.muzero.action_planes import planes_of
from agents.muzero.convolutional import Block, Convolution, Head, Normalization
from agents.muzero.lines import Lines, lines_of
from agents.muzero.networks import Network


class BoardNetwork(Network):
    """Latent states [channels, h, w]; layers in between have twice as many channels.

    Args:
        picture: (height, width, channels); observations are [B, height, width, channels].
        actions: A.
        line: cells of a line.
        channels: of latent states.
        blocks: of f.
        hidden: units of the heads' dense layers.

    Raises:
        ValueError: there is no such line.
    """

    def __init__(
        self,
        picture: tuple[int, int, int],
        actions: int,
        *,
        line: int,
        channels: int,
        blocks: int,
        hidden: int,
        reward_bins: int,
        value_bins: int,
        normalization: str,
    ) -> None:
        super().__init__()
        height, width, inputs = picture
        lines = lines_of(height, width, line)
        wide = 2 * channels
        self._representation = Convolution(inputs, channels, normalization)
        self._planes = BoardPlanes((height, width), actions)
        self._dynamics = nn.Sequential(
            Convolution(channels + self._planes.planes, wide, normalization),
            nn.ReLU(),
            Convolution(wide, channels, normalization),
        )
        self._reward = LineHead(Lines(lines, channels, wide), wide, hidden, reward_bins)
        self._lines = Lines(lines, channels, wide)
        self._normalization = Normalization(normalization, wide)
        self._trunk = nn.Sequential(
            Convolution(channels + wide, wide, normalization),
            nn.ReLU(),
            *(Block(wide, wide, normalization) for _ in range(blocks)),
        )
        area = height * width
        self._policy = Head(wide, area, hidden, actions, normalization)
        self._value = Head(wide, area, hidden, value_bins, normalization)

    def represent(self, observations: Tensor) -> Tensor:
        return functional.relu(self._representation(observations.permute(0, 3, 1, 2).contiguous()))

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        planes = self._planes(actions, states)
        return functional.relu(self._dynamics(torch.cat((states, planes), 1)))

    def rewards(self, states: Tensor) -> Tensor:
        logits: Tensor = self._reward(states)
        return logits

    def predict(self, states: Tensor) -> tuple[Tensor, Tensor]:
        threats = self._lines.told(self._lines(states), states.shape[2:])
        features = self._trunk(torch.cat((states, self._normalization(threats)), 1))
        return self._policy(features), self._value(features)


class LineHead(nn.Module):
    """The greatest of each feature of lines, dense layer, outputs that begin as zeros."""

    def __init__(self, lines: Lines, features: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self._lines = lines
        self._hidden = nn.Linear(features, hidden)
        self._outputs = nn.Linear(hidden, outputs)
        nn.init.zeros_(self._outputs.weight)
        nn.init.zeros_(self._outputs.bias)

    def forward(self, states: Tensor) -> Tensor:
        y: Tensor = self._outputs(functional.relu(self._hidden(self._lines(states).amax(1))))
        return y


class BoardPlanes(nn.Module):
    """Actions as `planes_of` has them.

    Attributes:
        planes: how many.
    """

    def __init__(self, size: tuple[int, int], actions: int) -> None:
        super().__init__()
        table = torch.from_numpy(planes_of(size, actions))
        self.planes = table.shape[1]
        # what is not learned is no part of what is kept
        self.register_buffer("_table", table, persistent=False)

    def forward(self, actions: Tensor, states: Tensor) -> Tensor:
        """[B, planes, h, w] of actions [B], beside states."""
        table = self.get_buffer("_table")
        return table[actions].to(states)
