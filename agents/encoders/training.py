"""What training loops of world models share: how they are saved, stopped and followed.

A loop that was stopped, or killed, and goes on from what it saved last ends with the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

#: Takes a line on how training gets on, for people.
Progress = Callable[[str], None]
#: Says whether to stop now; asked between updates.
Stop = Callable[[], bool]

SECONDS_BETWEEN_SAVES = 60.0


class TrainingStopped(Exception):  # noqa: N818 - nothing went wrong
    """`stop()` said so: what training needs to go on has been saved."""


class Checkpoint(Protocol):
    """Where a training loop keeps what it needs to go on.

    A state is nested dicts and lists of numbers, strings, None and tensors on the processor, as
    `torch.load(weights_only=True)` reads them.
    """

    def load(self) -> dict[str, Any] | None:
        """What was saved last; None: nothing yet."""
        ...

    def save(self, state: dict[str, Any]) -> None:
        """Keeps a state in place of the one before, the whole or nothing."""
        ...


class Kept:
    """A checkpoint in memory."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self.state = state

    def load(self) -> dict[str, Any] | None:
        return self.state

    def save(self, state: dict[str, Any]) -> None:
        self.state = state


class Saver:
    """Saves every so many seconds, and when training is to stop.

    Args:
        state: the state as it is now.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        state: Callable[[], dict[str, Any]],
        stop: Stop,
        *,
        seconds: float = SECONDS_BETWEEN_SAVES,
    ) -> None:
        self._checkpoint, self._state, self._stop = checkpoint, state, stop
        self._seconds, self._saved = seconds, time.monotonic()

    def between_updates(self) -> None:
        """To be called where the state is whole.

        Raises:
            TrainingStopped: `stop()` said so; it is saved.
        """
        stopping = self._stop()
        if stopping or time.monotonic() - self._saved > self._seconds:
            self._checkpoint.save(self._state())
            self._saved = time.monotonic()
        if stopping:
            raise TrainingStopped


class Series:
    """Metrics over training: equally long lists by name, a row each time that one looked.

    Attributes:
        rows: {name: [a number for each row]}.
    """

    def __init__(self, rows: Mapping[str, list[float]] | None = None) -> None:
        self.rows: dict[str, list[float]] = {k: list(v) for k, v in (rows or {}).items()}

    def add(self, row: Mapping[str, float]) -> None:
        """
        Raises:
            ValueError: it has other names than the rows before.
        """
        if self.rows and row.keys() != self.rows.keys():
            raise ValueError(f"a row of {sorted(row)} among those of {sorted(self.rows)}")
        for name, value in row.items():
            self.rows.setdefault(name, []).append(float(value))
