"""The Gaussian of soft actor-critic: a = centre + scale tanh x, x ~ N(μ, σ²), inside the box.

    ln π(a) = Σ_d ln N(x_d; μ_d, σ_d²) - ln scale_d - ln(1 - tanh² x_d)
    ln(1 - tanh² x) = 2 (ln 2 - |x| - ln(1 + e^(-2|x|)))

The gradients are written out: this runs at every step of every member. The number of operations is
what costs, not their size: hence those in place, and constants as tensors, which torch takes
faster than numbers. A factor `alpha` is a power of 2: whether torch fuses it does not change bits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from agents.neural import arithmetic
from agents.neural.policies.base import (
    ActionBox,
    LikelihoodBackward,
    Noise,
    PathwiseBackward,
    log_stddev_bounds,
)
from agents.neural.policies.elementary import atanh


class SquashedGaussian:
    """h = [μ, ln σ], ln σ clipped. The action of evaluation is the squashed mean.

    Args:
        clip_stddev: [M, 1, 1]; see `log_stddev_bounds`.
    """

    def __init__(self, box: ActionBox, clip_stddev: Tensor) -> None:
        self.outputs = 2 * box.dimensions
        self._dimensions = box.dimensions
        self._lowest, self._highest = log_stddev_bounds(clip_stddev)
        self._centre, self._scale, self._centred = box.centre, box.scale, box.centred
        self._one, self._minus_two, self._zero, self._constant = (
            torch.tensor(value, dtype=box.low.dtype, device=box.low.device)
            for value in (1.0, -2.0, 0.0, self._log_prob_constant(box))
        )
        self._log_constant = self._log_prob_constant(box)
        self._is_compiled = arithmetic.is_compiled(box.low.device)
        if self._is_compiled:
            columns = (self._lowest, self._highest, box.centre, box.scale)
            self._law: Any = [column.reshape(-1).numpy() for column in columns]
        # the largest |y| whose atanh is a number
        self._limit = 1 - torch.finfo(box.low.dtype).eps

    def draw(self, h: Tensor, noise: Noise) -> Tensor:
        if self._is_compiled:
            epsilon = noise.normal(h.shape[1], self._dimensions)
            action = torch.empty_like(epsilon)
            _draw(h.numpy(), epsilon.numpy(), action.numpy(), *self._law)
            return action
        mean, _, log_stddev = self._parameters(h)
        x = log_stddev.exp_().mul_(noise.normal(h.shape[1], self._dimensions)).add_(mean)
        return self._in_box(x.tanh_())

    def mode(self, h: Tensor) -> Tensor:
        return self._in_box(h.narrow(-1, 0, self._dimensions).tanh())

    def reparameterised(self, h: Tensor, noise: Noise) -> tuple[Tensor, Tensor, PathwiseBackward]:
        if self._is_compiled:
            return self._compiled(h, noise.normal(h.shape[1], self._dimensions))
        mean, clipped, log_stddev = self._parameters(h)
        epsilon = noise.normal(h.shape[1], self._dimensions)
        deviation = log_stddev.exp().mul_(epsilon)
        x = mean + deviation
        y = x.tanh()

        def backward(d_action: Tensor, d_log_prob: Tensor) -> Tensor:
            # x = μ + σ ε at fixed ε: ln N moves by -d ln σ alone, the rest by way of x
            d_log_prob = d_log_prob.unsqueeze(-1)
            d_x = self._one - y * y
            d_x.mul_(self._scale).mul_(d_action)  # da/dx = scale (1 - tanh² x)
            d_x.add_(y * d_log_prob, alpha=2)  # d/dx of -ln(1 - tanh² x)
            return self._join(d_x, (d_x * deviation).sub_(d_log_prob), clipped)

        return self._in_box(y), self._log_prob(epsilon * epsilon, log_stddev, x), backward

    def _compiled(self, h: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor, PathwiseBackward]:
        """`reparameterised` in one pass over its rows, and one back."""
        y, action, deviation = torch.empty((3, *epsilon.shape), dtype=h.dtype)
        log_prob, free = h.new_empty(h.shape[:2]), torch.empty_like(y, dtype=torch.bool)
        kept: Any = (y.numpy(), deviation.numpy(), free.numpy())
        law: Any = (action.numpy(), log_prob.numpy(), self._log_constant, *self._law)
        _reparameterise(h.numpy(), epsilon.numpy(), *(kept + law))

        def backward(d_action: Tensor, d_log_prob: Tensor) -> Tensor:
            d_h = torch.empty_like(h)
            ends = d_action.numpy(), d_log_prob.numpy(), d_h.numpy()
            _reparameterise_backward(*ends, self._law[-1], *kept)
            return d_h

        return action, log_prob, backward

    def likelihood(self, h: Tensor, action: Tensor) -> tuple[Tensor, LikelihoodBackward]:
        """At the edge of the box, where x = ±∞, the likelihood is that of the last y inside."""
        y = (action - self._centre).div_(self._scale)
        return self._likelihood(h, atanh(y.clamp_(-self._limit, self._limit)))

    def scored(self, h: Tensor, noise: Noise) -> tuple[Tensor, Tensor, LikelihoodBackward]:
        mean, _, log_stddev = self._parameters(h)
        x = log_stddev.exp_().mul_(noise.normal(h.shape[1], self._dimensions)).add_(mean)
        return self._in_box(x.tanh()), *self._likelihood(h, x)

    def _likelihood(self, h: Tensor, x: Tensor) -> tuple[Tensor, LikelihoodBackward]:
        mean, clipped, log_stddev = self._parameters(h)
        inverse = (-log_stddev).exp_()
        z = (x - mean).mul_(inverse)

        def backward(d_log_prob: Tensor) -> Tensor:
            # ∇_μ ln N = z / σ, ∇_lnσ ln N = z² - 1
            d_log_prob = d_log_prob.unsqueeze(-1)
            d_mean = (z * inverse).mul_(d_log_prob)
            d_log_stddev = (z * z).sub_(self._one).mul_(d_log_prob)
            return self._join(d_mean, d_log_stddev, clipped)

        return self._log_prob(z * z, log_stddev, x), backward

    def _parameters(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """μ, where ln σ was clipped, and ln σ. Only μ is a view of h, which others reuse."""
        mean = h.narrow(-1, 0, self._dimensions)
        raw = h.narrow(-1, self._dimensions, self._dimensions)
        log_stddev = torch.clamp(raw, self._lowest, self._highest)
        return mean, raw != log_stddev, log_stddev

    @staticmethod
    def _log_prob_constant(box: ActionBox) -> float:
        """The part of ln π(a) that depends on nothing."""
        return -box.log_scale - box.dimensions * (math.log(2 * math.pi) / 2 + 2 * math.log(2))

    def _log_prob(self, squared: Tensor, log_stddev: Tensor, x: Tensor) -> Tensor:
        """Of z² = ((x - μ) / σ)², ln σ and x: constant - (z²/2 + ln σ - 2 (|x| + ln(1 + ..)))."""
        size = x.abs()
        size += (size * self._minus_two).exp_().log1p_()
        negative = torch.add(log_stddev, squared, alpha=0.5).sub_(size, alpha=2)
        total = negative.squeeze(-1) if self._dimensions == 1 else negative.sum(-1)
        return self._constant - total

    def _in_box(self, y: Tensor) -> Tensor:
        action = y * self._scale
        return action if self._centred else action.add_(self._centre)

    def _join(self, d_mean: Tensor, d_log_stddev: Tensor, clipped: Tensor) -> Tensor:
        """dL/dh; what was clipped has no gradient."""
        return torch.cat((d_mean, d_log_stddev.masked_fill_(clipped, self._zero)), -1)


@njit(cache=True, error_model="numpy")
def _draw(
    h: np.ndarray,
    epsilon: np.ndarray,
    action: np.ndarray,
    lowest: np.ndarray,
    highest: np.ndarray,
    centre: np.ndarray,
    scale: np.ndarray,
) -> None:
    """Actions [M, B, A] of h [M, B, 2 A] and noise; bounds of ln σ are by member."""
    M, B, A = action.shape
    for m in range(M):
        for b in range(B):
            for d in range(A):
                log_stddev = min(max(h[m, b, A + d], lowest[m]), highest[m])
                x = h[m, b, d] + np.exp(log_stddev) * epsilon[m, b, d]
                action[m, b, d] = centre[d] + scale[d] * np.tanh(x)


@njit(cache=True, error_model="numpy")
def _reparameterise(
    h: np.ndarray,
    epsilon: np.ndarray,
    y: np.ndarray,
    deviation: np.ndarray,
    free: np.ndarray,
    action: np.ndarray,
    log_prob: np.ndarray,
    constant: float,
    lowest: np.ndarray,
    highest: np.ndarray,
    centre: np.ndarray,
    scale: np.ndarray,
) -> None:
    """Also y = tanh x, σ ε, whether ln σ is free of its bounds, and ln π(a)."""
    M, B, A = action.shape
    half, two = h.dtype.type(0.5), h.dtype.type(2)
    for m in range(M):
        for b in range(B):
            negative = h.dtype.type(-constant)
            for d in range(A):
                noise, raw = epsilon[m, b, d], h[m, b, A + d]
                log_stddev = min(max(raw, lowest[m]), highest[m])
                free[m, b, d] = raw == log_stddev
                deviation[m, b, d] = np.exp(log_stddev) * noise
                x = h[m, b, d] + deviation[m, b, d]
                size = abs(x)
                size += np.log1p(np.exp(-two * size))
                negative += log_stddev + half * noise * noise - two * size
                y[m, b, d] = np.tanh(x)
                action[m, b, d] = centre[d] + scale[d] * y[m, b, d]
            log_prob[m, b] = -negative


@njit(cache=True, error_model="numpy")
def _reparameterise_backward(
    d_action: np.ndarray,
    d_log_prob: np.ndarray,
    d_h: np.ndarray,
    scale: np.ndarray,
    y: np.ndarray,
    deviation: np.ndarray,
    free: np.ndarray,
) -> None:
    """dL/dh. x = μ + σ ε at fixed ε: ln N moves by -d ln σ alone, the rest by way of x."""
    M, B, A = y.shape
    zero, one, two = y.dtype.type(0), y.dtype.type(1), y.dtype.type(2)
    for m in range(M):
        for b in range(B):
            d_log = d_log_prob[m, b]
            for d in range(A):
                at = y[m, b, d]
                # da/dx = scale (1 - tanh² x), and d/dx of -ln(1 - tanh² x) is 2 tanh x
                d_x = (one - at * at) * scale[d] * d_action[m, b, d] + two * at * d_log
                d_h[m, b, d] = d_x
                d_log_stddev = d_x * deviation[m, b, d] - d_log
                d_h[m, b, A + d] = d_log_stddev if free[m, b, d] else zero
