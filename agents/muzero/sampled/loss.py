"""The loss of a policy over sampled actions, and its gradient, on the processor.

For samples u_k with shares w_k, and the Gaussian (μ, σ) that outputs (m, s) stand for,

    CE = -Σ_k w_k Σ_d ln N(u_kd; μ_d, σ_d²)       H = Σ_d ln σ_d + D/2 ln 2πe

The density of a = tanh(u) differs from that of u by what no parameter changes.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.muzero.losses import Loss
from agents.search.sampling import MEAN_BOUND, Sampling

Floats = NDArray[np.float32]
_HALF_LN_2PI = 0.5 * math.log(2 * math.pi)


class SampledPolicyLoss:
    """The cross-entropy of policies with Gaussians, times a weight, less their entropy, times
    another; see `agents.muzero.losses.PolicyLoss`."""

    def __init__(
        self, rows: int, sampling: Sampling, *, weight: float = 1.0, entropy_weight: float = 0.0
    ) -> None:
        self._sampling = sampling
        self._weights = float(weight), float(entropy_weight)
        self._out = np.zeros((2, rows), np.float32)

    def __call__(self, outputs: Floats, targets: Floats, scales: Floats) -> Loss:
        """The loss; in the place of `outputs` [rows, 2 D] is then the gradient of Σ scale * loss.

        Args:
            targets: [rows, K (1 + D)] policies, see `agents.muzero.sampled.box`.
            scales: [rows].
        """
        losses, entropies = self._out
        _cross_entropy(outputs, targets, scales, self._sampling, *self._weights, losses, entropies)
        return Loss(losses, entropies)


@njit(cache=True, error_model="numpy")
def _cross_entropy(
    outputs: Floats,
    targets: Floats,
    scales: Floats,
    sampling: Sampling,
    weight: float,
    entropy_weight: float,
    losses: Floats,
    entropies: Floats,
) -> None:
    K, D = sampling.samples, sampling.dimensions
    for i in range(outputs.shape[0]):
        loss, entropy = 0.0, D * (0.5 + _HALF_LN_2PI)
        for d in range(D):
            tanh = math.tanh(outputs[i, d] / MEAN_BOUND)
            share = 1.0 / (1.0 + math.exp(-outputs[i, D + d]))
            std = sampling.low + (sampling.high - sampling.low) * share
            mean, mass, first, second = MEAN_BOUND * tanh, 0.0, 0.0, 0.0
            for k in range(K):
                w = targets[i, k]
                z = (targets[i, K + k * D + d] - mean) / std
                mass += w
                first += w * z
                second += w * z * z
            loss += 0.5 * second + mass * (math.log(std) + _HALF_LN_2PI)
            entropy += math.log(std)
            d_mean = -weight * first / std
            d_std = (weight * (mass - second) - entropy_weight) / std
            outputs[i, d] = scales[i] * d_mean * (1.0 - tanh * tanh)
            slope = (sampling.high - sampling.low) * share * (1.0 - share)
            outputs[i, D + d] = scales[i] * d_std * slope
        losses[i] = loss
        entropies[i] = entropy
