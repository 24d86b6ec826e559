"""Networks, optimizer and initial weights against torch's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.neural.adam import Adam, AdamSettings
from agents.neural.compiled import CompiledMLP
from agents.neural.networks import Perceptrons, StackedMLP
from agents.neural.parameters import Activation, Shape, WeightInit, gain_for, initial_rows
from agents.neural.wide import WideMLP


def random_rows(shape: Shape, rows: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, shape.size, generator=generator, dtype=torch.float64) / 3


def module(shape: Shape, activation: Activation, row: Tensor) -> nn.Sequential:
    """The same perceptron from torch's modules."""
    weights, biases = shape.views(row[None])
    layers: list[nn.Module] = []
    for (inputs, outputs), weight, bias in zip(shape.layers, weights, biases, strict=True):
        layer = nn.Linear(inputs, outputs, dtype=torch.float64)
        layer.weight.data, layer.bias.data = weight[0].T.clone(), bias[0, 0].clone()
        layers += [layer, nn.ReLU() if activation == "relu" else nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def gradient_row(shape: Shape, net: nn.Sequential) -> Tensor:
    row = torch.zeros(1, shape.size, dtype=torch.float64)
    linears = [layer for layer in net if isinstance(layer, nn.Linear)]
    for layer, weight, bias in zip(linears, *shape.views(row), strict=True):
        assert layer.weight.grad is not None and layer.bias.grad is not None
        weight[0], bias[0, 0] = layer.weight.grad.T, layer.bias.grad
    return row[0]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("hidden", [(5,), (6, 4), (3, 5, 4)])
@pytest.mark.parametrize(("rows", "heads"), [(1, (1,)), (3, (1,)), (2, (2, 3))])
@pytest.mark.parametrize("kind", [StackedMLP, CompiledMLP, WideMLP])
def test_gradients_are_those_of_autograd(
    kind: type[Perceptrons],
    activation: Activation,
    hidden: tuple[int, ...],
    rows: int,
    heads: tuple[int, ...],
) -> None:
    shape = Shape(3, hidden, heads)
    values = random_rows(shape, rows)
    stack = kind(shape, activation, values)
    x = torch.randn(rows, 7, 3, dtype=torch.float64)
    direction = torch.randn(rows, 7, sum(heads), dtype=torch.float64)
    for used in (7, 4):  # all rows of the batch, and the first of them
        y = stack.forward(x).clone()
        stack.backward(direction[:, :used])
        d_x = stack.input_gradient(direction[:, :used])
        for n in range(rows):
            net, inputs = module(shape, activation, values[n]), x[n].clone().requires_grad_()
            expected = net(inputs)
            torch.testing.assert_close(y[n], expected, rtol=1e-10, atol=1e-12)
            (expected * direction[n])[:used].sum().backward()
            assert inputs.grad is not None
            torch.testing.assert_close(d_x[n], inputs.grad[:used], rtol=1e-10, atol=1e-12)
            torch.testing.assert_close(stack.gradients[n], gradient_row(shape, net))


@pytest.mark.parametrize("kind", [StackedMLP, CompiledMLP, WideMLP])
def test_passes_of_several_batch_sizes_do_not_disturb_each_other(
    kind: type[Perceptrons],
) -> None:
    shape = Shape(3, (8, 8), (2,))
    stack = kind(shape, "relu", random_rows(shape, 2))
    x = torch.randn(2, 9, 3, dtype=torch.float64)
    y = stack.forward(x).clone()
    stack.forward(x[:, :4])
    other = stack.forward(x.flip(1)).flip(1)
    torch.testing.assert_close(other, y)
    stack.backward(torch.ones(2, 9, 2, dtype=torch.float64))
    first = stack.gradients.clone()
    stack.forward(x)
    stack.backward(torch.ones(2, 9, 2, dtype=torch.float64))
    torch.testing.assert_close(stack.gradients, first)


@pytest.mark.usefixtures("each_arithmetic")
def test_adam_is_torchs_with_settings_of_its_own_for_each_row() -> None:
    settings = [
        AdamSettings(1e-3, (0.9, 0.999), 1e-8),
        AdamSettings(0.3, (0.0, 0.9), 1e-3),
        AdamSettings(0.0, (0.5, 0.99), 1e-8),
    ]
    values = torch.randn(3, 32, dtype=torch.float64)
    gradients = torch.zeros_like(values)
    expected = [nn.Parameter(row.clone()) for row in values]
    optimizers = [
        torch.optim.Adam([row], lr=one.lr, betas=one.betas, eps=one.eps)
        for row, one in zip(expected, settings, strict=True)
    ]
    adam = Adam(values, gradients, settings)
    for _ in range(600):  # beyond a block of the schedule
        gradients.copy_(torch.randn_like(values))
        adam.step()
        for row, gradient, optimizer in zip(expected, gradients, optimizers, strict=True):
            row.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(values, torch.stack([row.data for row in expected]))


@pytest.mark.parametrize(
    ("scheme", "bound", "variance"),
    [
        ("xavier_uniform", math.sqrt(2 * 6 / 150), 2 * 2 / 150),
        ("xavier_normal", math.inf, 2 * 2 / 150),
        ("uniform", 1.0, 1 / 12),
        ("normal", math.inf, 1.0),
        ("kaiming_uniform", 0.1, 0.01 / 3),
        ("orthogonal", 1.0, 1 / 100),
        ("zeros", 0.0, 0.0),
    ],
)
def test_initial_weights(scheme: WeightInit, bound: float, variance: float) -> None:
    shape = Shape(100, (50,), (20,))
    rngs = [np.random.default_rng(seed) for seed in range(40)]
    weights, biases = shape.views(initial_rows(shape, scheme, gain_for("relu"), rngs))
    first = weights[0]
    assert first.abs().max() <= bound
    torch.testing.assert_close(first.var().item(), variance, rtol=0.05, atol=1e-9)
    assert (biases[0] == 0).all() == (scheme != "kaiming_uniform")
    if scheme == "orthogonal":
        torch.testing.assert_close(first[0].T @ first[0], torch.eye(50), atol=1e-5, rtol=0)


def test_each_head_begins_as_a_layer_of_its_own() -> None:
    shape = Shape(2, (64,), (1, 1, 6))
    rngs = [np.random.default_rng(seed) for seed in range(200)]
    last = shape.views(initial_rows(shape, "xavier_uniform", math.sqrt(2), rngs))[0][1]
    narrow, wide = math.sqrt(12 / 65), math.sqrt(12 / 70)
    torch.testing.assert_close(last[..., :2].abs().max().item(), narrow, rtol=1e-2, atol=0)
    torch.testing.assert_close(last[..., 2:].abs().max().item(), wide, rtol=1e-2, atol=0)


def test_copies_differ_and_members_do_not_depend_on_each_other() -> None:
    shape = Shape(4, (8, 8), (1,))
    both = initial_rows(
        shape, "xavier_uniform", 1.0, [np.random.default_rng(s) for s in (1, 2)], copies=2
    )
    alone = initial_rows(shape, "xavier_uniform", 1.0, [np.random.default_rng(2)], copies=2)
    assert torch.equal(both[2:], alone)
    assert not torch.equal(both[0], both[1])
