"""Sequences of latent states through a network of dense layers, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.muzero.dense import Activation, Layer, Rescaling, Squashing, Stack, Widths

Floats = NDArray[np.float32]


class Unroll:
    """K + 1 states of B sequences through a network, and the way back.

    Args:
        layers, gradients: views of each stack's parameters and of where their gradients go.
        batch: B.
        unroll: K.
        transform: what makes a latent state of the dynamics' output: "min_max" or "tanh".
        residual: whether the state before is added to that output.
        gradient_scale: what the gradient entering the dynamics' input is multiplied by.
    """

    def __init__(
        self,
        widths: Widths,
        layers: Mapping[str, list[Layer]],
        gradients: Mapping[str, list[Layer]],
        *,
        batch: int,
        unroll: int,
        activation: Activation,
        transform: str,
        residual: bool,
        gradient_scale: float,
    ) -> None:
        self._batch, self._steps, self._residual = batch, unroll, residual
        self._scale = np.float32(gradient_scale)
        H = self._latent = widths.latent

        def stack(name: str, rows: int, blocks: int = 1, *, active_end: bool = False) -> Stack:
            return Stack(
                layers[name],
                activation,
                rows=rows,
                blocks=blocks,
                active_end=active_end,
                gradients=gradients[name],
            )

        every = (unroll + 1) * batch
        self._representation = stack("representation", batch)
        self._dynamics = stack("dynamics", batch, unroll) if unroll else None
        self._reward = stack("reward", unroll * batch) if unroll else None
        self._trunk = stack("trunk", every, active_end=True) if layers["trunk"] else None
        self._policy = stack("policy", every)
        self._value = stack("value", every)
        self._transform = Rescaling(batch, unroll + 1) if transform == "min_max" else Squashing()
        self.states = np.zeros((unroll + 1, batch, H), np.float32)
        self._d_states = np.zeros_like(self.states)
        self._rows = np.arange(batch)

    def forward(
        self, observations: Floats, actions: NDArray[Any]
    ) -> tuple[Floats, Floats, Floats | None]:
        """Logits of policies [(K + 1) B, A], of values, and of rewards [K B, bins]; they may be
        overwritten. States are in `states` [K + 1, B, H].

        Args:
            observations: [B, inputs].
            actions: [B, K], or of a box [B, K, D].
        """
        states, B, H = self.states, self._batch, self._latent
        y = self._representation.forward(observations)
        self._transform.forward(y, states[0], 0)
        for k in range(self._steps):
            assert self._dynamics is not None
            x = self._dynamics.x[k * B : (k + 1) * B]
            x[:, :H] = states[k]
            if actions.ndim == 3:
                x[:, H:] = actions[:, k]
            else:
                x[:, H:] = 0.0
                x[self._rows, H + actions[:, k]] = 1.0
            y = self._dynamics.forward(None, k)
            if self._residual:
                y += states[k]
            self._transform.forward(y, states[k + 1], k + 1)
        every = states.reshape(-1, H)
        rewards = None if self._reward is None else self._reward.forward(every[B:])
        features = every if self._trunk is None else self._trunk.forward(every)
        return self._policy.forward(features), self._value.forward(features), rewards

    def backward(
        self,
        d_policies: Floats,
        d_values: Floats,
        d_rewards: Floats | None,
        d_states: Floats | None = None,
    ) -> None:
        """Writes the parameters' gradients, of dL/d each output of the last pass.

        Args:
            d_states: [K, B, H] what else the loss says about the states after the first.
        """
        B, H = self._batch, self._latent
        d_features = self._policy.backward(d_policies)
        d_features += self._value.backward(d_values)
        if self._trunk is not None:
            d_features = self._trunk.backward(d_features)
        d = self._d_states.reshape(-1, H)
        d[:] = d_features
        if self._reward is not None and d_rewards is not None:
            d[B:] += self._reward.backward(d_rewards)
        if d_states is not None:
            self._d_states[1:] += d_states
        for k in range(self._steps, 0, -1):
            assert self._dynamics is not None
            here, before = self._d_states[k], self._d_states[k - 1]
            self._transform.backward(here, self.states[k], k)
            entering = self._dynamics.backward(here, k - 1)[:, :H]
            if self._residual:
                entering += here
            entering *= self._scale
            before += entering
        self._transform.backward(self._d_states[0], self.states[0], 0)
        self._representation.backward(self._d_states[0], to_input=False)
        stacks = (self._representation, self._dynamics, self._reward, self._trunk)
        for stack in (*stacks, self._policy, self._value):
            if stack is not None:
                stack.add_up()
