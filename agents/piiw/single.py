"""One observation at a time through a network: what a planner asks for at every node.

A torch call costs more than the arithmetic of so small a layer, so on the processor the pass is
one compiled call. A convolution whose kernel is twice its stride is, on the picture cut into
blocks of stride x stride, a sum of four products:

    y[i, j] = Z[i, j, 0] + Z[i, j+1, 1] + Z[i+1, j, 2] + Z[i+1, j+1, 3],   Z = blocks W

so that nothing is copied twice, and one BLAS product does all filters. The fully connected layer
reads only the rows of its weights whose input is not 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from agents.piiw.network import CONVS, PolicyNetwork

Floats = NDArray[np.float32]


class Single(NamedTuple):
    """Of one observation: logits [A], the last hidden layer [256], value logits [V].

    Overwritten by the next pass.
    """

    logits: Floats
    hidden: Floats
    value: Floats


class SinglePass:
    """The forward pass in evaluation, of one observation after another."""

    def __init__(self, network: PolicyNetwork) -> None:
        self._network = network
        self._version = -1
        self._compiled: _Compiled | None = None
        if network.device.type == "cpu" and network.architecture.picture is not None:
            self._compiled = _Compiled(network)

    def __call__(self, observation: np.ndarray) -> Single:
        """Of a picture [height, width, channels] or a vector [inputs]."""
        network = self._network
        if self._version != network.version:
            self._refresh()
        if self._compiled is not None:
            return self._compiled(observation)
        if network.device.type == "cpu":
            x = observation.astype(np.float32)
            if network.input_scale != 1.0:
                x *= np.float32(network.input_scale)
            for weight, scale, shift in self._layers:
                x = np.maximum(scale * (x @ weight) + shift, np.float32(0))
            logits, value = (x @ weight + bias for weight, bias in self._heads)
            return Single(logits, x, value)
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(observation)[None]).to(network.device)
            out = network.forward(batch)
            value = np.empty(0, np.float32) if out.value is None else out.value[0].cpu().numpy()
            return Single(out.logits[0].cpu().numpy(), out.hidden[0].cpu().numpy(), value)

    def _refresh(self) -> None:
        """Takes in the weights as they are now."""
        network = self._network
        self._version = network.version
        if self._compiled is not None:
            self._compiled.refresh()
        elif network.device.type == "cpu":
            names = network.architecture.hidden
            self._layers = [
                (network.array(f"{name}.weight"), *network.affine(name)) for name in names
            ]
            self._heads = _heads(network)


def _heads(network: PolicyNetwork) -> list[tuple[Floats, Floats]]:
    """(weight, bias) of the logits and of the value, which may be of no width."""
    heads = [(network.array("policy.weight"), network.array("policy.bias"))]
    if network.architecture.values:
        return [*heads, (network.array("value.weight"), network.array("value.bias"))]
    units = network.architecture.units
    return [*heads, (np.empty((units, 0), np.float32), np.empty(0, np.float32))]


class _Compiled:
    """The pass through convolutions; holds the memory that it works in."""

    def __init__(self, network: PolicyNetwork) -> None:
        architecture = network.architecture
        assert architecture.picture is not None
        self._network = network
        height, width, channels = architecture.picture
        self._planes = []  # of each convolution: blocks, their products
        for conv in CONVS:
            height, width = conv.outputs(height, width)
            blocks = np.zeros((height + 1, width + 1, conv.stride**2 * channels), np.float32)
            products = np.zeros(((height + 1) * (width + 1), 4 * conv.filters), np.float32)
            self._planes += [blocks, products]
            channels = conv.filters
        self._outputs = (height, width)
        self._features = np.zeros(architecture.convolved, np.float32)
        self._active = np.zeros(architecture.convolved, np.int64)
        self._out = Single(
            np.zeros(architecture.actions, np.float32),
            np.zeros(architecture.units, np.float32),
            np.zeros(architecture.values, np.float32),
        )
        self._weights: tuple[Floats, ...] = ()

    def refresh(self) -> None:
        network, weights = self._network, list[Floats]()
        for i, conv in enumerate(CONVS):
            weight = network.array(f"conv{i + 1}.weight")
            if i == 0 and network.input_scale != 1.0:
                weight = weight * np.float32(network.input_scale)
            weights += [_by_blocks(weight, conv.stride), *network.affine(f"conv{i + 1}")]
        weights += [network.array("fc.weight"), *network.affine("fc")]
        for weight, bias in _heads(network):
            weights += [weight, bias]
        self._weights = tuple(weights)

    def __call__(self, observation: np.ndarray) -> Single:
        out = self._out
        room = (*self._planes, self._outputs, self._features, self._active)
        arguments: tuple[Any, ...] = (observation, *self._weights, *room, *out[::-1])
        _forward(*arguments)
        return out


def _by_blocks(weight: Floats, stride: int) -> Floats:
    """[s s C, 4 O] of a kernel [2s, 2s, C, O]: for each of four blocks, what it contributes."""
    size, _, channels, filters = weight.shape
    cut = weight.reshape(2, stride, 2, stride, channels, filters).transpose(1, 3, 4, 0, 2, 5)
    return np.ascontiguousarray(cut).reshape(size * size // 4 * channels, 4 * filters)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _forward(
    picture: NDArray[np.uint8],
    w1: Floats,
    a1: Floats,
    b1: Floats,
    w2: Floats,
    a2: Floats,
    b2: Floats,
    w3: Floats,
    a3: Floats,
    b3: Floats,
    w4: Floats,
    b4: Floats,
    w5: Floats,
    b5: Floats,
    blocks1: Floats,
    z1: Floats,
    blocks2: Floats,
    z2: Floats,
    outputs: tuple[int, int],
    features: Floats,
    active: NDArray[np.int64],
    value: Floats,
    hidden: Floats,
    logits: Floats,
) -> None:
    """Writes value logits [V], the hidden layer [H] and logits [A] of picture [h, w, C].

    blocks1 [h1+1, w1+1, 16 C], z1 [its blocks, 4 O1], blocks2 and z2 likewise: work space.
    """
    _cut(picture, 4, blocks1)
    np.dot(blocks1.reshape(z1.shape[0], -1), w1, z1)
    _add_and_cut(z1, blocks1.shape[0], blocks1.shape[1], a1, b1, blocks2)
    np.dot(blocks2.reshape(z2.shape[0], -1), w2, z2)
    _add(z2, blocks2.shape[1], outputs, a2, b2, features)
    _through(features, active, w3, hidden)
    for k in range(hidden.shape[0]):
        hidden[k] = max(a3[k] * hidden[k] + b3[k], np.float32(0))
    logits[:] = b4
    value[:] = b5
    for k in range(hidden.shape[0]):
        if hidden[k] > 0:
            for o in range(logits.shape[0]):
                logits[o] += hidden[k] * w4[k, o]
            for o in range(value.shape[0]):
                value[o] += hidden[k] * w5[k, o]


@njit(cache=True, error_model="numpy")
def _cut(picture: NDArray[np.uint8], stride: int, blocks: Floats) -> None:
    """Copies a picture into its blocks."""
    channels = picture.shape[2]
    for i in range(blocks.shape[0]):
        for y in range(stride):
            row = picture[i * stride + y]
            for j in range(blocks.shape[1]):
                k = y * stride * channels
                for x in range(stride):
                    for c in range(channels):
                        blocks[i, j, k] = row[j * stride + x, c]
                        k += 1


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _add_and_cut(z: Floats, height: int, width: int, a: Floats, b: Floats, blocks: Floats) -> None:
    """relu(a * (the convolution that z holds) + b), cut into blocks of 2 x 2."""
    filters = a.shape[0]
    most_i, most_j = min(height - 1, 2 * blocks.shape[0]), min(width - 1, 2 * blocks.shape[1])
    for i in range(most_i):
        for j in range(most_j):
            at = i * width + j
            out = blocks[i // 2, j // 2, (i % 2 * 2 + j % 2) * filters :]
            for o in range(filters):
                y = z[at, o] + z[at + 1, filters + o]
                y += z[at + width, 2 * filters + o] + z[at + width + 1, 3 * filters + o]
                out[o] = max(a[o] * y + b[o], np.float32(0))


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _add(
    z: Floats, width: int, outputs: tuple[int, int], a: Floats, b: Floats, features: Floats
) -> None:
    """As `_add_and_cut`, one output after another."""
    filters = a.shape[0]
    for i in range(outputs[0]):
        for j in range(outputs[1]):
            at = i * width + j
            out = features[(i * outputs[1] + j) * filters :]
            for o in range(filters):
                y = z[at, o] + z[at + 1, filters + o]
                y += z[at + width, 2 * filters + o] + z[at + width + 1, 3 * filters + o]
                out[o] = max(a[o] * y + b[o], np.float32(0))


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _through(features: Floats, active: NDArray[np.int64], weight: Floats, out: Floats) -> None:
    """out = features @ weight, four rows of `weight` at a time, without those of features 0."""
    out[:] = 0
    count = 0
    for k in range(features.shape[0]):
        if features[k] != 0:
            active[count] = k
            count += 1
    fours = count // 4 * 4
    for q in range(0, fours, 4):
        k0, k1, k2, k3 = active[q], active[q + 1], active[q + 2], active[q + 3]
        x0, x1, x2, x3 = features[k0], features[k1], features[k2], features[k3]
        w0, w1, w2, w3 = weight[k0], weight[k1], weight[k2], weight[k3]
        for o in range(out.shape[0]):
            out[o] = out[o] + x0 * w0[o] + x1 * w1[o] + x2 * w2[o] + x3 * w3[o]
    for q in range(fours, count):
        k0 = active[q]
        for o in range(out.shape[0]):
            out[o] += features[k0] * weight[k0, o]
