"""Which of two arithmetics the networks, Adam, the critics, replay and the squashed Gaussian use.

On the processor they run compiled loops over members; elsewhere each line is an operation of torch
on all members at once. The equations are the same, the results equal up to rounding.
"""

from __future__ import annotations

import torch


def is_compiled(device: torch.device | str) -> bool:
    """Whether what lives there is computed by compiled loops; asked once, at construction."""
    return torch.device(device).type == "cpu"
