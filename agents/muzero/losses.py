"""Cross-entropies over rows of logits, and their gradients, on the processor.

For a target p and logits z of a row, CE = -Σ p ln softmax(z) and dCE/dz = softmax(z) - p. The
target of a scalar is two-hot: the bins around the place of h(x) share it by their nearness.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.search.scalars import Support, compress, expand

Floats = NDArray[np.float32]


class Loss(NamedTuple):
    """Of rows.

    Attributes:
        losses: [rows] cross-entropies, without their scales.
        scalars: [rows] what was predicted; of a policy its entropy.
    """

    losses: Floats
    scalars: Floats


class ScalarLoss:
    """The cross-entropy of distributions over a support with scalars, for so many rows."""

    def __init__(self, support: Support, rows: int) -> None:
        self.support = support
        self._step = np.float32((support.high - support.low) / (support.bins - 1))
        self._atoms = support.atoms.astype(np.float32)
        self._exps = np.zeros((rows, support.bins), np.float32)
        self._out = np.zeros((2, rows), np.float32)

    def __call__(self, logits: Floats, targets: Floats, scales: Floats) -> Loss:
        """The loss; in the place of `logits` [rows, bins] is then the gradient of Σ scale * loss.

        Args:
            targets, scales: [rows].
        """
        losses, means = self._out
        _subtract_greatest(logits)
        np.exp(logits, out=self._exps)
        _two_hot(logits, self._exps, self.places(targets), scales, self._atoms, losses, means)
        return Loss(losses, self._scalars(means))

    def places(self, scalars: Floats) -> Floats:
        """Where scalars lie among the bins: 0 is the first one."""
        support = self.support
        y = compress(scalars) if support.compressed else scalars
        y = np.clip(y, np.float32(support.low), np.float32(support.high))
        places: Floats = (y - np.float32(support.low)) / self._step
        return places

    def decode(self, logits: Floats) -> Floats:
        """The scalars [rows] that distributions with these logits stand for; overwrites them."""
        means = self._out[1, : len(logits)]
        exps = self._exps[: len(logits)]
        _subtract_greatest(logits)
        np.exp(logits, out=exps)
        _means(exps, self._atoms, means)
        return self._scalars(means)

    def _scalars(self, means: Floats) -> Floats:
        scalars = expand(means) if self.support.compressed else means.copy()
        return scalars.astype(np.float32, copy=False)


class PolicyLoss:
    """The cross-entropy of softmax(logits) with policies, times a weight, less its entropy, times
    another."""

    def __init__(
        self, rows: int, actions: int, *, weight: float = 1.0, entropy_weight: float = 0.0
    ) -> None:
        self._weight, self._entropy_weight = np.float32(weight), np.float32(entropy_weight)
        self._exps = np.zeros((rows, actions), np.float32)
        self._out = np.zeros((2, rows), np.float32)

    def __call__(self, logits: Floats, targets: Floats, scales: Floats) -> Loss:
        """As of `ScalarLoss`; the losses returned are without weights and entropies.

        Args:
            targets: [rows, A].
            scales: [rows].
        """
        losses, entropies = self._out
        _subtract_greatest(logits)
        np.exp(logits, out=self._exps)
        weights = (self._weight, self._entropy_weight)
        _cross_entropy(logits, self._exps, targets, scales, *weights, losses, entropies)
        return Loss(losses, entropies)


@njit(cache=True, error_model="numpy", fastmath={"nnan", "reassoc", "contract"})
def _subtract_greatest(logits: Floats) -> None:
    for i in range(logits.shape[0]):
        greatest = logits[i, 0]
        for j in range(1, logits.shape[1]):
            greatest = max(greatest, logits[i, j])
        for j in range(logits.shape[1]):
            logits[i, j] -= greatest


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _two_hot(
    z: Floats,
    exps: Floats,
    places: Floats,
    scales: Floats,
    atoms: Floats,
    losses: Floats,
    means: Floats,
) -> None:
    bins = z.shape[1]
    for i in range(z.shape[0]):
        total, mean = np.float32(0), np.float32(0)
        for j in range(bins):
            total += exps[i, j]
            mean += exps[i, j] * atoms[j]
        means[i] = mean / total
        below = min(int(places[i]), bins - 2)
        share = places[i] - np.float32(below)
        rest = np.float32(1) - share
        losses[i] = np.log(total) - rest * z[i, below] - share * z[i, below + 1]
        scale = scales[i]
        factor = scale / total
        for j in range(bins):
            z[i, j] = exps[i, j] * factor
        z[i, below] -= rest * scale
        z[i, below + 1] -= share * scale


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _means(exps: Floats, atoms: Floats, means: Floats) -> None:
    for i in range(exps.shape[0]):
        total, mean = np.float32(0), np.float32(0)
        for j in range(exps.shape[1]):
            total += exps[i, j]
            mean += exps[i, j] * atoms[j]
        means[i] = mean / total


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _cross_entropy(
    z: Floats,
    exps: Floats,
    targets: Floats,
    scales: Floats,
    weight: np.float32,
    entropy_weight: np.float32,
    losses: Floats,
    entropies: Floats,
) -> None:
    for i in range(z.shape[0]):
        total, loss, weighted, mass = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for j in range(z.shape[1]):
            total += exps[i, j]
            loss -= targets[i, j] * z[i, j]
            weighted += exps[i, j] * z[i, j]
            mass += targets[i, j]
        log_total = np.log(total)
        losses[i] = loss + mass * log_total
        entropy = log_total - weighted / total
        entropies[i] = entropy
        for j in range(z.shape[1]):
            p = exps[i, j] / total
            gradient = weight * (mass * p - targets[i, j])
            gradient += entropy_weight * p * (z[i, j] - log_total + entropy)
            z[i, j] = scales[i] * gradient
