"""The states of a replay where they are bytes, each kept once.

A ring of the states of each member. The successor of a transition is the state of the next one,
unless it is not (at the end of an episode, of the newest transition): then it is kept apart.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

_BLOCK = 256  # states that are compressed together


class Frames:
    """`capacity` states [width] of each of `members`, and their successors."""

    def __init__(self, members: int, capacity: int, width: int, device: str) -> None:
        # zeros take no memory before they are written
        self._states = torch.zeros(members, capacity, width, dtype=torch.uint8, device=device)
        self._flat = self._states.view(-1, width)
        self._apart: list[dict[int, np.ndarray]] = [{} for _ in range(members)]
        self._capacity = capacity

    def put(self, place: int, states: np.ndarray, successors: np.ndarray) -> None:
        """Writes one transition of each member, [M, width] each, after the one before `place`."""
        before = (place - 1) % self._capacity
        for apart, state, successor in zip(self._apart, states, successors, strict=True):
            apart.pop(place, None)
            if before in apart and np.array_equal(apart[before], state):
                del apart[before]
            apart[place] = successor.copy()
        self._states[:, place].copy_(torch.from_numpy(states))

    def gather(self, places: np.ndarray, out: Tensor) -> None:
        """Writes states, then successors, of places [M, B] into `out`, bytes [M, 2, B, width]."""
        first = np.arange(len(places))[:, None] * self._capacity
        both = np.stack([places + first, (places + 1) % self._capacity + first], 1)
        index = torch.from_numpy(both.reshape(-1)).to(out.device)
        torch.index_select(self._flat, 0, index, out=out.view(-1, out.shape[-1]))
        for apart, row, successors in zip(self._apart, places.tolist(), out[:, 1], strict=True):
            for position, place in enumerate(row):
                if place in apart:
                    successors[position].copy_(torch.from_numpy(apart[place]))

    def state_dict(self, member: int, size: int) -> dict[str, Any]:
        """A member's first `size` places, compressed."""
        apart = self._apart[member]
        width = self._states.shape[-1]
        frames = np.stack(list(apart.values())) if apart else np.zeros((0, width), np.uint8)
        return {
            "states": _compressed(self._states[member, :size].cpu().numpy()),
            "apart": (list(apart), _compressed(frames)),
        }

    def load_state_dict(self, member: int, state: dict[str, Any]) -> None:
        """Continues a member's."""
        width = self._states.shape[-1]
        start = 0
        for block in state["states"]:
            states = torch.from_numpy(_expanded(block, width).copy())
            self._states[member, start : start + len(states)].copy_(states)
            start += len(states)
        places, blocks = state["apart"]
        frames = [frame.copy() for block in blocks for frame in _expanded(block, width)]
        self._apart[member] = dict(zip(places, frames, strict=True))


def _compressed(frames: np.ndarray) -> list[bytes]:
    """Blocks of frames: pictures are mostly repetition, and there are gigabytes of them."""
    starts = range(0, len(frames), _BLOCK)
    return [zlib.compress(frames[start : start + _BLOCK].tobytes(), 1) for start in starts]


def _expanded(block: bytes, width: int) -> np.ndarray:
    return np.frombuffer(zlib.decompress(block), dtype=np.uint8).reshape(-1, width)
