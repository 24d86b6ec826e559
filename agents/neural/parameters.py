"""Where a network's parameters lie in one flat row, and how they begin."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from agents.neural.trunk import Trunk

Activation = Literal["relu", "tanh"]
WeightInit = Literal[
    "xavier_uniform", "xavier_normal", "uniform", "normal", "orthogonal", "kaiming_uniform", "zeros"
]

#: Rows are padded to this many floats, so that elementwise loops over rows have no remainder.
_ROW = 32


@dataclass(frozen=True)
class Shape:
    """A perceptron's widths, and the convolutional trunk that it stands on, if any.

    Attributes:
        inputs: width of the input; with a trunk, of a picture and what follows it.
        hidden: widths of the hidden layers.
        heads: widths of the linear heads on the last hidden layer. They are one layer in the
            arithmetic, but each begins as a layer of its own.
        trunk: reads the picture; the perceptron reads its features and what follows the picture.
    """

    inputs: int
    hidden: tuple[int, ...]
    heads: tuple[int, ...]
    trunk: Trunk | None = None

    @property
    def outputs(self) -> int:
        return sum(self.heads)

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of every layer of the perceptron."""
        inputs = self.inputs
        if self.trunk is not None:
            inputs += self.trunk.outputs - self.trunk.inputs
        return list(itertools.pairwise((inputs, *self.hidden, self.outputs)))

    @property
    def size(self) -> int:
        """Length of a row that holds all weights and biases, padding included."""
        return self._perceptron_size + (_padded(self.trunk.size) if self.trunk else 0)

    @property
    def _perceptron_size(self) -> int:
        return _padded(sum((inputs + 1) * outputs for inputs, outputs in self.layers))

    def trunk_part(self, rows: Tensor) -> Tensor:
        """What of rows [N, size] the trunk's parameters begin."""
        return rows[:, self._perceptron_size :]

    def views(self, rows: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The perceptron's weights [N, in, out] and biases [N, 1, out] inside rows [N, size],
        layer by layer."""
        weights, biases, start = [], [], 0
        for inputs, outputs in self.layers:
            end = start + inputs * outputs
            weights.append(rows[:, start:end].view(-1, inputs, outputs))
            biases.append(rows[:, end : end + outputs].view(-1, 1, outputs))
            start = end + outputs
        return weights, biases

    def named(self, rows: Tensor) -> dict[str, np.ndarray]:
        """Copies of all weights and biases of rows [N, size], by name; filters are
        [N, filters, side, side, channels]."""
        weights, biases = self.views(rows)
        arrays = {f"weight_{layer}": weight for layer, weight in enumerate(weights)}
        arrays |= {f"bias_{layer}": bias[:, 0] for layer, bias in enumerate(biases)}
        if self.trunk is not None:
            filters, biases = self.trunk.views(self.trunk_part(rows))
            arrays |= {f"filters_{layer}": weight for layer, weight in enumerate(filters)}
            arrays |= {f"filters_bias_{layer}": bias for layer, bias in enumerate(biases)}
        return {name: array.detach().cpu().numpy().copy() for name, array in arrays.items()}


def initial_rows(
    shape: Shape,
    scheme: WeightInit,
    gain: float,
    generators: Sequence[np.random.Generator],
    *,
    copies: int = 1,
) -> Tensor:
    """Rows [members * copies, size]: `copies` networks of each member from its own generator."""
    rows = torch.zeros(len(generators) * copies, shape.size)
    weights, biases = shape.views(rows)
    for row in range(len(rows)):
        rng = generators[row // copies]
        for layer, (inputs, outputs) in enumerate(shape.layers):
            heads = shape.heads if layer == len(shape.hidden) else (outputs,)
            drawn = [_weight(scheme, gain, inputs, head, rng) for head in heads]
            weights[layer][row] = torch.from_numpy(np.concatenate(drawn, axis=1))
            if scheme == "kaiming_uniform":
                bound = 1 / math.sqrt(inputs)
                biases[layer][row, 0] = torch.from_numpy(rng.uniform(-bound, bound, outputs))
        if shape.trunk is not None:
            _begin_trunk(shape.trunk, scheme, shape.trunk_part(rows)[row : row + 1], rng)
    return rows


def _begin_trunk(trunk: Trunk, scheme: WeightInit, row: Tensor, rng: np.random.Generator) -> None:
    """Writes a trunk's first parameters into its row [1, size]."""
    for weight, bias in zip(*trunk.views(row), strict=True):
        filters, side, _, channels = weight.shape[1:]
        reads = side * side * channels
        drawn = _weight(scheme, gain_for("relu"), reads, filters, rng, area=side * side)
        weight.copy_(torch.from_numpy(drawn.T.reshape(weight.shape)))
        if scheme == "kaiming_uniform":
            bound = 1 / math.sqrt(reads)
            bias.copy_(torch.from_numpy(rng.uniform(-bound, bound, filters)))


def gain_for(activation: str) -> float:
    """The factor on the xavier schemes that keeps the variance through an activation."""
    return math.sqrt(2.0) if activation == "relu" else 5.0 / 3.0


def _padded(used: int) -> int:
    return -(-used // _ROW) * _ROW


def _weight(
    scheme: WeightInit,
    gain: float,
    inputs: int,
    outputs: int,
    rng: np.random.Generator,
    *,
    area: int = 1,
) -> np.ndarray:
    """A layer's first weights [inputs, outputs].

    `area`: pixels of a filter; each output of a convolution feeds so many.
    """
    shape = (inputs, outputs)
    fans = inputs + outputs * area
    if scheme == "xavier_uniform":
        bound = gain * math.sqrt(6 / fans)
        return rng.uniform(-bound, bound, shape)
    if scheme == "xavier_normal":
        return rng.normal(0.0, gain * math.sqrt(2 / fans), shape)
    if scheme == "uniform":
        return rng.uniform(0.0, 1.0, shape)
    if scheme == "normal":
        return rng.normal(0.0, 1.0, shape)
    if scheme == "orthogonal":
        tall = rng.normal(0.0, 1.0, (max(shape), min(shape)))
        q, r = np.linalg.qr(tall)
        q *= np.sign(np.diagonal(r))
        return np.asarray(q if inputs >= outputs else q.T)
    if scheme == "kaiming_uniform":  # what torch.nn.Linear begins with, biases included
        bound = 1 / math.sqrt(inputs)
        return rng.uniform(-bound, bound, shape)
    return np.zeros(shape)
