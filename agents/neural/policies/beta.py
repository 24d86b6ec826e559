"""Beta families: bounded by themselves, no mass is lost at the edges of the box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from agents.neural.policies.base import ActionBox, Noise
from agents.neural.policies.elementary import softplus
from agents.neural.policies.families import DoubleBox, Edges, as_array, as_tensor


class _BetaDraw(torch.autograd.Function):
    """x ~ Beta(α, β), with dx/dα = -(∂F/∂α) / p(x) and the same for β."""

    @staticmethod
    def forward(ctx: Any, alpha: Tensor, beta: Tensor, x: Tensor) -> Tensor:
        ctx.save_for_backward(alpha, beta, x)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        alpha, beta, x = ctx.saved_tensors
        total = alpha + beta
        # _dirichlet_grad is dx/dα / (1 - x), for the component x of a Dirichlet
        d_alpha = gradients[0] * (1 - x) * torch._dirichlet_grad(x, alpha, total)
        d_beta = -gradients[0] * x * torch._dirichlet_grad(1 - x, beta, total)
        return d_alpha, d_beta, None


class Beta:
    """a = low + (high - low) x, x ~ Beta(α, β), α and β = softplus(h) + ε, clipped.

    x keeps 10 machine epsilons from 0 and from 1. That is rounding as long as α and β are not much
    below 1; the mass that a smaller α puts nearer to 0 is taken for density at the limit.

    The action of evaluation is the mean: a mode inside the box needs α and β > 1.
    """

    parameters = 2

    def __init__(self, box: ActionBox, epsilon: Tensor, clip_min: Tensor, clip_max: Tensor) -> None:
        self._box = DoubleBox.of(box)
        self._epsilon = epsilon.double()
        self._clip = clip_min.double(), clip_max.double()
        self._limit = 10 * self._box.precision

    def draw(self, parameters: Sequence[Tensor], noise: Noise) -> Tensor:
        alpha, beta = self._shapes(parameters)
        shapes = zip(noise.generators, as_array(alpha), as_array(beta), strict=True)
        x = as_tensor([generator.beta(a, b) for generator, a, b in shapes], alpha)
        # no path at the limit, where x does not move
        path: Tensor = _BetaDraw.apply(alpha, beta, x.clamp(self._limit, 1 - self._limit))  # type: ignore[no-untyped-call]
        return torch.where((x < self._limit) | (x > 1 - self._limit), path.detach(), path)

    def log_density(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        alpha, beta = self._shapes(parameters)
        log_normaliser = torch.lgamma(alpha) + torch.lgamma(beta) - torch.lgamma(alpha + beta)
        log_x, log_rest = torch.log(x), torch.log1p(-x)
        width = (2 * self._box.scale).log()
        return (alpha - 1) * log_x + (beta - 1) * log_rest - log_normaliser - width

    def centre(self, parameters: Sequence[Tensor]) -> Tensor:
        alpha, beta = self._shapes(parameters)
        return alpha / (alpha + beta)

    def action(self, x: Tensor) -> Tensor:
        return self._box.centre + self._box.scale * (2 * x - 1)

    def latent(self, action: Tensor) -> Tensor:
        x = ((action - self._box.centre) / self._box.scale + 1) / 2
        return x.clamp(self._limit, 1 - self._limit)

    def edges(self, parameters: Sequence[Tensor]) -> Edges | None:
        return None

    def _shapes(self, parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        alpha, beta = (self._shape(h).clamp(*self._clip) for h in parameters)
        return alpha, beta

    def _shape(self, h: Tensor) -> Tensor:
        return softplus(h) + self._epsilon


class BetaV2(Beta):
    """Beta with α and β = 1 / sigmoid(h) >= 1: always unimodal."""

    def __init__(self, box: ActionBox, clip_min: Tensor, clip_max: Tensor) -> None:
        super().__init__(box, torch.zeros_like(clip_min), clip_min, clip_max)

    def _shape(self, h: Tensor) -> Tensor:
        return 1 + torch.exp(-h.clamp(min=-500.0))  # beyond, the square would be infinite
