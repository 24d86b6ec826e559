"""What turns gradients into steps, on all parameters in one vector, on the processor.

Gradients are clipped by their norm first. Weight decay is AdamW's (Loshchilov & Hutter 2019),
θ <- θ (1 - lr λ); with "adam" and "sgd" λ θ is added to the gradient.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
OptimizerName = Literal["adam", "adamw", "sgd"]


class Optimizer:
    """Adam, AdamW, or stochastic gradient descent with momentum.

    Attributes:
        moments: [2, P] (momentum alone uses the first).
        steps: how many it has made.
    """

    def __init__(
        self,
        name: OptimizerName,
        values: Floats,
        *,
        betas: tuple[float, float],
        epsilon: float,
        weight_decay: float,
        max_norm: float | None,
    ) -> None:
        self._name, self._values = name, values
        self._betas, self._epsilon, self._decay = betas, epsilon, weight_decay
        self._max_norm = np.inf if max_norm is None else max_norm
        self.moments = np.zeros((2, len(values)), np.float32)
        self.steps = 0

    def step(self, gradients: Floats, learning_rate: float) -> float:
        """One step; returns the gradients' norm before it was clipped."""
        norm = float(np.sqrt(np.dot(gradients, gradients)))
        clip = min(1.0, self._max_norm / max(norm, 1e-12))
        self.steps += 1
        added = 0.0 if self._name == "adamw" else self._decay
        shrunk = 1 - learning_rate * self._decay if self._name == "adamw" else 1.0
        beta1, beta2 = self._betas
        if self._name == "sgd":
            once = (clip, added, beta1, learning_rate)
            _momentum(self._values, gradients, self.moments[0], *map(np.float32, once))
            return norm
        root = float(np.sqrt(1 - beta2**self.steps))
        rate = learning_rate * root / (1 - beta1**self.steps)
        numbers = (clip, added, 1 - beta1, 1 - beta2, rate, self._epsilon * root, shrunk)
        _adam(self._values, gradients, *self.moments, *map(np.float32, numbers))
        return norm

    def state_dict(self) -> dict[str, Any]:
        return {"moments": self.moments.copy(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.moments[:], self.steps = state["moments"], state["steps"]


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _adam(
    values: Floats,
    gradients: Floats,
    mean: Floats,
    square: Floats,
    clip: np.float32,
    decay: np.float32,
    rate1: np.float32,
    rate2: np.float32,
    rate: np.float32,
    epsilon: np.float32,
    shrunk: np.float32,
) -> None:
    for i in range(len(values)):
        g = clip * gradients[i] + decay * values[i]
        mean[i] += (g - mean[i]) * rate1
        square[i] += (g * g - square[i]) * rate2
        values[i] = shrunk * values[i] - rate * mean[i] / (np.sqrt(square[i]) + epsilon)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _momentum(
    values: Floats,
    gradients: Floats,
    mean: Floats,
    clip: np.float32,
    decay: np.float32,
    momentum: np.float32,
    rate: np.float32,
) -> None:
    for i in range(len(values)):
        mean[i] = momentum * mean[i] + clip * gradients[i] + decay * values[i]
        values[i] -= rate * mean[i]
