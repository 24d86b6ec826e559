"""Spaces, and settings of small networks, to learn from oneself with."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

INPUTS, ACTIONS, K = 5, 3, 2
VECTOR: gymnasium.Space[Any] = Box(-1, 1, (INPUTS,))
PICTURE: gymnasium.Space[Any] = Box(0, 1, (10, 10, 4), np.bool_)
STACK: gymnasium.Space[Any] = Box(0, 255, (4, 84, 84), np.uint8)
KINDS = ("nce", "moco", "curl", "spr", "simsiam")
COMMON: dict[str, Any] = {"jumps": K, "projection_dim": 6, "queue_size": 16, "hidden_size": 4}
