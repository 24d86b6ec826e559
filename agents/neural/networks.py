"""Stacks of equally shaped multilayer perceptrons, with their gradients written out.

N networks are one network with a leading axis: layer l of all of them is one batched product,

    x_0 = x,   x_l+1 = f(x_l W_l + b_l),   y = x_L W_L + b_L         (f: relu or tanh)

and with D_l the loss's derivative with respect to layer l's output before f,

    dW_l = x_lᵀ D_l,   db_l = Σ_batch D_l,   D_l-1 = (D_l W_lᵀ) f'(x_l)

where f' is known from f's value: sign x for relu, 1 - x² for tanh.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agents.neural import arithmetic
from agents.neural.compiled import CompiledMLP
from agents.neural.parameters import Activation, Shape
from agents.neural.wide import WideMLP

_DENSE = torch.contiguous_format


class StackedMLP:
    """N perceptrons on parameters that somebody else may hold too.

    Small networks cost mostly the calls into torch, taking a view of a tensor included: buffers
    and views are made once for each batch size.

    Attributes:
        values: [N, P] the parameters.
        gradients: [N, P] what `backward` writes.
    """

    def __init__(self, shape: Shape, activation: Activation, values: Tensor) -> None:
        self.shape = shape
        self.values = values
        self.gradients = torch.zeros_like(values)
        self._weights, self._biases = shape.views(values)
        self._transposed = [weight.transpose(1, 2) for weight in self._weights]
        self._weight_gradients, self._bias_gradients = shape.views(self.gradients)
        self._dense_gradients = [torch.empty_like(w, memory_format=_DENSE) for w in self._weights]
        self._relu = activation == "relu"
        self._forwards: dict[int, _Forward] = {}
        self._backwards: dict[tuple[int, int], _Backward] = {}
        self._x = values.new_empty(len(values), 0, shape.layers[0][0])  # of the last forward pass

    def forward(self, x: Tensor) -> Tensor:
        """y [N, B, out] of x [N, B, in]; overwritten by the next pass of equal batch size B."""
        batch = x.shape[1]
        buffers = self._forwards.get(batch)
        if buffers is None:
            buffers = self._forwards[batch] = _Forward(self.shape, self._biases, batch)
        self._x = x
        activate = torch.relu_ if self._relu else torch.tanh_
        for weight, bias, out in zip(self._weights, buffers.biases, buffers.hidden, strict=False):
            x = activate(torch.baddbmm(bias, x, weight, out=out))
        return linear(x, self._weights[-1], buffers.biases[-1], buffers.y, buffers.scratch)

    def backward(self, d_y: Tensor) -> None:
        """Writes the parameters' gradients, for the derivative `d_y` [N, B', out] of the loss.

        B' may be less than the last pass's B: then the loss depends on its first B' rows only.
        """
        self._backward(d_y, self._route(d_y.shape[1]))

    def backward_to_input(self, d_y: Tensor) -> Tensor:
        """`backward` and `input_gradient` in one."""
        route = self._route(d_y.shape[1])
        d = self._backward(d_y, route)
        return torch.bmm(d, self._transposed[0], out=route.d_inputs[0])

    def _backward(self, d: Tensor, route: _Backward) -> Tensor:
        """Writes the gradients; returns D_0."""
        for layer in range(len(self._weights) - 1, -1, -1):
            self._weight_gradient(layer, d, route)
            torch.sum(d, 1, keepdim=True, out=self._bias_gradients[layer])
            if layer > 0:
                d = self._through(layer, d, route)
        return d

    def input_gradient(self, d_y: Tensor) -> Tensor:
        """dL/dx [N, B', in]; no parameter gradients are computed. Overwritten by the next call."""
        route = self._route(d_y.shape[1])
        d = d_y
        for layer in range(len(self._weights) - 1, 0, -1):
            d = self._through(layer, d, route)
        return torch.bmm(d, self._transposed[0], out=route.d_inputs[0])

    def _weight_gradient(self, layer: int, d: Tensor, route: _Backward) -> None:
        """xᵀ D."""
        gradient = self._weight_gradients[layer]
        if d.shape[2] == 1:  # see `linear`
            torch.mul(route.inputs[layer], d, out=route.scratch[layer])
            torch.sum(route.scratch[layer], 1, keepdim=True, out=gradient.transpose(1, 2))
        else:
            # torch takes the batch in one product only where the result is contiguous
            dense = torch.bmm(route.inputs_transposed[layer], d, out=self._dense_gradients[layer])
            gradient.copy_(dense)

    def _through(self, layer: int, d: Tensor, route: _Backward) -> Tensor:
        """D of the layer before: (D Wᵀ) f'(x)."""
        x, scratch = route.inputs[layer], route.scratch[layer]
        product = torch.mul if d.shape[2] == 1 else torch.bmm
        d = product(d, self._transposed[layer], out=route.d_inputs[layer])
        if self._relu:
            return d.mul_(torch.sign(x, out=scratch))
        return d.addcmul_(torch.mul(d, x, out=scratch), x, value=-1)

    def _route(self, rows: int) -> _Backward:
        """The way back through the last forward pass, for its first rows."""
        key = self._x.shape[1], rows
        route = self._backwards.get(key)
        if route is None:
            hidden = self._forwards[key[0]].hidden
            route = self._backwards[key] = _Backward(self.shape, hidden, rows)
        route.begin_at(self._x)
        return route


class _Forward:
    """Places for the outputs of one batch size.

    Attributes:
        hidden: [N, B, width] of every hidden layer.
        y: [N, B, out].
        scratch: like the last of hidden.
        biases: of every layer, repeated along the batch.
    """

    def __init__(self, shape: Shape, biases: list[Tensor], batch: int) -> None:
        self.biases = [bias.expand(-1, batch, -1) for bias in biases]
        places = [torch.empty_like(bias, memory_format=_DENSE) for bias in self.biases]
        self.hidden, self.y = places[:-1], places[-1]
        self.scratch = torch.empty_like(self.hidden[-1])


class _Backward:
    """What the way back needs for each layer.

    Attributes:
        inputs, inputs_transposed: the first rows of its input.
        d_inputs: a place for their gradients.
        scratch: a place of the same size.
    """

    def __init__(self, shape: Shape, hidden: list[Tensor], rows: int) -> None:
        self._rows = rows
        self._x: Tensor | None = None
        like = hidden[0]
        self.inputs = [like, *(x[:, :rows] for x in hidden)]  # the first is set by `begin_at`
        self.inputs_transposed = [x.transpose(1, 2) for x in self.inputs]
        self.scratch = [torch.empty_like(x, memory_format=_DENSE) for x in self.inputs]
        self.d_inputs = [like.new_empty(len(like), rows, width) for width, _ in shape.layers]

    def begin_at(self, x: Tensor) -> None:
        """Sets the first layer's input."""
        if x is not self._x:
            self._x = x
            self.inputs[0] = x[:, : self._rows]
            self.inputs_transposed[0] = self.inputs[0].transpose(1, 2)


def linear(x: Tensor, weight: Tensor, bias: Tensor, out: Tensor, scratch: Tensor) -> Tensor:
    """out [N, B, O] <- x [N, B, I] weight [N, I, O] + bias [N, B, O]; scratch is like x.

    Where O = 1, torch's batched products are slow, and a single one takes a routine that rounds
    otherwise than the batch does. Products and sums of vectors are neither.
    """
    if out.shape[2] == 1:
        torch.mul(x, weight.transpose(1, 2), out=scratch)
        return torch.sum(scratch, 2, keepdim=True, out=out).add_(bias)
    return torch.baddbmm(bias, x, weight, out=out)


Perceptrons = CompiledMLP | WideMLP | StackedMLP

#: From so many units on a layer is wide.
_WIDE = 128


def perceptrons(shape: Shape, activation: Activation, values: Tensor) -> Perceptrons:
    """Perceptrons on parameters [N, P], with the arithmetic that suits where and what they are."""
    if not arithmetic.is_compiled(values.device):
        return StackedMLP(shape, activation, values)
    wide = max(max(layer) for layer in shape.layers) >= _WIDE
    return (WideMLP if wide else CompiledMLP)(shape, activation, values)
