"""The negative log-likelihood of mixtures of Gaussians, with its gradient in one go.

    l = logsumexp_k(a_k) - logsumexp_k(a_k + log N(x; μ_k, σ_k)),  π = softmax(a)
    r_k = π_k N(x; μ_k, σ_k) / Σ_j π_j N(x; μ_j, σ_j),  s_k = (x - μ_k) / σ_k
    ∂l/∂a_k = π_k - r_k,  ∂l/∂μ_k = -r_k s_k / σ_k,  ∂l/∂log σ_k = r_k (1 - s_k²)

A few rows at a time stay in the processor's cache, which is why this is not left to autograd: for
sequences of 999 steps it would move gigabytes.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

#: Standard deviations of components are at least e to this.
LEAST_LOG_STD = -7.0
_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_NUMBERS_AT_ONCE = 2**17


def mixture_nll(parameters: Tensor, target: Tensor) -> Tensor:
    """[..., D] of targets [..., D], for parameters [..., D, 3K]: logits, means, log deviations.

    Gradients reach the parameters, not the target.
    """
    flat = parameters.reshape(-1, parameters.shape[-1])
    nll: Tensor = _MixtureNLL.apply(flat, target.reshape(-1, 1))  # type: ignore[no-untyped-call]
    return nll.view(target.shape)


class _MixtureNLL(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, parameters: Tensor, target: Tensor) -> Tensor:
        wanted = ctx.needs_input_grad[0]
        nll = parameters.new_empty(len(parameters))
        gradient = torch.empty_like(parameters) if wanted else None
        # a GPU has more to gain from one pass
        rows = max(1, _NUMBERS_AT_ONCE // parameters.shape[1])
        rows = rows if parameters.device.type == "cpu" else max(1, len(parameters))
        for first in range(0, len(parameters), rows):
            part = slice(first, first + rows)
            into = None if gradient is None else gradient[part]
            nll[part] = _rows(parameters[part], target[part], into)
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return nll

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer[0].unsqueeze(1), None


def _rows(parameters: Tensor, target: Tensor, gradient: Tensor | None) -> Tensor:
    logits, means, log_stds = parameters.chunk(3, 1)
    bounded = log_stds.clamp(min=LEAST_LOG_STD)
    inverse = torch.exp(-bounded)
    scaled = (target - means).mul_(inverse)
    squares = scaled * scaled
    each = torch.sub(logits, bounded).sub_(squares, alpha=0.5)
    all_logits = logits.logsumexp(1, keepdim=True)
    all_each = each.logsumexp(1, keepdim=True)
    if gradient is not None:
        shares = each.sub_(all_each).exp_()
        to_logits, to_means, to_stds = gradient.chunk(3, 1)
        torch.sub((logits - all_logits).exp_(), shares, out=to_logits)
        torch.mul(scaled.mul_(inverse), shares, out=to_means).neg_()
        torch.mul(squares.neg_().add_(1), shares, out=to_stds)
        to_stds.masked_fill_(log_stds < LEAST_LOG_STD, 0.0)
    return (all_logits - all_each).squeeze(1) + _HALF_LOG_TWO_PI
