"""What matrix products and convolutions are computed in."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["float32", "bfloat16"]


def computed_in(precision: Precision, device: torch.device) -> torch.autocast:
    """A context: weights stay in float32, and gradients come back in it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
