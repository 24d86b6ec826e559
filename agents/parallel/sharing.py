"""What ranks tell each other in the middle of an update: sums, means, and each other's rows.

Outside `sharing` a process is alone, and has all of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor, distributed


class _Sharing(NamedTuple):
    ranks: int
    rank: int
    settled: Callable[[], None]


_sharing: ContextVar[_Sharing | None] = ContextVar("sharing", default=None)


@contextmanager
def sharing(settled: Callable[[], None]) -> Iterator[None]:
    """In here, this process has one of the equal shares of a batch.

    Args:
        settled: see `agents.parallel.ranks.join`.
    """
    ranks = _Sharing(distributed.get_world_size(), distributed.get_rank(), settled)
    token = _sharing.set(ranks)
    try:
        yield
    finally:
        _sharing.reset(token)


def per_rank(count: Tensor) -> Tensor:
    """What to divide a sum over a share by, that the mean of all ranks is the sum over the whole
    batch by its count: all ranks' counts, at least 1, over the number of ranks."""
    shared = _sharing.get()
    if shared is None:
        return count.clamp(min=1)
    total = count.clone()
    distributed.all_reduce(total)
    shared.settled()
    return total.clamp(min=1) / shared.ranks


@torch.no_grad()
def gathered(rows: Tensor) -> Tensor:
    """[B, ...] of the whole batch, of a share [B / ranks, ...] without a gradient."""
    shared = _sharing.get()
    if shared is None:
        return rows
    whole = rows.new_zeros(shared.ranks, *rows.shape)
    whole[shared.rank] = rows
    distributed.all_reduce(whole)  # gloo gathers nothing that lies on a GPU
    shared.settled()
    return whole.flatten(0, 1)


@torch.no_grad()
def average(tensors: Sequence[Tensor]) -> None:
    """Replaces each by the mean of all ranks, to the same bits everywhere."""
    shared = _sharing.get()
    if shared is None:
        return
    row = torch.cat([tensor.flatten().float() for tensor in tensors])
    distributed.all_reduce(row)
    shared.settled()
    row /= shared.ranks
    means = torch.split(row, [tensor.numel() for tensor in tensors])
    for tensor, mean in zip(tensors, means, strict=True):
        tensor.copy_(mean.view_as(tensor))
