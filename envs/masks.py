"""Which actions are allowed, where an environment says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mask_of(info: dict[str, Any]) -> NDArray[np.bool_] | None:
    """The actions that are allowed, bool [A], where an environment says it as Gymnasium's do."""
    mask = info.get("action_mask")
    return None if mask is None else np.asarray(mask, dtype=bool)


def stacked(masks: Sequence[NDArray[np.bool_] | None]) -> NDArray[np.bool_] | None:
    """bool [B, A] of masks [A]; None where one is None."""
    known = [mask for mask in masks if mask is not None]
    return np.stack(known) if known and len(known) == len(masks) else None
