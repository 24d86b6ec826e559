"""Episodes are played ahead of the count: what was played, counted step by step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.base import Episode


class Entry(NamedTuple):
    """An episode: its rewards [T], and how it ended; `cut` short of any end it is not reported."""

    rewards: NDArray[np.floating[Any]]
    terminated: bool
    cut: bool = False


class Ledger:
    """Counts timesteps of episodes in the order in which they were entered.

    Attributes:
        timestep, reward_sum: of all that is counted.
    """

    def __init__(self, report: Callable[[Episode], None]) -> None:
        self.timestep, self.reward_sum = 0, 0.0
        self._report = report
        self._entries: deque[Entry] = deque()
        self._position = 0  # in the first of them

    @property
    def empty(self) -> bool:
        """Whether everything is counted."""
        return not self._entries

    def enter(self, entries: list[Entry]) -> None:
        """To be counted after what is there."""
        self._entries.extend(entry for entry in entries if len(entry.rewards))

    def count(self, until: int) -> None:
        """Counts up to that timestep, or what there is."""
        while self._entries and self.timestep < until:
            entry = self._entries[0]
            end = min(len(entry.rewards), self._position + until - self.timestep)
            self.reward_sum += float(entry.rewards[self._position : end].sum(dtype=np.float64))
            self.timestep += end - self._position
            self._position = end
            if end == len(entry.rewards):
                self._entries.popleft()
                self._position = 0
                if not entry.cut:
                    total = float(entry.rewards.sum(dtype=np.float64))
                    self._report(Episode(self.timestep, total, end, entry.terminated))

    def skip(self, until: int) -> None:
        """Timesteps up to there pass without steps."""
        self.timestep = max(self.timestep, until)

    def state_dict(self) -> dict[str, Any]:
        """Everything."""
        counters = (self.timestep, self.reward_sum, self._position)
        return {"entries": [tuple(entry) for entry in self._entries], "counters": counters}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where `state_dict` was taken."""
        self._entries = deque(Entry(*entry) for entry in state["entries"])
        self.timestep, self.reward_sum, self._position = state["counters"]
