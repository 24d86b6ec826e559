"""The learner of networks of dense layers, on the processor, its gradients written out.

For K + 1 states in a row, s_0 = h(o_t), s_k = g(s_k-1, a_t+k-1):

    L = 1/B Σ_b w_b (l_0 + 1/K Σ_{k=1..K} l_k)
    l_k = c_p CE(π_k, p(s_k)) + c_v CE(z_k, v(s_k)) + [k > 0] c_r CE(u_k, r(s_k)) - c_e H(p(s_k))

What a step of the model is told about its input is multiplied by `grad_scale_factor`. The heads read
the states of all steps at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.base import Diverged
from agents.muzero.dense import Activation, Layer, Rescaling, Squashing, Stack, Widths
from agents.muzero.losses import PolicyLoss, ScalarLoss
from agents.muzero.optimizers import Optimizer
from agents.muzero.replay import Batch
from agents.search.scalars import Support

Floats = NDArray[np.float32]


class LossWeights(NamedTuple):
    """Of the terms of a state's loss."""

    policy: float
    value: float
    reward: float
    entropy: float


class Learnt(NamedTuple):
    """What an update says.

    Attributes:
        errors: [B] by how much values of the first states were off.
        losses: means over the batch, by name.
    """

    errors: Floats
    losses: Mapping[str, float]


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
        self._value = stack("value", every) if layers["value"] else None
        self._transform = (
            Rescaling(batch, unroll + 1) if transform == "min_max" else Squashing()
        )
        self.states = np.zeros((unroll + 1, batch, H), np.float32)
        self._d_states = np.zeros_like(self.states)
        self._rows = np.arange(batch)

    def forward(
        self, observations: Floats, actions: NDArray[np.int64]
    ) -> tuple[Floats, Floats | None, Floats | None]:
        """Logits of policies [(K + 1) B, A], of values, and of rewards [K B, bins]; they may be
        overwritten. States are in `states` [K + 1, B, H].

        Args:
            observations: [B, inputs].
            actions: [B, K].
        """
        states, B, H = self.states, self._batch, self._latent
        y = self._representation.forward(observations)
        self._transform.forward(y, states[0], 0)
        for k in range(self._steps):
            assert self._dynamics is not None
            x = self._dynamics.x[k * B : (k + 1) * B]
            x[:, :H] = states[k]
            x[:, H:] = 0.0
            x[self._rows, H + actions[:, k]] = 1.0
            y = self._dynamics.forward(None, k)
            if self._residual:
                y += states[k]
            self._transform.forward(y, states[k + 1], k + 1)
        every = states.reshape(-1, H)
        rewards = None if self._reward is None else self._reward.forward(every[B:])
        features = every if self._trunk is None else self._trunk.forward(every)
        values = None if self._value is None else self._value.forward(features)
        return self._policy.forward(features), values, rewards

    def backward(
        self,
        d_policies: Floats,
        d_values: Floats | None,
        d_rewards: Floats | None,
        d_states: Floats | None = None,
    ) -> None:
        """Writes the parameters' gradients, of dL/d each output of the last pass.

        Args:
            d_states: [K + 1, B, H] what else the loss says about the states.
        """
        B, H = self._batch, self._latent
        d_features = self._policy.backward(d_policies)
        assert d_features is not None
        if self._value is not None and d_values is not None:
            d_features += self._value.backward(d_values)
        if self._trunk is not None:
            d_features = self._trunk.backward(d_features)
        d = self._d_states.reshape(-1, H)
        d[:] = d_features
        if self._reward is not None and d_rewards is not None:
            d[B:] += self._reward.backward(d_rewards)
        if d_states is not None:
            self._d_states += d_states
        for k in range(self._steps, 0, -1):
            assert self._dynamics is not None
            here, before = self._d_states[k], self._d_states[k - 1]
            self._transform.backward(here, self.states[k], k)
            d_x = self._dynamics.backward(here, k - 1)
            assert d_x is not None
            entering = d_x[:, :H]
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


class DenseLearner:
    """Gradient steps on batches.

    Attributes:
        values: [P] the parameters.
        target: [P] those of the target network.
        updates: steps so far.
    """

    def __init__(
        self,
        widths: Widths,
        values: Floats,
        *,
        batch: int,
        unroll: int,
        activation: Activation,
        transform: str,
        residual: bool,
        value_support: Support,
        reward_support: Support,
        weights: LossWeights,
        gradient_scale: float,
        optimizer: Any,
    ) -> None:
        self.widths, self.values, self.target = widths, values, values.copy()
        self._gradients = np.zeros_like(values)
        self._weights, self._batch, self._steps = weights, batch, unroll
        layers, gradients = widths.views(values), widths.views(self._gradients)
        self._unroll = Unroll(
            widths,
            layers,
            gradients,
            batch=batch,
            unroll=unroll,
            activation=activation,
            transform=transform,
            residual=residual,
            gradient_scale=gradient_scale,
        )
        every = (unroll + 1) * batch
        self._policy_loss = PolicyLoss(
            every, widths.actions, weight=weights.policy, entropy_weight=weights.entropy
        )
        self._value_loss = ScalarLoss(value_support, every)
        self._reward_loss = ScalarLoss(reward_support, unroll * batch)
        self._optimizer: Optimizer = optimizer(values)
        # l_0 counts once, the K others together as much
        self._scales = np.full((unroll + 1, 1), 1 / max(unroll, 1), np.float32)
        self._scales[0] = 1
        self.updates = 0

    def update(self, observations: Floats, batch: Batch, values: Floats, rate: float) -> Learnt:
        """A step.

        Args:
            observations: [B, inputs] of the first states.
            values: [B, K + 1] to regress towards.
            rate: the learning rate.
        """
        self.updates += 1
        targets, weights = batch.targets, self._weights
        policies, value_logits, reward_logits = self._unroll.forward(observations, batch.actions)
        scales = self._scales * (batch.weights / np.float32(self._batch))
        policy_scales = scales * targets.policy_mask.T
        value_scales = scales * targets.value_mask.T
        reward_scales = (scales * targets.reward_mask.T)[1:]
        A = policies.shape[1]
        policy = self._policy_loss(
            policies,
            np.ascontiguousarray(batch.policies.transpose(1, 0, 2)).reshape(-1, A),
            policy_scales.reshape(-1),
        )
        assert value_logits is not None
        value_targets = np.ascontiguousarray(values.T)
        value = self._value_loss(
            value_logits,
            value_targets.reshape(-1),
            (value_scales * np.float32(weights.value)).reshape(-1),
        )
        losses = {
            "policy_loss": float(np.vdot(policy.losses, policy_scales)),
            "value_loss": float(np.vdot(value.losses, value_scales)),
        }
        if reward_logits is not None:
            reward = self._reward_loss(
                reward_logits,
                np.ascontiguousarray(targets.rewards.T)[1:].reshape(-1),
                (reward_scales * np.float32(weights.reward)).reshape(-1),
            )
            losses["reward_loss"] = float(np.vdot(reward.losses, reward_scales))
        losses["policy_entropy"] = float(policy.scalars[: self._batch].mean())
        errors = value.scalars[: self._batch] - value_targets[0]
        self._unroll.backward(policies, value_logits, reward_logits)
        losses["gradient_norm"] = self._optimizer.step(self._gradients, rate)
        if not np.isfinite(losses["gradient_norm"]):
            raise Diverged("the gradient")
        return Learnt(errors, losses)
