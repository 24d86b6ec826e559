"""Scalars as distributions over a support, as `agents.search.scalars`, in torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agents.search.scalars import EPSILON, Support


def compress(x: Tensor) -> Tensor:
    """h."""
    return x * (1 / ((x.abs() + 1).sqrt() + 1) + EPSILON)


def expand(y: Tensor) -> Tensor:
    """h⁻¹."""
    root = (1 + 4 * EPSILON * (y.abs() + 1 + EPSILON)).sqrt()
    u = 2 * y / (root + 1 + 2 * EPSILON)
    return u * (u.abs() + 2)


def two_hot(x: Tensor, support: Support) -> Tensor:
    """[..., bins] of scalars [...]."""
    y = compress(x) if support.compressed else x
    step = (support.high - support.low) / (support.bins - 1)
    place = (y.clamp(support.low, support.high) - support.low) / step
    below = place.floor().clamp(max=support.bins - 2)
    share = (place - below).unsqueeze(-1)
    index = below.long().unsqueeze(-1)
    hot = x.new_zeros(*x.shape, support.bins)
    return hot.scatter_(-1, index, 1 - share).scatter_(-1, index + 1, share)


def decode(logits: Tensor, support: Support) -> Tensor:
    """The scalars [...] that softmax(logits [..., bins]) stands for."""
    atoms = torch.linspace(support.low, support.high, support.bins).to(logits)
    mean = (logits.softmax(-1) * atoms).sum(-1)  # a product of matrices might be in bfloat16
    return expand(mean) if support.compressed else mean


class ScaledGradient(torch.autograd.Function):
    """The identity, its gradient multiplied by a number."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.scale, None


def scaled_gradient(x: Tensor, scale: float) -> Tensor:
    """x, whose gradient will be multiplied by `scale`."""
    y: Tensor = ScaledGradient.apply(x, scale)  # type: ignore[no-untyped-call]
    return y
