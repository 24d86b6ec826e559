"""Networks in torch: h, g and the heads of f, each on a batch.

    s_0 = h(o)      s' = T(g(s, a) (+ s))      r = R(s')      p, v = f(s)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.muzero.dense import Activation, Floats, Widths
from agents.search.layers import LATENT_FLOOR


class Network(nn.Module):
    """What a learner and a search ask of a network."""

    @abstractmethod
    def represent(self, observations: Tensor) -> Tensor:
        """Latent states [B, ...] of observations."""

    @abstractmethod
    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """What follows on actions [B] in latent states."""

    @abstractmethod
    def rewards(self, states: Tensor) -> Tensor:
        """Logits [B, bins] of the rewards for the steps that led to states."""

    @abstractmethod
    def predict(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, A] of the policy and [B, bins] of the value."""


def rescaled(states: Tensor) -> Tensor:
    """Each state's features to [0, 1], by the least and the greatest."""
    flat = states.flatten(1)
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    return ((flat - low) / (high - low).clamp_min(LATENT_FLOOR)).view_as(states)


_ACTIVATIONS = {"relu": functional.relu, "tanh": torch.tanh, "elu": functional.elu}


class DenseNetwork(Network):
    """Dense layers, those of `agents.muzero.dense`, where these do not run.

    Args:
        values: [P] their first parameters.
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
        self._activate = _ACTIVATIONS[activation]
        self._rescales, self._residual, self._actions = transform == "min_max", residual, widths.actions
        self.stacks = nn.ModuleDict(
            {
                name: nn.ModuleList(nn.Linear(*reversed(weight.T.shape)) for weight, _ in stack)
                for name, stack in widths.views(values).items()
            }
        )
        self.load(widths.views(values))

    @torch.no_grad()
    def load(self, layers: Mapping[str, Sequence[tuple[Floats, Floats]]]) -> None:
        """Takes over parameters, weights [reads, writes]."""
        for name, stack in layers.items():
            for own, (weight, bias) in zip(self.stacks[name], stack, strict=True):
                own.weight.copy_(torch.from_numpy(weight.T.copy()))
                own.bias.copy_(torch.from_numpy(bias.copy()))

    def _through(self, name: str, x: Tensor, *, active_end: bool = False) -> Tensor:
        stack = self.stacks[name]
        for place, layer in enumerate(stack):
            x = layer(x)
            if active_end or place < len(stack) - 1:
                x = self._activate(x)
        return x

    def _state(self, y: Tensor) -> Tensor:
        return rescaled(y) if self._rescales else torch.tanh(y)

    def represent(self, observations: Tensor) -> Tensor:
        return self._state(self._through("representation", observations))

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        hot = functional.one_hot(actions, self._actions).to(states)
        y = self._through("dynamics", torch.cat((states, hot), 1))
        return self._state(y + states if self._residual else y)

    def rewards(self, states: Tensor) -> Tensor:
        return self._through("reward", states)

    def predict(self, states: Tensor) -> tuple[Tensor, Tensor]:
        features = self._through("trunk", states, active_end=True)
        return self._through("policy", features), self._through("value", features)
