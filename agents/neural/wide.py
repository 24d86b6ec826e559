"""Stacks of wide perceptrons on the processor: torch's products, one network after another.

Where layers are wide the products are what costs, and torch's library has the fastest; everything
between two products is one compiled pass. The equations are those of `agents.neural.networks`. A
network's bits do not depend on its neighbours, as every product is of one network.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

from agents.neural.parameters import Activation, Shape


class WideMLP:
    """N perceptrons on parameters that somebody else may hold too.

    Attributes:
        values: [N, P] the parameters.
        gradients: [N, P] what `backward` writes.
    """

    def __init__(self, shape: Shape, activation: Activation, values: Tensor) -> None:
        self.shape = shape
        self.values = values
        self.gradients = torch.zeros_like(values)
        self._layers, self._relu = len(shape.layers), activation == "relu"
        self._weights, self._biases = _by_network(shape, values)
        self._transposed = [[weight.T for weight in weights] for weights in self._weights]
        self._weight_gradients, self._bias_gradients = _by_network(shape, self.gradients)
        self._places: dict[int, _Place] = {}
        self._place = _Place(shape, values, 0)  # of the last forward pass
        self._scratch: dict[int, tuple[list[Tensor], Tensor]] = {}
        self._x: tuple[Tensor, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        """y [N, B, out] of x [N, B, in]; overwritten by the next pass of equal batch size B."""
        batch = x.shape[1]
        place = self._places.get(batch)
        if place is None:
            place = self._places[batch] = _Place(self.shape, self.values, batch)
        self._place, self._x = place, x.unbind()
        last = self._layers - 1
        for n, source in enumerate(self._x):
            for layer, out in enumerate(place.outputs[n]):
                torch.mm(source, self._weights[n][layer], out=out)
                _activate(out.numpy(), self._biases[n][layer].numpy(), layer == last, self._relu)
                source = out
        return place.y

    def backward(self, d_y: Tensor) -> None:
        """Writes the parameters' gradients, for the derivative `d_y` [N, B', out] of the loss.

        B' may be less than the last pass's B: then the loss depends on its first B' rows only.
        """
        rows = d_y.shape[1]
        for n, d in enumerate(d_y.unbind()):
            inputs = [self._x[n], *self._place.outputs[n]]
            for layer in range(self._layers - 1, -1, -1):
                source = inputs[layer][:rows]
                torch.mm(source.T, d, out=self._weight_gradients[n][layer])
                torch.sum(d, 0, out=self._bias_gradients[n][layer])
                if layer > 0:
                    d = self._through(n, layer, d, source)

    def backward_to_input(self, d_y: Tensor) -> Tensor:
        """`backward` and `input_gradient` in one."""
        self.backward(d_y)
        return self.input_gradient(d_y)

    def input_gradient(self, d_y: Tensor) -> Tensor:
        """dL/dx [N, B', in]; no parameter gradients are computed. Overwritten by the next call."""
        rows = d_y.shape[1]
        d_x = self._places_back(rows)[1]
        for n, d in enumerate(d_y.unbind()):
            for layer in range(self._layers - 1, 0, -1):
                d = self._through(n, layer, d, self._place.outputs[n][layer - 1][:rows])
            torch.mm(d, self._transposed[n][0], out=d_x[n])
        return d_x

    def _through(self, n: int, layer: int, d: Tensor, source: Tensor) -> Tensor:
        """D of the layer before, (D Wᵀ) f'(x)."""
        out = self._places_back(len(d))[0][layer]
        torch.mm(d, self._transposed[n][layer], out=out)
        _differentiate(out.numpy(), source.numpy(), self._relu)
        return out

    def _places_back(self, rows: int) -> tuple[list[Tensor], Tensor]:
        """Places for D of each layer's input, one network at a time, and for dL/dx of all."""
        places = self._scratch.get(rows)
        if places is None:
            between = [self.values.new_empty(rows, reads) for reads, _ in self.shape.layers]
            d_x = self.values.new_empty(len(self.values), rows, self.shape.layers[0][0])
            places = self._scratch[rows] = between, d_x
        return places


class _Place:
    """Where one batch size's outputs go.

    Attributes:
        y: [N, B, out].
        outputs: of every network the outputs [B, width] of every layer.
    """

    def __init__(self, shape: Shape, values: Tensor, batch: int) -> None:
        layers = [values.new_empty(len(values), batch, writes) for _, writes in shape.layers]
        self.y = layers[-1]
        self.outputs = [[layer[n] for layer in layers] for n in range(len(values))]


def _by_network(shape: Shape, rows: Tensor) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Weights [in, out] and biases [out] of every layer of every network."""
    weights, biases = shape.views(rows)
    return (
        [[weight[n] for weight in weights] for n in range(len(rows))],
        [[bias[n, 0] for bias in biases] for n in range(len(rows))],
    )


@njit(cache=True, error_model="numpy")
def _activate(out: np.ndarray, bias: np.ndarray, linear: bool, relu: bool) -> None:
    """f(out + bias) in place."""
    zero = out.dtype.type(0)
    for i in range(len(out)):
        if linear:
            for j in range(len(bias)):
                out[i, j] += bias[j]
        elif relu:
            for j in range(len(bias)):
                out[i, j] = max(out[i, j] + bias[j], zero)
        else:
            for j in range(len(bias)):
                out[i, j] = np.tanh(out[i, j] + bias[j])


@njit(cache=True, error_model="numpy")
def _differentiate(d: np.ndarray, x: np.ndarray, relu: bool) -> None:
    """D f'(x) in place, where x is what f gave."""
    zero = d.dtype.type(0)
    for i in range(d.shape[0]):
        for j in range(d.shape[1]):
            if relu:
                d[i, j] = d[i, j] if x[i, j] > 0 else zero
            else:
                d[i, j] *= 1 - x[i, j] * x[i, j]
