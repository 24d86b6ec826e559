"""Networks in torch: h, g and the heads of f, each on a batch.

s_0 = h(o)      s' = T(g(s, a) (+ s))      r = R(s')      p, v = f(s)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.muzero.dense import Activation, Floats, Widths
from agents.muzero.value_prefix import ValuePrefix
from agents.search.layers import LATENT_FLOOR


class Network(nn.Module):
    """What a learner and a search ask of a network.

    Attributes:
        prefix: in place of `rewards`; None: there is none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.prefix: ValuePrefix | None = None

    @abstractmethod
    def represent(self, observations: Tensor) -> Tensor:
        """Latent states [B, ...] of observations."""

    @abstractmethod
    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """What follows on actions [B], or of a box [B, D], in latent states."""

    @abstractmethod
    def rewards(self, states: Tensor) -> Tensor:
        """Logits [B, bins] of the rewards for the steps that led to states."""

    @abstractmethod
    def predict(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, A] of the policy, of a box outputs [B, 2 D], and [B, bins] of the value; of a
        network of Q [B, A * bins], each action's bins together, and nothing [B, 0]."""


def told(actions: Tensor, count: int) -> Tensor:
    """[B, A] by which the dynamics knows actions: one-hot, or what they are in a box."""
    return actions if actions.is_floating_point() else functional.one_hot(actions, count)


def rescaled(states: Tensor) -> Tensor:
    """Each state's features to [0, 1], by the least and the greatest."""
    features = tuple(range(1, states.dim()))
    low, high = states.amin(features, keepdim=True), states.amax(features, keepdim=True)
    return (states - low) / (high - low).clamp_min(LATENT_FLOOR)


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "tanh": torch.tanh,
    "elu": functional.elu,
}


def _linear(weight: Floats, bias: Floats) -> nn.Linear:
    """A layer with these parameters, weights [reads, writes]."""
    layer = nn.Linear(*weight.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight.T.copy()))
        layer.bias.copy_(torch.from_numpy(bias.copy()))
    return layer


class DenseNetwork(Network):
    """Dense layers, those of `agents.muzero.dense`, where these do not run.

    Args:
        values: [P] their first parameters.

    Attributes:
        widths: of its layers.
        stacks: them, by name.
    """

    def __init__(
        self,
        widths: Widths,
        values: Floats,
        *,
        activation: Activation,
        transform: str,
        residual: bool,
    ) -> None:
        super().__init__()
        self.widths = widths
        self._activation = _ACTIVATIONS[activation]
        self._rescales, self._residual = transform == "min_max", residual
        self.actions = widths.actions
        self.stacks: dict[str, list[nn.Linear]] = {}
        for name, stack in widths.views(values).items():
            layers = [_linear(weight, bias) for weight, bias in stack]
            self.stacks[name] = layers
            self.add_module(name, nn.ModuleList(layers))

    def _through(self, name: str, x: Tensor, *, active_end: bool = False) -> Tensor:
        stack = self.stacks[name]
        for place, layer in enumerate(stack):
            x = functional.linear(x, layer.weight, layer.bias)
            if active_end or place < len(stack) - 1:
                x = self._activation(x)
        return x

    def _state(self, y: Tensor) -> Tensor:
        return rescaled(y) if self._rescales else torch.tanh(y)

    def represent(self, observations: Tensor) -> Tensor:
        return self._state(self._through("representation", observations))

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        hot = told(actions, self.actions).to(states)
        y = self._through("dynamics", torch.cat((states, hot), 1))
        return self._state(y + states if self._residual else y)

    def rewards(self, states: Tensor) -> Tensor:
        return self._through("reward", states)

    def predict(self, states: Tensor) -> tuple[Tensor, Tensor]:
        features = self._through("trunk", states, active_end=True)
        policy = self._through("policy", features)
        if not self.stacks["value"]:
            return policy, policy[:, :0]
        return policy, self._through("value", features)
