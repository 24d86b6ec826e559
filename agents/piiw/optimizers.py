"""What turns gradients into steps, on all parameters in one vector.

RMSProp is two algorithms, which share a name and differ where gradients are small:

    ms <- ρ ms + (1 - ρ) g²
    outside   θ <- θ - lr g / (√ms + ε)         ms from 0    torch, Keras
    inside    θ <- θ - lr g / √(ms + ε)         ms from 1    TensorFlow 1

With ε = 0.1, as the published code has it, a step inside is at most g lr / 0.316 and one outside
up to 3.2 times as long. Adam is that of Kingma & Ba (2015).
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

Reals = NDArray[np.floating[Any]]


class Optimizer(Protocol):
    """Steps in place; its state is tensors and numbers by name."""

    def step(self, values: Tensor, gradients: Tensor) -> None:
        """One step on [P]; `gradients` may be overwritten."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class RMSProp:
    """RMSProp without momentum.

    Args:
        epsilon_inside: ε is under the root.
        initial: what ms begins at.
    """

    def __init__(
        self,
        like: Tensor,
        lr: float,
        decay: float,
        epsilon: float,
        *,
        epsilon_inside: bool,
        initial: float,
    ) -> None:
        self._lr, self._decay, self._epsilon = lr, decay, epsilon
        self._inside = epsilon_inside
        kind = like.cpu().numpy().dtype.type
        # of the parameters' own precision, so that nothing is computed in another
        self._numbers = (kind(lr), kind(decay), kind(1 - decay), kind(epsilon))
        self.mean_square = torch.full_like(like, initial)
        self._room = torch.empty_like(like)

    @torch.no_grad()
    def step(self, values: Tensor, gradients: Tensor) -> None:
        square, room = self.mean_square, self._room
        if values.device.type == "cpu":
            lr, decay, rest, epsilon = self._numbers
            arrays = (values.numpy(), gradients.numpy(), square.numpy())
            _rmsprop(*arrays, lr, decay, rest, epsilon, self._inside)
            return
        square.mul_(self._decay).addcmul_(gradients, gradients, value=1 - self._decay)
        if self._inside:
            torch.add(square, self._epsilon, out=room).sqrt_()
        else:
            torch.sqrt(square, out=room).add_(self._epsilon)
        values.addcdiv_(gradients, room, value=-self._lr)

    def state_dict(self) -> dict[str, Any]:
        return {"mean_square": self.mean_square.cpu().numpy().copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean_square.copy_(torch.from_numpy(state["mean_square"]))


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _rmsprop(
    values: Reals,
    gradients: Reals,
    square: Reals,
    lr: float,
    decay: float,
    rest: float,
    epsilon: float,
    inside: bool,
) -> None:
    """All at once, so that memory is passed over but once."""
    if inside:
        for i in range(values.shape[0]):
            square[i] = decay * square[i] + rest * gradients[i] * gradients[i]
            values[i] -= lr * gradients[i] / np.sqrt(square[i] + epsilon)
    else:
        for i in range(values.shape[0]):
            square[i] = decay * square[i] + rest * gradients[i] * gradients[i]
            values[i] -= lr * gradients[i] / (np.sqrt(square[i]) + epsilon)


class Adam:
    """Adam with its bias correction; ε is outside the root."""

    def __init__(self, like: Tensor, lr: float, betas: tuple[float, float], epsilon: float) -> None:
        self._lr, self._betas, self._epsilon = lr, betas, epsilon
        self.mean, self.square = torch.zeros_like(like), torch.zeros_like(like)
        self.steps = 0
        self._room = torch.empty_like(like)

    @torch.no_grad()
    def step(self, values: Tensor, gradients: Tensor) -> None:
        beta1, beta2 = self._betas
        self.steps += 1
        self.mean.mul_(beta1).add_(gradients, alpha=1 - beta1)
        self.square.mul_(beta2).addcmul_(gradients, gradients, value=1 - beta2)
        correction = math.sqrt(1 - beta2**self.steps)
        torch.sqrt(self.square, out=self._room).div_(correction).add_(self._epsilon)
        values.addcdiv_(self.mean, self._room, value=-self._lr / (1 - beta1**self.steps))

    def state_dict(self) -> dict[str, Any]:
        moments = {"mean": self.mean, "square": self.square}
        arrays = {name: moment.cpu().numpy().copy() for name, moment in moments.items()}
        return {**arrays, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean.copy_(torch.from_numpy(state["mean"]))
        self.square.copy_(torch.from_numpy(state["square"]))
        self.steps = state["steps"]
