"""Gaussian families: squashed into the box by a tanh, or censored at its edges."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from agents.neural.policies.base import ActionBox, Noise, log_stddev_bounds
from agents.neural.policies.elementary import atanh
from agents.neural.policies.families import DoubleBox, Edges

LOG_SQRT_2PI = math.log(2 * math.pi) / 2


def normal_log_density(z: Tensor, log_stddev: Tensor) -> Tensor:
    return -z * z / 2 - log_stddev - LOG_SQRT_2PI


def _mass_between(low: Tensor, high: Tensor) -> Tensor:
    """Φ(high) - Φ(low), from the tails on the side where they are thin."""
    above = low > 0
    greater, less = torch.where(above, -low, high), torch.where(above, -high, low)
    mass: Tensor = torch.special.log_ndtr(greater).exp() - torch.special.log_ndtr(less).exp()
    return mass


class SquashedNormal:
    """x ~ N(μ, σ²), a = centre + scale tanh x; parameters μ, ln σ."""

    parameters = 2

    def __init__(self, box: ActionBox, clip_stddev: Tensor) -> None:
        self._box = DoubleBox.of(box)
        self._bounds = log_stddev_bounds(clip_stddev.double())

    def draw(self, parameters: Sequence[Tensor], noise: Noise) -> Tensor:
        mean, raw = parameters
        return mean + raw.clamp(*self._bounds).exp() * noise.normal(mean.shape[1], mean.shape[2])

    def log_density(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        mean, raw = parameters
        log_stddev = raw.clamp(*self._bounds)
        size = x.abs()
        log_derivative = 2 * (math.log(2) - size - torch.log1p(torch.exp(-2 * size)))
        z = (x - mean) * torch.exp(-log_stddev)
        return normal_log_density(z, log_stddev) - self._box.scale.log() - log_derivative

    def centre(self, parameters: Sequence[Tensor]) -> Tensor:
        return parameters[0]

    def action(self, x: Tensor) -> Tensor:
        return self._box.centre + self._box.scale * x.tanh()

    def latent(self, action: Tensor) -> Tensor:
        limit = 1 - self._box.precision
        return atanh(((action - self._box.centre) / self._box.scale).clamp(-limit, limit))

    def edges(self, parameters: Sequence[Tensor]) -> Edges | None:
        return None


class CensoredNormal:
    """a = clamp(x, low, high), x ~ N(μ, σ²), μ = centre + scale tanh h; parameters h, ln σ.

    The law of a is N's density inside the box and, on its edges, the mass of N beyond them.
    """

    parameters = 2

    def __init__(self, box: ActionBox, clip_stddev: Tensor) -> None:
        self._box = DoubleBox.of(box)
        self._bounds = log_stddev_bounds(clip_stddev.double())

    def draw(self, parameters: Sequence[Tensor], noise: Noise) -> Tensor:
        """The x of this family is the action: what is beyond the edge has no part in the law."""
        mean, log_stddev = self.centre(parameters), parameters[1].clamp(*self._bounds)
        x = mean + log_stddev.exp() * noise.normal(mean.shape[1], mean.shape[2])
        return x.clamp(self._box.low, self._box.high)

    def log_density(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        mean, log_stddev = self.centre(parameters), parameters[1].clamp(*self._bounds)
        below, above = self._log_masses(mean, log_stddev)
        inside = normal_log_density((x - mean) * torch.exp(-log_stddev), log_stddev)
        upper = torch.where(x >= self._box.high, above, inside)
        return torch.where(x <= self._box.low, below, upper)

    def centre(self, parameters: Sequence[Tensor]) -> Tensor:
        return self._box.centre + self._box.scale * parameters[0].tanh()

    def action(self, x: Tensor) -> Tensor:
        return x

    def latent(self, action: Tensor) -> Tensor:
        return action

    def edges(self, parameters: Sequence[Tensor]) -> Edges | None:
        mean, log_stddev = self.centre(parameters), parameters[1].clamp(*self._bounds)
        low, high = (
            normal_log_density((edge - mean) * torch.exp(-log_stddev), log_stddev)
            for edge in (self._box.low, self._box.high)
        )
        return Edges((low, high), self._log_masses(mean, log_stddev))

    def relative_entropy(self, one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
        """KL(p ‖ q) of each dimension: of the densities inside the box, by p's moments there, and
        of the masses on its edges."""
        (mean, log_stddev), (other_mean, other_log_stddev) = self._of(one), self._of(other)
        inverse = torch.exp(-log_stddev)
        low, high = (self._box.low - mean) * inverse, (self._box.high - mean) * inverse
        # E[1], E[z] and E[z²] of p's z inside; there q's z is shift + ratio z
        at_low, at_high = (torch.exp(-z * z / 2 - LOG_SQRT_2PI) for z in (low, high))
        mass = _mass_between(low, high)
        first, second = at_low - at_high, mass + low * at_low - high * at_high
        ratio = torch.exp(log_stddev - other_log_stddev)
        shift = (mean - other_mean) * torch.exp(-other_log_stddev)
        other_second = shift * shift * mass + 2 * shift * ratio * first + ratio * ratio * second
        total = (other_log_stddev - log_stddev) * mass + (other_second - second) / 2
        masses = self._log_masses(mean, log_stddev)
        others = self._log_masses(other_mean, other_log_stddev)
        for log_mass, other_log_mass in zip(masses, others, strict=True):
            total = total + log_mass.exp() * (log_mass - other_log_mass)
        return total

    def chernoff(self, one: Sequence[Tensor], other: Sequence[Tensor], share: float) -> Tensor:
        """C = -ln ∫ p^λ q^(1-λ) of each dimension, masses on the edges included; λ is `share`.

        Inside, the product is e^-C' N(m, s²) with C' = ½ ln(v / (σ_p^2(1-λ) σ_q^2λ)) + λ (1-λ)
        (μ_p - μ_q)² / 2v, v = (1-λ) σ_p² + λ σ_q², s = σ_p σ_q / √v.
        """
        (mean, log_stddev), (other_mean, other_log_stddev) = self._of(one), self._of(other)
        rest = 1 - share
        variance, other_variance = torch.exp(2 * log_stddev), torch.exp(2 * other_log_stddev)
        v = rest * variance + share * other_variance
        centre = (share * mean * other_variance + rest * other_mean * variance) / v
        inverse = torch.sqrt(v) * torch.exp(-log_stddev - other_log_stddev)
        distance = mean - other_mean
        log_total = rest * log_stddev + share * other_log_stddev - torch.log(v) / 2
        log_total = log_total - share * rest * distance * distance / (2 * v)
        low, high = (self._box.low - centre) * inverse, (self._box.high - centre) * inverse
        total = log_total.exp() * _mass_between(low, high)
        masses = self._log_masses(mean, log_stddev)
        others = self._log_masses(other_mean, other_log_stddev)
        for log_mass, other_log_mass in zip(masses, others, strict=True):
            total = total + torch.exp(share * log_mass + rest * other_log_mass)
        return -torch.log(total)

    def _of(self, parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """μ and ln σ."""
        return self.centre(parameters), parameters[1].clamp(*self._bounds)

    def _log_masses(self, mean: Tensor, log_stddev: Tensor) -> tuple[Tensor, Tensor]:
        inverse = torch.exp(-log_stddev)
        below = torch.special.log_ndtr((self._box.low - mean) * inverse)
        return below, torch.special.log_ndtr((mean - self._box.high) * inverse)
