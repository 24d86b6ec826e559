"""Returns as what a value head predicts: a number, or a distribution over equally spaced bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


class ScalarValue:
    """V = the head's one output, by ½ (G - V)²."""

    outputs = 1

    def loss(self, output: Tensor, returns: Tensor) -> Tensor:
        """Mean over the batch, of outputs [B, 1] and returns [B]."""
        return 0.5 * ((returns - output[:, 0]) ** 2).mean()

    def of(self, output: NDArray[np.float32]) -> float:
        """V of one output [1]."""
        return float(output[0])


class CategoricalValue:
    """V = Σ_i p_i z_i over bins z from `low` to `high`, p = softmax of the head's outputs, by the
    cross-entropy with the two bins that a return lies between, each by its nearness."""

    def __init__(self, bins: int, low: float, high: float) -> None:
        self.outputs, self._low, self._high = bins, low, high
        self._gap = (high - low) / (bins - 1)
        self._support = np.linspace(low, high, bins)

    def two_hot(self, returns: Tensor) -> Tensor:
        """[B, bins] of returns [B]; those beyond the ends count as the ends."""
        place = (returns.clamp(self._low, self._high) - self._low) / self._gap
        below = place.floor().clamp(max=self.outputs - 2)
        share = (place - below)[:, None]
        index = below.long()[:, None]
        target = share.new_zeros((len(returns), self.outputs))
        return target.scatter_(1, index, 1 - share).scatter_(1, index + 1, share)

    def loss(self, output: Tensor, returns: Tensor) -> Tensor:
        """Mean over the batch, of outputs [B, bins] and returns [B]."""
        logs = functional.log_softmax(output, 1)
        return -(self.two_hot(returns) * logs).sum(1).mean()

    def of(self, output: NDArray[np.float32]) -> float:
        """V of one output [bins]."""
        weights = np.exp(output.astype(np.float64) - output.max())
        return float(weights @ self._support / weights.sum())


ValueHead = ScalarValue | CategoricalValue
