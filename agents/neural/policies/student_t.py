"""Student's t: a Gaussian's place and width with heavier tails."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from agents.neural.policies.base import ActionBox, Noise
from agents.neural.policies.elementary import softplus
from agents.neural.policies.families import DoubleBox, Edges, as_array, as_tensor


class _GammaDraw(torch.autograd.Function):
    """g ~ Gamma(α, 1), with dg/dα = -(∂F/∂α) / p(g)."""

    @staticmethod
    def forward(ctx: Any, alpha: Tensor, g: Tensor) -> Tensor:
        ctx.save_for_backward(alpha, g)
        return g.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * torch._standard_gamma_grad(*ctx.saved_tensors), None


class StudentT:
    """a = clamp(x, low, high), x = loc + s T_ν; parameters of ν = softplus + 1.0001, loc, ln s.

    loc = centre + scale tanh h, ln s in [-14, ln scale]: scale is `high` of a symmetric box. The
    density is that of x: `Independent.scored` knows it, also of draws that the clamp moved.
    """

    parameters = 3

    def __init__(self, box: ActionBox) -> None:
        self._box = DoubleBox.of(box)
        self._lowest = torch.full_like(self._box.scale, -14.0)

    def draw(self, parameters: Sequence[Tensor], noise: Noise) -> Tensor:
        freedom, loc, log_scale = self._parameters(parameters)
        halves = zip(noise.generators, as_array(freedom / 2), strict=True)
        gamma = as_tensor([generator.standard_gamma(half) for generator, half in halves], freedom)
        # T = Z √(ν / χ²), χ² = 2 Γ(ν/2)
        g: Tensor = _GammaDraw.apply(freedom / 2, gamma)  # type: ignore[no-untyped-call]
        t = noise.normal(loc.shape[1], loc.shape[2]) * torch.sqrt(freedom / (2 * g))
        return loc + log_scale.exp() * t

    def log_density(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        freedom, loc, log_scale = self._parameters(parameters)
        t = (x - loc) * torch.exp(-log_scale)
        log_normaliser = (
            torch.lgamma(freedom / 2)
            - torch.lgamma((freedom + 1) / 2)
            + torch.log(freedom * math.pi) / 2
        )
        return -(freedom + 1) / 2 * torch.log1p(t * t / freedom) - log_normaliser - log_scale

    def centre(self, parameters: Sequence[Tensor]) -> Tensor:
        return self._parameters(parameters)[1]

    def action(self, x: Tensor) -> Tensor:
        return x.clamp(self._box.low, self._box.high)

    def latent(self, action: Tensor) -> Tensor:
        return action

    def edges(self, parameters: Sequence[Tensor]) -> Edges | None:
        return None

    def _parameters(self, parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        h_freedom, h_loc, raw = parameters
        loc = self._box.centre + self._box.scale * h_loc.tanh()
        return softplus(h_freedom) + 1.0001, loc, raw.clamp(self._lowest, self._box.scale.log())
