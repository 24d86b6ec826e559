"""Small networks of dense layers, in plain arrays: the model that all engines of a search can run.

    s' = T(g([s, onehot(a)]) (+ s)),  r = R(s'),  t = trunk(s'),  logits = P(t),  v = V(t)

Every name is a stack of dense layers, y = x W + b, with the activation between them, and after each
of the trunk's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.search.layers import (
    ELU,
    FIRST,
    LATENT_FLOOR,
    NOTHING,
    RELU,
    RESCALED,
    SILU,
    TANH,
    Network,
)
from agents.search.model import Steps
from agents.search.scalars import Support

Activation = Literal["relu", "tanh", "elu", "silu"]
Transform = Literal["none", "activation", "tanh", "min_max"]
Layer = tuple[ArrayLike, ArrayLike]
"""Weights [reads, writes], bias [writes]."""


class MLPLayers(NamedTuple):
    """The layers of a network of latent size H for A actions.

    Attributes:
        dynamics: from [H + A], the one-hot action last, to [H].
        reward: from [H] to one scalar, or to a distribution's logits.
        trunk: from [H]; may be empty.
        policy: to [A]; with Q-values to [A], or [A * bins], each action's bins together.
        value: to one scalar, or to a distribution's logits; empty with Q-values.
    """

    dynamics: Sequence[Layer]
    reward: Sequence[Layer]
    trunk: Sequence[Layer]
    policy: Sequence[Layer]
    value: Sequence[Layer]


class MLPModel:
    """A model of dense layers.

    Args:
        layers: float32 or float64; they are copied.
        actions: A.
        activation: between layers.
        transform: T: nothing, the activation, tanh, or to [0, 1] by the least and greatest of each
            state's features (a constant state becomes 0).
        residual: whether the state before is added to the dynamics' output.
        q_values: the policy head says Q, and there is no value head.
        continuous: actions are [B, A], of a box, and the policy head has 2 A outputs (see
            `agents.search.sampling`).
        value_support, reward_support: how distributions read; None: heads of one scalar.

    Raises:
        ValueError: layers do not fit each other.
    """

    def __init__(
        self,
        layers: MLPLayers,
        actions: int,
        *,
        activation: Activation = "relu",
        transform: Transform = "min_max",
        residual: bool = False,
        q_values: bool = False,
        continuous: bool = False,
        value_support: Support | None = None,
        reward_support: Support | None = None,
    ) -> None:
        self.actions = actions
        self.activation, self.transform, self.residual = activation, transform, residual
        self.q_values, self.continuous = q_values, continuous
        self.value_support, self.reward_support = value_support, reward_support
        shapes = [[np.shape(weight) for weight, _ in stack] for stack in layers]
        self._check(shapes)
        self.latent_size = int(shapes[0][-1][1])
        self.dtype = np.result_type(*(weight for stack in layers for weight, _ in stack))
        size = sum((reads + 1) * writes for stack in shapes for reads, writes in stack)
        parameters = np.empty(size, self.dtype)
        self._stacks: list[list[tuple[NDArray[Any], NDArray[Any]]]] = []
        at = 0
        codes = {"relu": RELU, "tanh": TANH, "elu": ELU, "silu": SILU}
        layout = [
            self.latent_size,
            codes[activation],
            {"none": NOTHING, "activation": codes[activation], "tanh": TANH, "min_max": RESCALED}[
                transform
            ],
            residual,
            q_values,
            value_support is not None and value_support.compressed,
            reward_support is not None and reward_support.compressed,
        ]
        assert len(layout) == FIRST
        for stack in shapes:
            layout.append(len(stack))
            views = []
            for reads, writes in stack:
                layout += [reads, writes]
                end = at + reads * writes
                weight = parameters[at:end].reshape(reads, writes)
                views.append((weight, parameters[end : end + writes]))
                at = end + writes
            self._stacks.append(views)
        self.network = Network(
            parameters,
            np.array(layout, np.int64),
            np.zeros(0) if value_support is None else value_support.atoms.copy(),
            np.zeros(0) if reward_support is None else reward_support.atoms.copy(),
        )
        self.widest = max(writes for stack in shapes for _, writes in stack)
        self.load(layers)

    def _check(self, shapes: list[list[tuple[int, ...]]]) -> None:
        """Whether one layer's outputs are the next one's inputs, all the way."""
        dynamics, reward, trunk, policy, value = shapes
        latent = dynamics[-1][1]
        after = trunk[-1][1] if trunk else latent
        value_bins = 1 if self.value_support is None else self.value_support.bins
        reward_bins = 1 if self.reward_support is None else self.reward_support.bins
        outputs = 2 if self.continuous else value_bins if self.q_values else 1
        ends = [
            ("dynamics", dynamics, latent + self.actions, latent),
            ("reward", reward, latent, reward_bins),
            ("trunk", trunk, latent, after),
            ("policy", policy, after, self.actions * outputs),
        ]
        if not self.q_values:
            ends.append(("value", value, after, value_bins))
        elif value:
            raise ValueError("a network of Q-values has no value head")
        for name, stack, reads, writes in ends:
            if not stack and name != "trunk":
                raise ValueError(f"{name} has no layers")
            for shape in stack:
                if shape[0] != reads:
                    raise ValueError(f"a layer of {name} reads {shape[0]} features, not {reads}")
                reads = shape[1]
            if reads != writes:
                raise ValueError(f"{name} has {reads} outputs, not {writes}")

    def load(self, layers: MLPLayers) -> None:
        """Takes over other weights of the same shapes."""
        for stack, views in zip(layers, self._stacks, strict=True):
            for (weight, bias), (own_weight, own_bias) in zip(stack, views, strict=True):
                own_weight[:] = weight
                own_bias[:] = bias

    def predict(self, latents: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Logits [B, A] (or Q) and values [B] of latent states [B, H]."""
        outputs, values = self._heads(latents)
        if values is not None:
            return outputs, _scalars(values, self.value_support)
        q = _scalars(outputs.reshape(len(latents), self.actions, -1), self.value_support)
        return q, q.max(axis=1)

    def _heads(self, latents: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """The outputs of the policy's and, if there is one, the value's head."""
        _, _, trunk, policy, value = self._stacks
        features = latents
        for weight, bias in trunk:
            features = self._activate(features @ weight + bias)
        outputs = self._through(policy, features)
        return outputs, self._through(value, features) if value else None

    def recurrent(self, latents: NDArray[Any], actions: NDArray[Any]) -> Steps:
        """See `agents.search.model.Model`."""
        dynamics, reward = self._stacks[:2]
        (weight, bias), *others = dynamics
        size = self.latent_size
        y = latents @ weight[:size]
        if self.continuous:
            y += actions @ weight[size:]
        else:
            y += weight.take(size + actions, axis=0)
        y += bias
        if others:
            y = self._through(others, self._activate(y))
        if self.residual:
            y += latents
        y = self._transformed(y)
        rewards = self._through(reward, y)
        if self.q_values or self.reward_support != self.value_support:
            return Steps(y, _scalars(rewards, self.reward_support), *self.predict(y))
        # half as many calls, which are most of the cost
        logits, values = self._heads(y)
        assert values is not None
        both = _scalars(np.stack((rewards, values)), self.value_support)
        return Steps(y, both[0], logits, both[1])

    def _through(
        self, stack: list[tuple[NDArray[Any], NDArray[Any]]], x: NDArray[Any]
    ) -> NDArray[Any]:
        for layer, (weight, bias) in enumerate(stack):
            if layer > 0:
                x = self._activate(x)
            x = x @ weight
            x += bias
        return x

    def _activate(self, y: NDArray[Any]) -> NDArray[Any]:
        """May write over `y`."""
        if self.activation == "relu":
            np.maximum(y, 0, out=y)
        elif self.activation == "tanh":
            np.tanh(y, out=y)
        elif self.activation == "elu":
            y = np.where(y > 0, y, np.expm1(np.minimum(y, 0)))
        else:
            y = y / (1 + np.exp(-np.maximum(y, -80)))  # which is 0 there, without an overflow
        return y

    def _transformed(self, y: NDArray[Any]) -> NDArray[Any]:
        """T; may write over `y`."""
        if self.transform == "activation":
            return self._activate(y)
        if self.transform == "tanh":
            np.tanh(y, out=y)
        elif self.transform == "min_max":
            low, high = y.min(axis=1, keepdims=True), y.max(axis=1, keepdims=True)
            y -= low
            y /= np.maximum(high - low, LATENT_FLOOR)
        return y


def _scalars(outputs: NDArray[Any], support: Support | None) -> NDArray[Any]:
    """What heads say: their only output, or the scalar that their distribution stands for."""
    if support is not None:
        return support.decode_logits(outputs)
    scalars: NDArray[Any] = outputs[..., 0]
    return scalars
