"""First weights from a seed.

Layers of torch draw their first weights from torch's own generator, and take no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Layers that are made in here begin with weights drawn from `seed`; torch's own generator is
    left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
