"""Stacks of equally shaped convolutional networks, with their gradients written out.

A network is a trunk of convolutions, each followed by relu, and a perceptron on its features:

    x_0 = picture,   x_l+1 = relu(W_l * x_l + b_l),   y = perceptron(x_L, rest of the input)

Every network's convolutions are calls of their own, over its own batch: nothing that a call
computes depends on the other networks, so neither do its bits. The calls outweigh the loop.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agents.neural.networks import Perceptrons, perceptrons
from agents.neural.parameters import Activation, Shape
from agents.neural.trunk import Trunk

_backward = torch.ops.aten.convolution_backward.default
_relu_backward = torch.ops.aten.threshold_backward.default


def stack(shape: Shape, activation: Activation, values: Tensor) -> Perceptrons | StackedCNN:
    """Networks of that shape on parameters [N, P]."""
    if shape.trunk is None:
        return perceptrons(shape, activation, values)
    return StackedCNN(shape, shape.trunk, activation, values)


class StackedCNN:
    """N convolutional networks on parameters that somebody else may hold too.

    An input is a picture, channels last and flattened, and then what the perceptron reads beside
    its features (a critic's action).

    Attributes:
        values: [N, P] the parameters.
        gradients: [N, P] what `backward` writes.
    """

    def __init__(self, shape: Shape, trunk: Trunk, activation: Activation, values: Tensor) -> None:
        self.shape = shape
        self.values = values
        # torch's products: on so many features they are twice as fast as the compiled ones
        self._perceptron = perceptrons(shape, activation, values)
        self.gradients = self._perceptron.gradients
        self._picture, self._maps = trunk.picture, trunk.feature_maps
        self._pixels, self._outputs = trunk.inputs, trunk.outputs
        parameters = _by_network(trunk, shape.trunk_part(values))
        gradients = _by_network(trunk, shape.trunk_part(self.gradients))
        self._trunks = [_Trunk(trunk, *both) for both in zip(parameters, gradients, strict=True)]
        self._features: dict[int, Tensor] = {}
        self._input_gradients: dict[int, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        """y [N, B, out] of x [N, B, in]; overwritten by the next pass of equal batch size B.

        x must stay as it is until the way back.
        """
        features = self._features.get(x.shape[1])
        if features is None:
            width = self._outputs + x.shape[2] - self._pixels
            features = self._features[x.shape[1]] = x.new_empty(*x.shape[:2], width)
        if x.shape[2] > self._pixels:
            features[..., self._outputs :] = x[..., self._pixels :]
        pictures = _planes(x[..., : self._pixels], self._picture)
        maps = _planes(features[..., : self._outputs], self._maps)
        for trunk, picture, place in zip(self._trunks, pictures, maps, strict=True):
            place.copy_(trunk.forward(picture))
        return self._perceptron.forward(features)

    def backward(self, d_y: Tensor) -> None:
        """Writes the parameters' gradients, for the derivative `d_y` [N, B', out] of the loss.

        B' may be less than the last pass's B: then the loss depends on its first B' rows only.
        """
        d_features = self._perceptron.backward_to_input(d_y)
        d_maps = _planes(d_features[..., : self._outputs], self._maps)
        for trunk, d in zip(self._trunks, d_maps, strict=True):
            trunk.backward(d)

    def input_gradient(self, d_y: Tensor) -> Tensor:
        """dL/dx [N, B', in] of what follows the picture; the picture's, which no agent asks for,
        is left 0. Overwritten by the next call."""
        d_features = self._perceptron.input_gradient(d_y)
        d_x = self._input_gradients.get(d_y.shape[1])
        if d_x is None:
            d_x = d_y.new_zeros(*d_y.shape[:2], self.shape.inputs)
            self._input_gradients[d_y.shape[1]] = d_x
        d_x[..., self._pixels :] = d_features[..., self._outputs :]
        return d_x


class _Trunk:
    """One network's convolutions.

    Weights and gradients are [filters, channels, side, side] with channels last in memory, for
    which torch's routines are the fastest.
    """

    def __init__(
        self,
        trunk: Trunk,
        parameters: list[tuple[Tensor, Tensor]],
        gradients: list[tuple[Tensor, Tensor]],
    ) -> None:
        self._strides = [layer.stride for layer in trunk.layers]
        self._parameters, self._gradients = parameters, gradients
        self._passed: list[Tensor] = []  # picture and outputs of the last forward pass

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, filters, height, width] of pictures [B, channels, height, width]."""
        self._passed = [x]
        for (weight, bias), stride in zip(self._parameters, self._strides, strict=True):
            x = torch.conv2d(x, weight, bias, stride).relu_()
            self._passed.append(x)
        return x

    def backward(self, d: Tensor) -> None:
        """Writes the gradients, given the loss's derivative with respect to the first features."""
        for layer in range(len(self._strides) - 1, -1, -1):
            x, y = (passed[: len(d)] for passed in self._passed[layer : layer + 2])
            d = _relu_backward(d, y, 0).contiguous(memory_format=torch.channels_last)
            weight, bias = self._parameters[layer]
            steps = [self._strides[layer]] * 2
            wanted = [layer > 0, True, True]  # nothing reads the picture's derivative
            d, *both = _backward(
                d, x, weight, bias.shape, steps, [0, 0], [1, 1], False, [0, 0], 1, wanted
            )
            for place, gradient in zip(self._gradients[layer], both, strict=True):
                place.copy_(gradient)


def _planes(rows: Tensor, sides: tuple[int, int, int]) -> Tensor:
    """Rows [N, B, height * width * channels] as [N, B, channels, height, width]."""
    return rows.view(*rows.shape[:2], *sides).permute(0, 1, 4, 2, 3)


def _by_network(trunk: Trunk, rows: Tensor) -> list[list[tuple[Tensor, Tensor]]]:
    """Weights and biases of every layer of every network."""
    weights, biases = trunk.views(rows)
    filters = [weight.permute(0, 1, 4, 2, 3) for weight in weights]
    return [
        [(weight[row], bias[row]) for weight, bias in zip(filters, biases, strict=True)]
        for row in range(len(rows))
    ]
