"""The most recent decisions: what was seen, what planning advised, and what came of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Batch(NamedTuple):
    """observations [B, ...], policies [B, A], returns [B]."""

    observations: np.ndarray
    policies: NDArray[np.float32]
    returns: NDArray[np.float32]


class _Decision(NamedTuple):
    """An observation in parts, π_target [A], and the return from there on."""

    parts: tuple[np.ndarray, ...]
    policy: NDArray[np.float32]
    ret: float


class Replay:
    """First in, first out; memory is taken as it is written.

    What decisions share is kept once: frames of stacks, and observations that are one array
    (grid worlds draw each state once).

    Args:
        stacked: the first axis of an observation is a stack of frames, of which the next one
            shares all but the first.
    """

    def __init__(self, capacity: int, *, stacked: bool = False) -> None:
        self.capacity = capacity
        self._stacked = stacked
        self._decisions: list[_Decision] = []
        self._next = 0  # where the oldest is, once it is full
        self._last: tuple[np.ndarray, ...] = ()

    def __len__(self) -> int:
        return len(self._decisions)

    def add(self, observation: Any, policy: NDArray[np.float64], ret: float) -> None:
        """Keeps a decision, and forgets the oldest one when it is full."""
        decision = _Decision(self._parts(observation), policy.astype(np.float32), ret)
        if len(self._decisions) < self.capacity:
            self._decisions.append(decision)
            return
        self._decisions[self._next] = decision
        self._next = (self._next + 1) % self.capacity

    def _parts(self, observation: Any) -> tuple[np.ndarray, ...]:
        observation = np.asarray(observation)
        if not self._stacked:
            return (observation,)
        known = dict(enumerate(self._last[1:]))
        self._last = tuple(
            known[i] if i in known and np.array_equal(frame, known[i]) else frame.copy()
            for i, frame in enumerate(observation)
        )
        return self._last

    def sample(self, size: int, rng: np.random.Generator) -> Batch:
        """Uniformly, without replacement.

        Raises:
            ValueError: there are fewer.
        """
        chosen = [self._decisions[i] for i in rng.choice(len(self._decisions), size, replace=False)]
        if self._stacked:
            observations = np.stack([np.stack(decision.parts) for decision in chosen])
        else:
            observations = np.stack([decision.parts[0] for decision in chosen])
        return Batch(
            observations,
            np.stack([decision.policy for decision in chosen]),
            np.array([decision.ret for decision in chosen], np.float32),
        )

    def state_dict(self) -> dict[str, Any]:
        return {"decisions": list(self._decisions), "next": self._next, "last": self._last}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._decisions, self._next = list(state["decisions"]), state["next"]
        self._last = state["last"]
