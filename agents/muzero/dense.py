"""Stacks of dense layers on parameters in one vector, forwards and backwards, on the processor.

    x_0 = x,   x_l+1 = f(x_l W_l + b_l),   y = x_L W_L + b_L

Small networks cost mostly the calls into a library for tensors; here a layer is a product and a
compiled loop. A stack may be passed through several times before the way back (once for each step
of a model): each time is a block of rows, and the parameters' gradients are taken of all blocks at
once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.search.layers import LATENT_FLOOR

Floats = NDArray[np.float32]
Layer = tuple[Floats, Floats]
"""Weights [reads, writes], bias [writes]."""

Activation = Literal["relu", "tanh", "elu"]
_CODES = {"relu": 0, "tanh": 1, "elu": 2}


class Widths(NamedTuple):
    """The layers' widths of a network of latent size H for A actions, inputs first.

    Attributes:
        representation: from an observation to H.
        dynamics: from H + A to H; of a box of actions A is its dimensions.
        reward: from H; of one width, H, where a value prefix says it.
        trunk: from H; of one width, H, where there is none.
        policy, value: from the trunk's last width; of Q-values there is no value.
    """

    representation: tuple[int, ...]
    dynamics: tuple[int, ...]
    reward: tuple[int, ...]
    trunk: tuple[int, ...]
    policy: tuple[int, ...]
    value: tuple[int, ...]

    @property
    def latent(self) -> int:
        """H."""
        return self.representation[-1]

    @property
    def actions(self) -> int:
        """A."""
        return self.dynamics[0] - self.latent

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return sum((reads + 1) * writes for stack in self for reads, writes in pairwise(stack))

    def views(self, vector: Floats) -> dict[str, list[Layer]]:
        """Each stack's layers inside of a vector [size]."""
        views: dict[str, list[Layer]] = {}
        at = 0
        for name, stack in zip(self._fields, self, strict=True):
            views[name] = []
            for reads, writes in pairwise(stack):
                end = at + reads * writes
                weight = vector[at:end].reshape(reads, writes)
                views[name].append((weight, vector[end : end + writes]))
                at = end + writes
        return views


def initial(
    widths: Widths,
    rng: np.random.Generator,
    law: Literal["fan_in", "he"] = "fan_in",
    *,
    zero_heads: bool = True,
) -> Floats:
    """Parameters [size]: uniform within 1/√(fan in), biases too; or by He et al. (2015): normal of
    variance 2/(fan in), biases 0. Heads end in zeros."""
    vector = np.zeros(widths.size, np.float32)
    for name, stack in widths.views(vector).items():
        for place, (weight, bias) in enumerate(stack):
            bound = 1 / np.sqrt(len(weight))
            if zero_heads and name in ("reward", "policy", "value") and place == len(stack) - 1:
                continue
            if law == "he":
                weight[:] = rng.normal(0.0, np.sqrt(2 / len(weight)), weight.shape)
                continue
            weight[:] = rng.uniform(-bound, bound, weight.shape)
            bias[:] = rng.uniform(-bound, bound, bias.shape)
    return vector


class Stack:
    """Dense layers, and room for what passes through them.

    Args:
        layers: views of the parameters.
        activation: f.
        active_end: whether f follows the last layer too.
        rows: of a block.
        blocks: passes before the way back.
        gradients: views that the parameters' gradients are written to; None: no way back.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        activation: Activation,
        *,
        rows: int,
        blocks: int = 1,
        active_end: bool = False,
        gradients: Sequence[Layer] | None = None,
    ) -> None:
        self._layers, self._gradients, self._rows = list(layers), gradients, rows
        self._code = _CODES[activation]
        self._active = [True] * (len(self._layers) - 1) + [active_end]
        total = rows * blocks
        self._inputs: list[Floats] = []  # of each layer, by block
        self._y = [np.zeros((total, weight.shape[1]), np.float32) for weight, _ in self._layers]
        if gradients is not None:
            self._d = [np.zeros_like(y) for y in self._y]
            reads = len(self._layers[0][0])
            self._inputs = [np.zeros((total, reads), np.float32), *self._y[:-1]]
            self._d_x = np.zeros((rows, reads), np.float32)

    @property
    def x(self) -> Floats:
        """[blocks * rows, reads] room for the inputs, to be written before a pass."""
        return self._inputs[0]

    def forward(self, x: Floats | None = None, block: int = 0) -> Floats:
        """y [rows, writes] of x [rows, reads], that lies in `self.x` if None; kept until the next
        pass as this block. Where there is no way back there may be fewer rows."""
        first = block * self._rows
        at = slice(first, first + (self._rows if x is None else len(x)))
        if x is None:
            x = self._inputs[0][at]
        elif self._gradients is not None:
            self._inputs[0][at] = x
        for (weight, bias), y, active in zip(self._layers, self._y, self._active, strict=True):
            x = np.dot(x, weight, out=y[at])
            _add_bias(x, bias, self._code if active else -1)
        return x

    def backward(self, d: Floats, block: int = 0, *, to_input: bool = True) -> Floats:
        """dL/dx [rows, reads] of dL/dy [rows, writes], overwritten by the next call; not computed
        if not `to_input`."""
        at = slice(block * self._rows, (block + 1) * self._rows)
        for i in range(len(self._layers) - 1, -1, -1):
            place = self._d[i][at]
            if self._active[i]:
                _through_activation(d, self._y[i][at], self._code, place)
            elif d is not place:
                place[:] = d
            if i == 0 and not to_input:
                break
            out = self._d[i - 1][at] if i > 0 else self._d_x
            d = np.dot(place, self._layers[i][0].T, out=out)
        return self._d_x

    def add_up(self) -> None:
        """Writes the parameters' gradients, of all blocks passed through on the way back."""
        assert self._gradients is not None
        for x, d, (weight, bias) in zip(self._inputs, self._d, self._gradients, strict=True):
            np.dot(x.T, d, out=weight)
            np.add.reduce(d, axis=0, out=bias)


class Rescaling:
    """The latent state's features to [0, 1], by the least and greatest of each state.

    Args:
        rows: of a block; 0: there is no way back.
    """

    def __init__(self, rows: int = 0, blocks: int = 1) -> None:
        self._ends = np.zeros((blocks, rows, 2), np.int64)
        self._ranges = np.zeros((blocks, rows), np.float32)

    def forward(self, y: Floats, out: Floats, block: int) -> None:
        """Writes the state [rows, H] that y stands for."""
        _rescale(y, out, self._ends[block], self._ranges[block])

    def backward(self, d: Floats, state: Floats, block: int) -> None:
        """dL/dy in the place of dL/ds [rows, H]."""
        _through_rescaling(d, state, self._ends[block], self._ranges[block])


class Squashing:
    """The latent state's features by tanh."""

    def forward(self, y: Floats, out: Floats, block: int) -> None:
        """See `Rescaling`."""
        np.tanh(y, out=out)

    def backward(self, d: Floats, state: Floats, block: int) -> None:
        """See `Rescaling`."""
        _through_activation(d, state, _CODES["tanh"], d)


@njit(cache=True, error_model="numpy")
def _add_bias(y: Floats, bias: Floats, code: int) -> None:
    """f(y + b) in the place of y; f is nothing for -1."""
    zero, one = np.float32(0), np.float32(1)
    for i in range(y.shape[0]):
        if code == 0:
            for j in range(y.shape[1]):
                y[i, j] = max(y[i, j] + bias[j], zero)
        elif code == 1:
            for j in range(y.shape[1]):
                y[i, j] = np.tanh(y[i, j] + bias[j])
        elif code == 2:
            for j in range(y.shape[1]):
                x = y[i, j] + bias[j]
                y[i, j] = max(x, zero) + np.exp(min(x, zero)) - one
        else:
            for j in range(y.shape[1]):
                y[i, j] += bias[j]


@njit(cache=True, error_model="numpy")
def _through_activation(d: Floats, y: Floats, code: int, out: Floats) -> None:
    """d f'(x), f' being known from y = f(x)."""
    zero, one = np.float32(0), np.float32(1)
    for i in range(d.shape[0]):
        if code == 0:
            for j in range(d.shape[1]):
                out[i, j] = d[i, j] if y[i, j] > zero else zero
        elif code == 1:
            for j in range(d.shape[1]):
                out[i, j] = d[i, j] * (one - y[i, j] * y[i, j])
        else:
            for j in range(d.shape[1]):
                out[i, j] = d[i, j] * (min(y[i, j], zero) + one)


@njit(cache=True, error_model="numpy", fastmath={"nnan", "nsz", "reassoc"})
def _rescale(y: Floats, out: Floats, ends: NDArray[np.int64], ranges: Floats) -> None:
    """With the places of the bounds, if there is room for them."""
    floor = np.float32(LATENT_FLOOR)
    for i in range(y.shape[0]):
        least = greatest = y[i, 0]
        for j in range(1, y.shape[1]):
            least = y[i, j] if y[i, j] < least else least
            greatest = y[i, j] if y[i, j] > greatest else greatest
        width = max(greatest - least, floor)
        factor = np.float32(1) / width
        for j in range(y.shape[1]):
            out[i, j] = (y[i, j] - least) * factor
        if len(ends) > 0:
            low = high = 0
            while low < y.shape[1] - 1 and y[i, low] != least:
                low += 1
            while high < y.shape[1] - 1 and y[i, high] != greatest:
                high += 1
            ends[i, 0], ends[i, 1] = low, high
            ranges[i] = width


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _through_rescaling(d: Floats, state: Floats, ends: NDArray[np.int64], ranges: Floats) -> None:
    for i in range(d.shape[0]):
        total, weighted = np.float32(0), np.float32(0)
        for j in range(d.shape[1]):
            total += d[i, j]
            weighted += d[i, j] * state[i, j]
        factor = np.float32(1) / ranges[i]
        for j in range(d.shape[1]):
            d[i, j] *= factor
        # s = (y - low) / (high - low): both bounds move it, but for a range at its floor
        if ranges[i] > np.float32(LATENT_FLOOR):
            d[i, ends[i, 0]] -= (total - weighted) * factor
            d[i, ends[i, 1]] -= weighted * factor
        else:
            d[i, ends[i, 0]] -= total * factor
