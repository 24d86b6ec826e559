"""The Gaussian of soft actor-critic, squashed into the box: a = centre + scale tanh x, x ~ N(μ, σ²).

    ln π(a) = Σ_d ln N(x_d; μ_d, σ_d²) - ln scale_d - ln(1 - tanh² x_d)
    ln(1 - tanh² x) = 2 (ln 2 - |x| - ln(1 + e^(-2|x|)))

The gradients are written out: this runs at every step of every member. Operations work in place
where they can; their number, not their size, is what costs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

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
        #: Σ_d ln √(2π) + ln scale_d + 2 ln 2
        self._constant = box.log_scale + box.dimensions * (
            math.log(2 * math.pi) / 2 + 2 * math.log(2)
        )
        # the largest y < 1: the action of x beyond tanh's last bit
        self._limit = 1 - torch.finfo(box.low.dtype).eps

    def draw(self, h: Tensor, noise: Noise) -> Tensor:
        mean, log_stddev = self._parameters(h)
        x = log_stddev.exp().mul_(noise.normal(h.shape[1], self._dimensions)).add_(mean)
        return self._in_box(x.tanh_())

    def mode(self, h: Tensor) -> Tensor:
        return self._in_box(h[..., : self._dimensions].tanh())

    def reparameterised(self, h: Tensor, noise: Noise) -> tuple[Tensor, Tensor, PathwiseBackward]:
        mean, log_stddev = self._parameters(h)
        epsilon = noise.normal(h.shape[1], self._dimensions)
        deviation = log_stddev.exp().mul_(epsilon)
        x = mean + deviation
        y = x.tanh()
        log_prob = self._log_prob(epsilon.square(), log_stddev, x)

        def backward(d_action: Tensor, d_log_prob: Tensor) -> Tensor:
            # x = μ + σ ε at fixed ε: the Gaussian term of ln π moves by -d ln σ, the rest with x
            d_log_prob = d_log_prob.unsqueeze(-1)
            d_mean = (1 - y * y).mul_(self._scale).mul_(d_action)  # da/dx = scale (1 - tanh² x)
            d_mean += 2 * y * d_log_prob  # d/dx of -ln(1 - tanh² x)
            return self._stack(h, log_stddev, d_mean, d_mean * deviation - d_log_prob)

        return self._in_box(y), log_prob, backward

    def likelihood(self, h: Tensor, action: Tensor) -> tuple[Tensor, LikelihoodBackward]:
        """At the edge of the box, where x = ±∞, the likelihood is that of the last y inside."""
        y = (action - self._centre).div_(self._scale)
        return self._likelihood(h, atanh(y.clamp_(-self._limit, self._limit)))

    def scored(self, h: Tensor, noise: Noise) -> tuple[Tensor, Tensor, LikelihoodBackward]:
        mean, log_stddev = self._parameters(h)
        x = log_stddev.exp().mul_(noise.normal(h.shape[1], self._dimensions)).add_(mean)
        return self._in_box(x.tanh()), *self._likelihood(h, x)

    def _likelihood(self, h: Tensor, x: Tensor) -> tuple[Tensor, LikelihoodBackward]:
        mean, log_stddev = self._parameters(h)
        inverse = (-log_stddev).exp_()
        z = (x - mean).mul_(inverse)
        log_prob = self._log_prob(z * z, log_stddev, x)

        def backward(d_log_prob: Tensor) -> Tensor:
            # ∇_μ ln N = z / σ, ∇_lnσ ln N = z² - 1
            d_log_prob = d_log_prob.unsqueeze(-1)
            d_mean = z * inverse * d_log_prob
            return self._stack(h, log_stddev, d_mean, (z * z).sub_(1).mul_(d_log_prob))

        return log_prob, backward

    def _parameters(self, h: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = torch.split(h, self._dimensions, -1)
        return mean, torch.clamp(raw, self._lowest, self._highest)

    def _log_prob(self, squared: Tensor, log_stddev: Tensor, x: Tensor) -> Tensor:
        """Of z² = ((x - μ) / σ)², ln σ and x; `squared` is overwritten."""
        m = x.abs().mul_(-2)
        negative = squared.mul_(0.5).add_(log_stddev).add_(m)
        negative -= m.exp_().log1p_().mul_(2)
        total = negative.squeeze(-1) if self._dimensions == 1 else negative.sum(-1)
        return total.add_(self._constant).neg_()

    def _in_box(self, y: Tensor) -> Tensor:
        action = y * self._scale
        return action if self._centred else action.add_(self._centre)

    def _stack(self, h: Tensor, log_stddev: Tensor, d_mean: Tensor, d_log_stddev: Tensor) -> Tensor:
        """dL/dh; what was clipped has no gradient."""
        d_log_stddev.masked_fill_(log_stddev != h[..., self._dimensions :], 0.0)
        return torch.cat((d_mean, d_log_stddev), -1)
