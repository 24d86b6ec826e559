"""Convolutional networks against torch's own modules, and their bits against company."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.neural.adam import AdamSettings
from agents.neural.convolutions import StackedCNN, stack
from agents.neural.critics import Critics
from agents.neural.parameters import Activation, Shape, initial_rows
from agents.neural.trunk import MINATAR, NATURE, Trunk, least_side

TRUNKS = {
    "nature": Trunk((36, 44, 3), NATURE),
    "minatar": Trunk((10, 10, 4), MINATAR),
    "one channel": Trunk((5, 4, 1), MINATAR),
}


def shape_on(trunk: Trunk, *, actions: int = 0, heads: tuple[int, ...] = (2, 1)) -> Shape:
    return Shape(trunk.inputs + actions, (9, 5), heads, trunk)


def random_rows(shape: Shape, rows: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, shape.size, generator=generator, dtype=torch.float64) / 8


class Module(nn.Module):
    """The same network from torch's modules, on pictures with channels first."""

    def __init__(self, shape: Shape, activation: Activation, row: Tensor) -> None:
        super().__init__()
        assert shape.trunk is not None
        self.trunk = shape.trunk
        self.layers: dict[str, nn.Conv2d | nn.Linear] = {}
        channels = self.trunk.picture[2]
        for i, (filters, side, stride) in enumerate(self.trunk.layers):
            self.layers[f"filters_{i}"] = nn.Conv2d(channels, filters, side, stride)
            channels = filters
        convolutions = [part for layer in self.layers.values() for part in (layer, nn.ReLU())]
        for i, (inputs, outputs) in enumerate(shape.layers):
            self.layers[f"weight_{i}"] = nn.Linear(inputs, outputs)
        linears = list(self.layers.values())[len(self.trunk.layers) :]
        between = nn.ReLU if activation == "relu" else nn.Tanh
        self.convolutions = nn.Sequential(*convolutions)
        self.perceptron = nn.Sequential(
            *(part for layer in linears for part in (layer, between()))
        )[:-1]
        self.double()
        values = shape.named(row[None])
        for name, parameter in self.named().items():
            parameter.data.copy_(torch.from_numpy(values[name][0]))

    def forward(self, x: Tensor) -> Tensor:
        pixels = self.trunk.inputs
        pictures = x[:, :pixels].view(-1, *self.trunk.picture).permute(0, 3, 1, 2)
        features = self.convolutions(pictures).permute(0, 2, 3, 1).flatten(1)
        y: Tensor = self.perceptron(torch.cat((features, x[:, pixels:]), 1))
        return y

    def named(self, *, gradients: bool = False) -> dict[str, Tensor]:
        """Views of the parameters, or of their gradients, as `Shape.named` has them."""
        named: dict[str, Tensor] = {}
        for name, layer in self.layers.items():
            assert layer.bias is not None
            weight, bias = layer.weight, layer.bias
            if gradients:
                assert weight.grad is not None and bias.grad is not None
                weight, bias = weight.grad, bias.grad
            named[name] = weight.permute(0, 2, 3, 1) if weight.dim() == 4 else weight.T
            named[name.replace("filters", "filters_bias").replace("weight", "bias")] = bias
        return named


def assert_named(actual: dict[str, np.ndarray], expected: dict[str, Tensor], **within: Any) -> None:
    assert actual.keys() == expected.keys()
    for name, array in actual.items():
        torch.testing.assert_close(torch.from_numpy(array[0]), expected[name].detach(), **within)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("name", TRUNKS)
@pytest.mark.parametrize("actions", [0, 2])
@pytest.mark.usefixtures("each_arithmetic")
def test_gradients_are_those_of_autograd(name: str, activation: Activation, actions: int) -> None:
    shape = shape_on(TRUNKS[name], actions=actions)
    values = random_rows(shape, 2)
    nets = stack(shape, activation, values)
    x = torch.rand(2, 7, shape.inputs, dtype=torch.float64)
    direction = torch.randn(2, 7, 3, dtype=torch.float64)
    for used in (7, 4):  # all rows of the batch, and the first of them
        y = nets.forward(x).clone()
        nets.backward(direction[:, :used])
        d_x = nets.input_gradient(direction[:, :used])[..., TRUNKS[name].inputs :]
        for n in range(2):
            module, inputs = Module(shape, activation, values[n]), x[n].clone().requires_grad_()
            expected = module(inputs)
            torch.testing.assert_close(y[n], expected, rtol=1e-10, atol=1e-12)
            (expected * direction[n])[:used].sum().backward()
            assert inputs.grad is not None
            torch.testing.assert_close(
                d_x[n], inputs.grad[:used, TRUNKS[name].inputs :], rtol=1e-9, atol=1e-12
            )
            written = shape.named(nets.gradients[n : n + 1])
            assert_named(written, module.named(gradients=True), rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("each_arithmetic")
def test_critics_regress_as_autograd_does() -> None:
    shape = shape_on(TRUNKS["minatar"], heads=(3,))
    adam = [AdamSettings(1e-2, (0.9, 0.999), 1e-8)] * 2
    rngs = [np.random.default_rng(seed) for seed in (1, 2)]
    tau = torch.full((2, 1), 0.1, dtype=torch.float64)
    critics = Critics(shape, "relu", "xavier_uniform", 2, adam, tau, rngs, dtype=torch.float64)
    before = [torch.from_numpy(critics.state_dict(m)["values"]) for m in range(2)]
    states, y = torch.rand(2, 6, shape.inputs).double(), torch.randn(2, 6).double()
    taken = torch.randint(3, (2, 6))
    x = critics.input(6, shape.inputs, 0)
    x.set(states)
    critics.regress(x, y, taken=taken)
    for m in range(2):
        after = critics.state_dict(m)["values"]
        for k in range(2):
            module = Module(shape, "relu", before[m][k])
            optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
            q = module(states[m]).gather(1, taken[m][:, None])[:, 0]
            ((q - y[m]) ** 2).mean().backward()
            optimizer.step()
            learned = shape.named(torch.from_numpy(after[k : k + 1]))
            assert_named(learned, module.named(), rtol=1e-7, atol=1e-9)


def passes(shape: Shape, values: Tensor, x: Tensor, direction: Tensor) -> tuple[bytes, ...]:
    """The bits of a forward and a backward pass, network by network."""
    nets = stack(shape, "relu", values)
    assert isinstance(nets, StackedCNN)
    y = nets.forward(x).clone()
    nets.backward(direction)
    return tuple(
        y[n].numpy().tobytes() + nets.gradients[n].numpy().tobytes() for n in range(len(x))
    )


def moved(shift: int) -> Callable[[Tensor], Tensor]:
    """Copies to an address that lies `shift` floats further from a boundary of 64 bytes."""

    def move(x: Tensor) -> Tensor:
        room = torch.empty(x.numel() + 32)
        start = (-room.data_ptr() // 4) % 16 + shift
        return room[start : start + x.numel()].view(x.shape).copy_(x)

    return move


@pytest.mark.parametrize("name", ["nature", "minatar"])
@pytest.mark.parametrize("batch", [2, 32, 33])
def test_neither_company_nor_place_in_memory_changes_a_bit(name: str, batch: int) -> None:
    shape = shape_on(TRUNKS[name])
    values = random_rows(shape, 5).float()
    x, direction = torch.rand(5, batch, shape.inputs), torch.randn(5, batch, 3)
    together = passes(shape, values, x, direction)
    for order in ([4, 2, 0], [3], [1]):
        some = passes(shape, values[order].clone(), x[order].clone(), direction[order].clone())
        assert some == tuple(together[n] for n in order)
    for shift in (1, 3, 8):
        move = moved(shift)
        assert passes(shape, move(values), move(x), move(direction)) == together


def test_trunks_are_those_of_the_papers() -> None:
    atari, small = Trunk((84, 84, 4), NATURE), Trunk((10, 10, 6), MINATAR)
    assert (atari.feature_maps, atari.outputs) == ((7, 7, 64), 3136)
    assert (small.feature_maps, small.outputs) == ((8, 8, 16), 1024)
    assert (least_side(NATURE), least_side(MINATAR)) == (36, 3)
    # Mnih et al. with 512 hidden units and 18 actions
    row = Shape(atari.inputs, (512,), (18,), atari)
    weights = atari.size + sum((i + 1) * o for i, o in row.layers)
    assert weights == 1_693_362 and 0 <= row.size - weights < 64


def test_filters_begin_like_torchs_layers() -> None:
    trunk = Trunk((20, 20, 8), MINATAR)
    shape = shape_on(trunk)
    rngs = [np.random.default_rng(seed) for seed in range(50)]
    for scheme, bound in (("kaiming_uniform", 1 / 72**0.5), ("xavier_uniform", (12 / 216) ** 0.5)):
        named = shape.named(initial_rows(shape, scheme, 1.0, rngs))  # type: ignore[arg-type]
        torch.testing.assert_close(
            np.abs(named["filters_0"]).max().item(), bound, rtol=1e-2, atol=0
        )
        assert (named["filters_bias_0"] == 0).all() == (scheme == "xavier_uniform")
    orthogonal = shape.named(initial_rows(shape, "orthogonal", 1.0, rngs[:1]))["filters_0"][0]
    flat = orthogonal.reshape(16, -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(16), atol=1e-5)
