"""The loss of a policy over sampled actions, as `agents.muzero.sampled.loss`, in torch."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from agents.search.sampling import MEAN_BOUND, Sampling


def cross_entropy(outputs: Tensor, policies: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """[rows] -Σ_k w_k ln N(u_k; μ, σ²), and the Gaussians' entropies [rows].

    Args:
        outputs: [rows, 2 D].
        policies: [rows, K (1 + D)], see `agents.muzero.sampled.box`.
    """
    K, D = sampling.samples, sampling.dimensions
    mean = MEAN_BOUND * torch.tanh(outputs[:, :D] / MEAN_BOUND)
    std = sampling.low + (sampling.high - sampling.low) * outputs[:, D:].sigmoid()
    shares, samples = policies[:, :K], policies[:, K:].reshape(-1, K, D)
    spread = std[:, None].expand_as(samples).square()
    apart = functional.gaussian_nll_loss(
        mean[:, None].expand_as(samples), samples, spread, full=True, eps=0, reduction="none"
    )
    entropy = (std.log() + 0.5 * math.log(2 * math.pi * math.e)).sum(1)
    return (shares * apart.sum(-1)).sum(1), entropy
