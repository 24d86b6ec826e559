"""Stacks of perceptrons on the processor: each pass is one compiled call.

The equations are those of `agents.neural.networks`, whose interface this has. Small networks there
cost mostly the calls into torch, a dozen for a pass; here a pass is a loop over networks around
BLAS products, so that a network's bits cannot depend on its neighbours either.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

from agents.neural.parameters import Activation, Shape


class CompiledMLP:
    """N perceptrons on parameters that somebody else may hold too.

    Attributes:
        values: [N, P] the parameters.
        gradients: [N, P] what `backward` writes.
    """

    def __init__(self, shape: Shape, activation: Activation, values: Tensor) -> None:
        self.shape = shape
        self.values = values
        self.gradients = torch.zeros_like(values)
        self._values, self._gradients = values.numpy(), self.gradients.numpy()
        self._widths = np.array([reads for reads, _ in shape.layers] + [shape.outputs])
        self._relu = activation == "relu"
        self._places: dict[int, _Place] = {}
        self._place = _Place(values, shape, 0)  # of the last forward pass
        self._x = np.zeros((len(values), 0, self._widths[0]), self._values.dtype)
        most = max(shape.hidden)
        self._here, self._before = np.zeros((2, 0, most), self._values.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """y [N, B, out] of x [N, B, in]; overwritten by the next pass of equal batch size B."""
        batch = x.shape[1]
        place = self._places.get(batch)
        if place is None:
            place = self._places[batch] = _Place(self.values, self.shape, batch)
            if batch > len(self._here):
                self._here, self._before = np.zeros(
                    (2, batch, self._here.shape[1]), self._values.dtype
                )
        self._place, self._x = place, x.contiguous().numpy()
        _forward(self._values, self._widths, self._relu, self._x, place.hidden, place.y_array)
        return place.y

    def backward(self, d_y: Tensor) -> None:
        """Writes the parameters' gradients, for the derivative `d_y` [N, B', out] of the loss.

        B' may be less than the last pass's B: then the loss depends on its first B' rows only.
        """
        _backward(
            self._values,
            self._widths,
            self._relu,
            self._x,
            self._place.hidden,
            d_y.contiguous().numpy(),
            self._here,
            self._before,
            self._gradients,
        )

    def backward_to_input(self, d_y: Tensor) -> Tensor:
        """`backward` and `input_gradient` in one."""
        self.backward(d_y)
        return self.input_gradient(d_y)

    def input_gradient(self, d_y: Tensor) -> Tensor:
        """dL/dx [N, B', in]; no parameter gradients are computed. Overwritten by the next call."""
        d_x = self._place.input_gradient(d_y.shape[1])
        _input_gradient(
            self._values,
            self._widths,
            self._relu,
            self._place.hidden,
            d_y.contiguous().numpy(),
            self._here,
            self._before,
            d_x.numpy(),
        )
        return d_x


class _Place:
    """Where one batch size's outputs go.

    Attributes:
        hidden: [N, B × widths] of every hidden layer, one after another.
        y, y_array: [N, B, out], the same memory.
    """

    def __init__(self, values: Tensor, shape: Shape, batch: int) -> None:
        N = len(values)
        self.hidden = values.new_zeros(N, batch * sum(shape.hidden)).numpy()
        self.y = values.new_zeros(N, batch, shape.outputs)
        self.y_array = self.y.numpy()
        self._d_x = values.new_zeros(N, batch, shape.layers[0][0])
        self._d_x_of: dict[int, Tensor] = {batch: self._d_x}

    def input_gradient(self, rows: int) -> Tensor:
        """A place for the gradients of that many rows."""
        place = self._d_x_of.get(rows)
        if place is None:
            N, _, width = self._d_x.shape
            place = self._d_x_of[rows] = self._d_x.new_zeros(N, rows, width)
        return place


@njit(cache=True, error_model="numpy")
def _forward(
    values: np.ndarray,
    widths: np.ndarray,
    relu: bool,
    x: np.ndarray,
    hidden: np.ndarray,
    y: np.ndarray,
) -> None:
    """Every layer of every network."""
    layers, batch = len(widths) - 1, x.shape[1]
    for n in range(len(values)):
        source, at, place = x[n], 0, 0
        for layer in range(layers):
            reads, writes = widths[layer], widths[layer + 1]
            end = at + reads * writes
            weight = values[n, at:end].reshape((reads, writes))
            bias = values[n, end : end + writes]
            at = end + writes
            if layer == layers - 1:
                out = y[n]
            else:
                out = hidden[n, place : place + batch * writes].reshape((batch, writes))
                place += batch * writes
            np.dot(source, weight, out)
            if layer == layers - 1:
                for i in range(batch):
                    for j in range(writes):
                        out[i, j] += bias[j]
            elif relu:
                for i in range(batch):
                    for j in range(writes):
                        out[i, j] = max(out[i, j] + bias[j], out.dtype.type(0))
            else:
                for i in range(batch):
                    for j in range(writes):
                        out[i, j] = np.tanh(out[i, j] + bias[j])
            source = out


@njit(cache=True, error_model="numpy")
def _backward(
    values: np.ndarray,
    widths: np.ndarray,
    relu: bool,
    x: np.ndarray,
    hidden: np.ndarray,
    d_y: np.ndarray,
    here: np.ndarray,
    before: np.ndarray,
    gradients: np.ndarray,
) -> None:
    """dW = xᵀ D and db = Σ D of every layer, D of the layer before from D."""
    layers, batch, rows = len(widths) - 1, x.shape[1], d_y.shape[1]
    for n in range(len(values)):
        at = 0
        for layer in range(layers):
            at += (widths[layer] + 1) * widths[layer + 1]
        place = hidden.shape[1]
        d = d_y[n]
        for layer in range(layers - 1, -1, -1):
            reads, writes = widths[layer], widths[layer + 1]
            at -= (reads + 1) * writes
            end = at + reads * writes
            if layer == 0:
                source = x[n, :rows]
            else:
                place -= batch * reads
                source = hidden[n, place : place + rows * reads].reshape((rows, reads))
            np.dot(source.T, d, gradients[n, at:end].reshape((reads, writes)))
            bias = gradients[n, end : end + writes]
            bias[:] = d[0]
            for i in range(1, rows):
                for j in range(writes):
                    bias[j] += d[i, j]
            if layer > 0:
                weight = values[n, at:end].reshape((reads, writes))
                flat = here if (layers - layer) % 2 == 0 else before
                d = _through(weight, relu, source, d, flat)


@njit(cache=True, error_model="numpy")
def _input_gradient(
    values: np.ndarray,
    widths: np.ndarray,
    relu: bool,
    hidden: np.ndarray,
    d_y: np.ndarray,
    here: np.ndarray,
    before: np.ndarray,
    d_x: np.ndarray,
) -> None:
    """D Wᵀ through every layer."""
    layers, rows = len(widths) - 1, d_y.shape[1]
    total = 0
    for layer in range(layers - 1):
        total += widths[layer + 1]
    batch = hidden.shape[1] // total
    for n in range(len(values)):
        at = 0
        for layer in range(layers):
            at += (widths[layer] + 1) * widths[layer + 1]
        place = hidden.shape[1]
        d = d_y[n]
        for layer in range(layers - 1, -1, -1):
            reads, writes = widths[layer], widths[layer + 1]
            at -= (reads + 1) * writes
            weight = values[n, at : at + reads * writes].reshape((reads, writes))
            if layer == 0:
                np.dot(d, weight.T, d_x[n])
            else:
                place -= batch * reads
                source = hidden[n, place : place + rows * reads].reshape((rows, reads))
                flat = here if (layers - layer) % 2 == 0 else before
                d = _through(weight, relu, source, d, flat)


@njit(cache=True, error_model="numpy")
def _through(
    weight: np.ndarray, relu: bool, source: np.ndarray, d: np.ndarray, flat: np.ndarray
) -> np.ndarray:
    """D of the layer before, (D Wᵀ) f'(x), in the memory of `flat`."""
    rows, reads = source.shape
    out = flat.reshape(-1)[: rows * reads].reshape((rows, reads))
    np.dot(d, weight.T, out)
    for i in range(rows):
        for j in range(reads):
            if relu:
                out[i, j] = out[i, j] if source[i, j] > 0 else out.dtype.type(0)
            else:
                out[i, j] *= 1 - source[i, j] * source[i, j]
    return out
