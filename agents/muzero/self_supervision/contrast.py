"""Which of several is one's own: cross-entropies of scores between N things and N others."""

from __future__ import annotations

import torch
from torch import Tensor


def comparable(rows: Tensor, *, within_sequences: bool) -> Tensor:
    """[N, N] where i is told from j: itself, and what it is not.

    Never is it told from another copy of the same observation, nor from what was not seen.

    Args:
        rows: [K + 1, B] which observations these are; -1: none. N = (K + 1) B.
        within_sequences: whether it is told from others of its own sequence too.
    """
    each = rows.reshape(-1)
    known = each >= 0
    told = known[:, None] & known & (each[:, None] != each)
    if not within_sequences:
        sequence = torch.arange(rows.shape[1], device=rows.device).repeat(len(rows))
        told &= sequence[:, None] != sequence
    return told | torch.eye(len(each), dtype=torch.bool, device=rows.device)


def cross_entropies(scores: Tensor, compared: Tensor) -> tuple[Tensor, Tensor]:
    """-ln softmax_j(scores_ij) at j = i, and the same of scores_ji, each [..., N].

    Args:
        scores: [..., N, N].
        compared: [N, N] which of them there are.
    """
    masked = scores.float().masked_fill(~compared, -torch.inf)
    own = masked.diagonal(dim1=-2, dim2=-1)
    return masked.logsumexp(-1) - own, masked.logsumexp(-2) - own
