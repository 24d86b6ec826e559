"""Experience replay of members that step together.

A transition is one row, laid out so that a batch is a single gather and begins with a critic's
input:   s | a | s' | r | c   with c = 0 where the step terminated, else 1 (a truncated one goes
on). States that are bytes are kept by `Frames`, and the rows are   a | r | c.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

from agents.neural import arithmetic
from agents.neural.frames import Frames


class Batch(NamedTuple):
    """B transitions of each member; overwritten by the next batch."""

    states: Tensor  # [M, B, I]
    actions: Tensor  # [M, B, A]
    rewards: Tensor  # [M, B]
    next_states: Tensor  # [M, B, I]
    continues: Tensor  # [M, B], c


_INDEX_BLOCK = 256  # batches whose indices are drawn at once


class Replay:
    """The last `capacity` transitions of each member, sampled with replacement.

    Attributes:
        size: transitions held, of each member.
    """

    def __init__(
        self,
        capacity: int,
        state_width: int,
        action_width: int,
        batch_size: int,
        generators: Sequence[np.random.Generator],
        *,
        byte_scale: int | None = None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """`byte_scale`: where states are bytes, what they are divided by in use."""
        self.capacity, self._batch_size = capacity, batch_size
        self._state_width, self._action_width = state_width, action_width
        self._generators = list(generators)
        self._device = device
        M = len(self._generators)
        row_states = state_width if byte_scale is None else 0
        width = 2 * row_states + action_width + 2
        # zeros take no memory before they are written
        self._rows = torch.zeros(M, capacity, width, dtype=dtype, device=device)
        self._frames = None if byte_scale is None else Frames(M, capacity, state_width, device)
        self._staging = np.zeros((M, width), dtype=np.float64 if dtype == torch.float64 else "f4")
        self._staged = torch.from_numpy(self._staging)
        self._next = 0
        self.size = 0

        self._first_rows = np.arange(M)[:, None] * capacity
        self._drawn = np.zeros((_INDEX_BLOCK, M, batch_size))
        self._used = _INDEX_BLOCK
        self._gathered = self._rows.new_empty(M, batch_size, width)
        self._flat_rows = self._rows.view(-1, width)
        self._flat_gathered = self._gathered.view(-1, width)
        self._batch = self._batch_views(self._gathered, row_states)
        self._byte_scale = byte_scale or 1
        self._arrays: Any = None  # rows and batch for compiled arithmetic, which knows no frames
        if arithmetic.is_compiled(device) and self._frames is None:
            self._arrays = self._rows.numpy(), self._gathered.numpy()
        if self._frames is not None:
            self._bytes = self._rows.new_empty(M, 2, batch_size, state_width, dtype=torch.uint8)
            both = self._floats = torch.empty_like(self._bytes, dtype=dtype)
            self._batch = self._batch._replace(states=both[:, 0], next_states=both[:, 1])

    def add(
        self,
        observations: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        next_observations: np.ndarray,
        terminated: np.ndarray,
    ) -> None:
        """One transition of each member: [M, I], [M, A], [M], [M, I], [M]."""
        if self._arrays is not None:
            rows: np.ndarray = self._arrays[0]
            _put(rows, self._next, observations, actions, rewards, next_observations, terminated)
        else:
            self._stage(observations, actions, rewards, next_observations, terminated)
            self._rows[:, self._next].copy_(self._staged)
        self._next = (self._next + 1) % self.capacity
        self.size = min(self.size + 1, self.capacity)

    def _stage(
        self,
        observations: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        next_observations: np.ndarray,
        terminated: np.ndarray,
    ) -> None:
        """Lays a transition out as a row; frames go where they belong."""
        row, A = self._staging, self._action_width
        I = 0 if self._frames is not None else self._state_width  # noqa: E741
        if self._frames is None:
            row[:, :I] = observations
            row[:, I + A : I + A + I] = next_observations
        else:
            self._frames.put(self._next, observations, next_observations)
        row[:, I : I + A] = actions
        row[:, -2] = rewards
        row[:, -1] = 1 - terminated.astype(np.float32)

    def sample(self) -> Batch:
        """A batch of every member, from its own stream."""
        if self._used == _INDEX_BLOCK:
            for member, generator in enumerate(self._generators):
                self._drawn[:, member] = generator.random((_INDEX_BLOCK, self._batch_size))
            self._used = 0
        drawn = self._drawn[self._used]
        self._used += 1
        if self._arrays is not None:
            _gather(drawn, self.size, *self._arrays)
            return self._batch
        places = (drawn * self.size).astype(np.int64)
        if self._frames is not None:
            self._frames.gather(places, self._bytes)
            self._floats.copy_(self._bytes)
            if self._byte_scale != 1:
                self._floats.div_(self._byte_scale)
        places += self._first_rows
        index = torch.from_numpy(places.reshape(-1)).to(self._device)
        torch.index_select(self._flat_rows, 0, index, out=self._flat_gathered)
        return self._batch

    def _batch_views(self, gathered: Tensor, I: int) -> Batch:  # noqa: E741
        A = self._action_width
        return Batch(
            states=gathered[..., :I],
            actions=gathered[..., I : I + A],
            rewards=gathered[..., -2],
            next_states=gathered[..., I + A : I + A + I],
            continues=gathered[..., -1],
        )

    def state_dict(self, member: int) -> dict[str, Any]:
        """A member's transitions and stream."""
        state: dict[str, Any] = {
            "rows": self._rows[member, : self.size].cpu().numpy().copy(),
            "next": self._next,
            "generator": self._generators[member].bit_generator.state,
            "drawn": self._drawn[self._used :, member].copy(),
        }
        if self._frames is not None:
            state["frames"] = self._frames.state_dict(member, self.size)
        return state

    def load_state_dict(self, member: int, state: dict[str, Any]) -> None:
        """Continues a member's. All members must hold equally many transitions."""
        self.size, self._next = len(state["rows"]), state["next"]
        self._rows[member, : self.size] = torch.from_numpy(state["rows"]).to(self._device)
        if self._frames is not None:
            self._frames.load_state_dict(member, state["frames"])
        self._generators[member].bit_generator.state = state["generator"]
        self._used = _INDEX_BLOCK - len(state["drawn"])
        self._drawn[self._used :, member] = state["drawn"]


@njit(cache=True)
def _put(
    rows: np.ndarray,
    place: int,
    observations: np.ndarray,
    actions: np.ndarray,
    rewards: np.ndarray,
    next_observations: np.ndarray,
    terminated: np.ndarray,
) -> None:
    """A transition of each member into its row."""
    I, A = observations.shape[1], actions.shape[1]  # noqa: E741
    for m in range(len(rows)):
        row = rows[m, place]
        for i in range(I):
            row[i] = observations[m, i]
            row[I + A + i] = next_observations[m, i]
        for i in range(A):
            row[I + i] = actions[m, i]
        row[2 * I + A] = rewards[m]
        row[2 * I + A + 1] = 0 if terminated[m] else 1


@njit(cache=True)
def _gather(drawn: np.ndarray, size: int, rows: np.ndarray, batch: np.ndarray) -> None:
    """The rows at `drawn` [M, B] in [0, 1), of `size` that there are."""
    M, B, W = batch.shape
    for m in range(M):
        for b in range(B):
            row = rows[m, int(drawn[m, b] * size)]
            for i in range(W):
                batch[m, b, i] = row[i]
