"""What turns gradients into steps, on all parameters in one vector.

Gradients are clipped by their norm first. Weight decay is AdamW's (Loshchilov & Hutter 2019),
θ <- θ (1 - lr λ); with "adam" and "sgd" λ θ is added to the gradient.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.muzero.settings import MuZeroSettings

Floats = NDArray[np.float32]


class Numbers(NamedTuple):
    """What a step multiplies by and adds.

    Attributes:
        clip: of the gradient.
        decay: what the parameters add to the gradient.
        shrunk: what is left of the parameters.
        rate1, rate2: how far the moments go towards the gradient and its square; of "sgd" rate1 is
            what is left of the momentum.
        rate, epsilon: the step size and ε, with Adam's corrections of the moments' beginnings.
    """

    clip: float
    decay: float
    shrunk: float
    rate1: float
    rate2: float
    rate: float
    epsilon: float


class Optimizer:
    """Adam, AdamW, or stochastic gradient descent with momentum, on the processor.

    Attributes:
        moments: [2, P] (momentum alone uses the first).
        steps: how many it has made.
    """

    def __init__(self, settings: MuZeroSettings, values: Floats) -> None:
        self._settings, self._values = settings, values
        self.moments = np.zeros((2, len(values)), np.float32)
        self.steps = 0

    def step(self, gradients: Floats, learning_rate: float) -> float:
        """One step; returns the gradients' norm before it was clipped."""
        norm = float(np.sqrt(np.dot(gradients, gradients)))
        self.steps += 1
        numbers = numbers_of(self._settings, self.steps, norm, learning_rate)
        # compiled loops compute in the precision of what they are given
        narrow: Any = Numbers(*(np.float32(number) for number in numbers))  # type: ignore[arg-type]
        if self._settings.optimizer == "sgd":
            _momentum(self._values, gradients, self.moments[0], narrow)
        else:
            mean, square = self.moments
            _adam(self._values, gradients, mean, square, narrow)
        return norm

    def state_dict(self) -> dict[str, Any]:
        return {"moments": self.moments.copy(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.moments[:], self.steps = state["moments"], state["steps"]


def numbers_of(settings: MuZeroSettings, step: int, norm: float, learning_rate: float) -> Numbers:
    """Of a step, from 1 on, along gradients of a norm."""
    longest = settings.max_grad_norm
    clip = 1.0 if longest is None else min(1.0, longest / max(norm, 1e-12))
    decoupled = settings.optimizer == "adamw"
    decay = settings.weight_decay
    shrunk = 1 - learning_rate * decay if decoupled else 1.0
    decay = 0.0 if decoupled else decay
    beta1, beta2 = settings.betas
    if settings.optimizer == "sgd":
        return Numbers(clip, decay, shrunk, beta1, 0.0, learning_rate, 0.0)
    root = math.sqrt(1 - beta2**step)
    rate = learning_rate * root / (1 - beta1**step)
    return Numbers(clip, decay, shrunk, 1 - beta1, 1 - beta2, rate, settings.adam_eps * root)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _adam(values: Floats, gradients: Floats, mean: Floats, square: Floats, by: Numbers) -> None:
    for i in range(len(values)):
        g = by.clip * gradients[i] + by.decay * values[i]
        mean[i] += (g - mean[i]) * by.rate1
        square[i] += (g * g - square[i]) * by.rate2
        step = by.rate * mean[i] / (np.sqrt(square[i]) + by.epsilon)
        values[i] = by.shrunk * values[i] - step


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _momentum(values: Floats, gradients: Floats, mean: Floats, by: Numbers) -> None:
    for i in range(len(values)):
        mean[i] = by.rate1 * mean[i] + by.clip * gradients[i] + by.decay * values[i]
        values[i] -= by.rate * mean[i]
