"""Functions whose value at a place does not depend on the length of the tensor.

torch computes sigmoid, softplus, atanh, logaddexp and the like differently in the last, partly
filled vector register: a member's bits would depend on its neighbours. exp, log, log1p and tanh
are free of that, and so is what is built from them here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Softplus(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        value = x.clamp(min=0.0) + torch.log1p(torch.exp(-x.abs()))
        ctx.save_for_backward(x, value)
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        x, value = ctx.saved_tensors
        return gradients[0] * torch.exp(x - value)


def softplus(x: Tensor) -> Tensor:
    """ln(1 + e^x); its derivative is e^x / (1 + e^x) also at 0, where max and |·| have none."""
    value: Tensor = _Softplus.apply(x)  # type: ignore[no-untyped-call]
    return value


def atanh(y: Tensor) -> Tensor:
    """½ ln((1 + y) / (1 - y))."""
    return (torch.log1p(y) - torch.log1p(-y)) / 2


def log_sum_exp(x: Tensor, dim: int) -> Tensor:
    """ln Σ e^x along `dim`, which stays with length 1."""
    highest = x.detach().amax(dim, keepdim=True)
    return highest + (x - highest).exp().sum(dim, keepdim=True).log()
