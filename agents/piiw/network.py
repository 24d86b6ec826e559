"""The policy network of π-IW, its parameters in one vector.

Pictures are read by the network of Mnih et al. (2013), vectors by a perceptron:

    conv 16 of 8 x 8, stride 4;  conv 32 of 4 x 4, stride 2;  256 units;  one logit an action
    256 units;  256 units;  one logit an action

each hidden layer followed by relu. The last hidden layer is what dynamic features are made of. A
value head, one number or a distribution over bins, may stand beside the logits, and every hidden
layer may be batch-normalised.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Init = Literal["torch", "glorot"]

_BN_EPS = 1e-3  # Keras's default, which the published code has
_BN_MOMENTUM = 0.01


class Output(NamedTuple):
    """Of a batch [B]: logits [B, A], the last hidden layer [B, 256], value logits [B, V]."""

    logits: Tensor
    hidden: Tensor
    value: Tensor | None


@dataclass(frozen=True)
class Conv:
    """A convolution without padding, on pictures with channels last.

    The kernel is twice the stride, as in the network of Mnih et al. (2013), on which the fast
    forward pass for single observations rests.
    """

    filters: int
    stride: int

    @property
    def kernel(self) -> int:
        return 2 * self.stride

    def outputs(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of what it makes of a picture of that size."""
        return (height - self.kernel) // self.stride + 1, (width - self.kernel) // self.stride + 1


CONVS = (Conv(16, 4), Conv(32, 2))
#: The shortest side of a picture that the convolutions can read.
LEAST_SIDE = 20


@dataclass(frozen=True)
class Architecture:
    """The shape of a network.

    Attributes:
        picture: (height, width, channels) where convolutions read a picture; None: a vector.
        inputs: numbers in an observation.
        units: of each fully connected hidden layer: one after convolutions, two for vectors.
        actions: logits.
        values: logits of the value head; 0: there is none.
        normalised: whether hidden layers are batch-normalised.
    """

    picture: tuple[int, int, int] | None
    inputs: int
    units: int
    actions: int
    values: int = 0
    normalised: bool = False

    @property
    def convolved(self) -> int:
        """Numbers that the first fully connected layer reads."""
        if self.picture is None:
            return self.inputs
        height, width, _ = self.picture
        for conv in CONVS:
            height, width = conv.outputs(height, width)
        return height * width * CONVS[-1].filters

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the parameters by name, in the order of the vector; weights are [..., in, out]."""
        layers: dict[str, tuple[int, ...]] = {}
        if self.picture is not None:
            channels = self.picture[2]
            for i, conv in enumerate(CONVS):
                layers[f"conv{i + 1}"] = (conv.kernel, conv.kernel, channels, conv.filters)
                channels = conv.filters
            layers["fc"] = (self.convolved, self.units)
        else:
            layers["fc1"] = (self.inputs, self.units)
            layers["fc"] = (self.units, self.units)
        hidden = list(layers)
        layers["policy"] = (self.units, self.actions)
        if self.values:
            layers["value"] = (self.units, self.values)
        shapes: dict[str, tuple[int, ...]] = {}
        for name, shape in layers.items():
            shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[-1:]
            if self.normalised and name in hidden:
                shapes[f"{name}.scale"], shapes[f"{name}.shift"] = shape[-1:], shape[-1:]
        return shapes

    @property
    def hidden(self) -> tuple[str, ...]:
        """Names of the hidden layers."""
        return ("fc1", "fc") if self.picture is None else ("conv1", "conv2", "fc")


class PolicyNetwork:
    """Parameters, and what they make of observations.

    Attributes:
        values: [P] all parameters; `parameters` are views of it.
        gradients: [P] what `backward` of a loss writes; zero it before.
        statistics: running mean and variance of each normalised layer.
        version: counts the changes; add one whenever `values` or `statistics` change.
    """

    def __init__(
        self,
        architecture: Architecture,
        init: Init,
        rng: np.random.Generator,
        device: str = "cpu",
        input_scale: float = 1.0,
    ) -> None:
        self.architecture = architecture
        self.input_scale = input_scale
        self.device = torch.device(device)
        shapes = architecture.shapes
        initial = [_initial(name, shapes, init, rng) for name in shapes]
        self.values = torch.from_numpy(np.concatenate(initial)).to(self.device)
        self.gradients = torch.zeros_like(self.values)
        self.parameters: dict[str, Tensor] = {}
        begin = 0
        for name, shape in shapes.items():
            end = begin + math.prod(shape)
            view = self.values[begin:end].view(shape).detach().requires_grad_()
            view.grad = self.gradients[begin:end].view(shape)
            self.parameters[name] = view
            begin = end
        self.statistics: dict[str, tuple[Tensor, Tensor]] = {}
        if architecture.normalised:
            for name in architecture.hidden:
                units = shapes[f"{name}.bias"][0]
                self.statistics[name] = (
                    torch.zeros(units, device=self.device),
                    torch.ones(units, device=self.device),
                )
        self.version = 0

    def forward(self, observations: Tensor, *, training: bool = False) -> Output:
        """Of observations [B, ...]: pictures [B, height, width, channels] or vectors [B, inputs],
        bytes or floats. `training` normalises by the batch, and follows its statistics."""
        x = observations.to(torch.float32)
        if self.input_scale != 1.0:
            x = x * self.input_scale
        parameters = self.parameters
        if self.architecture.picture is not None:
            x = x.permute(0, 3, 1, 2)  # as torch wants it; the memory stays channels last
            for i, conv in enumerate(CONVS):
                name = f"conv{i + 1}"
                weight = parameters[f"{name}.weight"].permute(3, 2, 0, 1)
                x = functional.conv2d(x, weight, parameters[f"{name}.bias"], conv.stride)
                x = functional.relu(self._normalised(name, x, training))
            x = x.permute(0, 2, 3, 1)
        x = x.flatten(1)
        for name in self.architecture.hidden:
            if name.startswith("fc"):
                x = x @ parameters[f"{name}.weight"] + parameters[f"{name}.bias"]
                x = functional.relu(self._normalised(name, x, training))
        logits = x @ parameters["policy.weight"] + parameters["policy.bias"]
        value = None
        if self.architecture.values:
            value = x @ parameters["value.weight"] + parameters["value.bias"]
        return Output(logits, x, value)

    def _normalised(self, name: str, x: Tensor, training: bool) -> Tensor:
        if not self.architecture.normalised:
            return x
        mean, variance = self.statistics[name]
        return functional.batch_norm(
            x,
            mean,
            variance,
            self.parameters[f"{name}.scale"],
            self.parameters[f"{name}.shift"],
            training,
            _BN_MOMENTUM,
            _BN_EPS,
        )

    def affine(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(a, b), each [units], with which a hidden layer is relu(a * (W x) + b) in evaluation."""
        bias = self.array(f"{name}.bias")
        if not self.architecture.normalised:
            return np.ones_like(bias), bias
        mean, variance = (statistic.cpu().numpy() for statistic in self.statistics[name])
        scale = self.array(f"{name}.scale") / np.sqrt(variance + np.float32(_BN_EPS))
        return scale, scale * (bias - mean) + self.array(f"{name}.shift")

    def array(self, name: str) -> np.ndarray:
        """A parameter; on the CPU a view of it."""
        array: np.ndarray = self.parameters[name].detach().cpu().numpy()
        return array

    def learned_params(self) -> dict[str, np.ndarray]:
        """All that is learned, by name."""
        arrays = {name: self.array(name).copy() for name in self.parameters}
        for name, (mean, variance) in self.statistics.items():
            arrays[f"{name}.mean"] = mean.cpu().numpy().copy()
            arrays[f"{name}.variance"] = variance.cpu().numpy().copy()
        return arrays

    def set_params(self, arrays: dict[str, np.ndarray]) -> None:
        """Takes over what `learned_params` gave.

        Raises:
            ValueError: names or shapes differ; the message says which.
        """
        own = {name: tuple(value.shape) for name, value in self.parameters.items()}
        for name, (mean, variance) in self.statistics.items():
            own |= {f"{name}.mean": tuple(mean.shape), f"{name}.variance": tuple(variance.shape)}
        for name, shape in own.items():
            if name not in arrays:
                raise ValueError(f"the weights hold no {name}: they are of another network")
            if arrays[name].shape != shape:
                raise ValueError(f"{name} has shape {list(arrays[name].shape)}, not {list(shape)}")
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(torch.from_numpy(np.asarray(arrays[name], np.float32)))
            for name, statistics in self.statistics.items():
                for statistic, what in zip(statistics, ("mean", "variance"), strict=True):
                    statistic.copy_(torch.from_numpy(arrays[f"{name}.{what}"]))
        self.version += 1

    def state_dict(self) -> dict[str, Any]:
        return self.learned_params()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.set_params(state)


def _initial(
    name: str, shapes: dict[str, tuple[int, ...]], init: Init, rng: np.random.Generator
) -> np.ndarray:
    """[P'] of one parameter: torch draws from ±1/√fan_in, biases included; Glorot & Bengio (2010)
    from ±√(6 / (fan_in + fan_out)), biases 0."""
    layer, _, kind = name.partition(".")
    shape = shapes[name]
    size = math.prod(shape)
    if kind in ("scale", "shift"):
        return np.full(size, 1.0 if kind == "scale" else 0.0, np.float32)
    *field, reads, writes = shapes[f"{layer}.weight"]
    fan_in, fan_out = math.prod(field) * reads, math.prod(field) * writes
    if init == "torch":
        bound = 1 / math.sqrt(fan_in)
    elif kind == "bias":
        return np.zeros(size, np.float32)
    else:
        bound = math.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, size).astype(np.float32)
