"""A Gaussian whose draws are clamped into the box: a = clamp(x, low, high), x ~ N(μ, σ²).

The law of a is censored: N's density inside the box, and on its edges the masses of N beyond,

    ln π(a) = Σ_d  ln N(a_d; μ_d, σ_d²)          low < a_d < high
                   ln Φ((low - μ_d) / σ_d)       a_d = low
                   ln Φ((μ_d - high) / σ_d)      a_d = high.

Density and masses together are 1, and E[∇ ln π(a)] = 0. N's density at the clamped action would
be no law of a: its total is not 1 and its score is biased towards the edges.
The entropy is that of density and masses: it stays bounded, where N's own grows with σ although
all draws end on the edges.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from agents.neural.policies.base import (
    ActionBox,
    LikelihoodBackward,
    Noise,
    PathwiseBackward,
    log_stddev_bounds,
)

LOG_SQRT_2PI = math.log(2 * math.pi) / 2


class Gaussian:
    """h = [tanh⁻¹ of μ's place in the box, ln σ]. The action of evaluation is μ.

    Args:
        clip_stddev: [M, 1, 1]; see `log_stddev_bounds`.
    """

    def __init__(self, box: ActionBox, clip_stddev: Tensor) -> None:
        self.outputs = 2 * box.dimensions
        self._box = box
        self._lowest, self._highest = log_stddev_bounds(clip_stddev)

    def draw(self, h: Tensor, noise: Noise) -> Tensor:
        law = _Law(h, self._box, self._lowest, self._highest)
        return law.action(noise.normal(h.shape[1], self._box.dimensions))[0]

    def mode(self, h: Tensor) -> Tensor:
        return _Law(h, self._box, self._lowest, self._highest).mean

    def reparameterised(self, h: Tensor, noise: Noise) -> tuple[Tensor, Tensor, PathwiseBackward]:
        """At fixed noise no derivative sees a draw cross an edge, where ln π jumps from
        ln density to ln mass. The expectation of that jump is added: with z = (edge - μ) / σ,

            ∂/∂z ∫ φ ln π = φ(z) (ln density - ln mass) at high, and minus that at low.
        """
        law = _Law(h, self._box, self._lowest, self._highest)
        epsilon = noise.normal(h.shape[1], self._box.dimensions)
        action, deviation = law.action(epsilon)
        inside, edges = law.inside(action), law.at_edges(action)
        log_prob = torch.where(inside, law.log_density(epsilon), edges.log_mass).sum(-1)

        def backward(d_action: Tensor, d_log_prob: Tensor) -> Tensor:
            d_log_prob = d_log_prob.unsqueeze(-1)
            path = torch.where(inside, d_action, 0.0)
            jump_mean, jump_log_stddev = law.jumps()
            # inside, x = μ + σ ε at fixed ε: ln N moves by -d ln σ
            score_mean = torch.where(inside, 0.0, edges.d_mean)
            score_log_stddev = torch.where(inside, -1.0, edges.d_log_stddev)
            return law.d_h(
                path + d_log_prob * (score_mean + jump_mean),
                path * deviation + d_log_prob * (score_log_stddev + jump_log_stddev),
            )

        return action, log_prob, backward

    def likelihood(self, h: Tensor, action: Tensor) -> tuple[Tensor, LikelihoodBackward]:
        law = _Law(h, self._box, self._lowest, self._highest)
        inside, edges = law.inside(action), law.at_edges(action)
        z = (action - law.mean) * law.inverse
        log_prob = torch.where(inside, law.log_density(z), edges.log_mass).sum(-1)

        def backward(d_log_prob: Tensor) -> Tensor:
            # ∇_μ ln N = z / σ, ∇_lnσ ln N = z² - 1
            d_log_prob = d_log_prob.unsqueeze(-1)
            return law.d_h(
                d_log_prob * torch.where(inside, z * law.inverse, edges.d_mean),
                d_log_prob * torch.where(inside, z * z - 1, edges.d_log_stddev),
            )

        return log_prob, backward

    def scored(self, h: Tensor, noise: Noise) -> tuple[Tensor, Tensor, LikelihoodBackward]:
        action = self.draw(h, noise)
        return action, *self.likelihood(h, action)


class _Law:
    """μ, σ and what follows from them, for one h, of which no view is kept: others reuse it."""

    def __init__(self, h: Tensor, box: ActionBox, lowest: Tensor, highest: Tensor) -> None:
        self._box, A = box, box.dimensions
        self._y = h.narrow(-1, 0, A).tanh()
        raw = h.narrow(-1, A, A)
        self._log_stddev = torch.clamp(raw, lowest, highest)
        self._clipped = raw != self._log_stddev
        self.mean = box.centre + box.scale * self._y
        self.inverse = torch.exp(-self._log_stddev)

    def action(self, epsilon: Tensor) -> tuple[Tensor, Tensor]:
        """clamp(μ + σ ε) and σ ε."""
        deviation = self._log_stddev.exp() * epsilon
        return torch.clamp(self.mean + deviation, self._box.low, self._box.high), deviation

    def inside(self, action: Tensor) -> Tensor:
        return (action > self._box.low) & (action < self._box.high)

    def log_density(self, z: Tensor) -> Tensor:
        return z * z * -0.5 - self._log_stddev - LOG_SQRT_2PI

    def at_edges(self, action: Tensor) -> _EdgeMass:
        """For actions at an edge: with z = (edge - μ) / σ, positive beyond high,

        ∂ ln Φ(-z) / ∂z = -φ(z) / Φ(-z), ∂z/∂μ = -1/σ, ∂z/∂lnσ = -z; at low all is mirrored.
        """
        above = action >= self._box.high
        distance = torch.where(above, self._box.high - self.mean, self.mean - self._box.low)
        z = distance * self.inverse
        hazard = math.sqrt(2 / math.pi) / torch.special.erfcx(z * math.sqrt(0.5))
        pull = hazard * self.inverse
        return _EdgeMass(torch.special.log_ndtr(-z), torch.where(above, pull, -pull), hazard * z)

    def jumps(self) -> tuple[Tensor, Tensor]:
        """∂E[ln π] from the draws that cross the edges, by μ and by ln σ."""
        d_mean, d_log_stddev = torch.zeros_like(self.mean), torch.zeros_like(self.mean)
        for sign, distance in (
            (1, self._box.high - self.mean),
            (-1, self.mean - self._box.low),
        ):
            z = distance * self.inverse
            jump = self.log_density(z) - torch.special.log_ndtr(-z)
            flow = torch.exp(z * z * -0.5 - LOG_SQRT_2PI) * jump
            d_mean -= sign * flow * self.inverse
            d_log_stddev -= flow * z
        return d_mean, d_log_stddev

    def d_h(self, d_mean: Tensor, d_log_stddev: Tensor) -> Tensor:
        """By way of μ = centre + scale tanh h and of the clip of ln σ."""
        d_place = d_mean * self._box.scale * (1 - self._y * self._y)
        return torch.cat((d_place, d_log_stddev.masked_fill(self._clipped, 0.0)), -1)


class _EdgeMass(NamedTuple):
    """ln mass on the edge and its gradient by μ and ln σ."""

    log_mass: Tensor
    d_mean: Tensor
    d_log_stddev: Tensor
