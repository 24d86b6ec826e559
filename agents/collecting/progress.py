"""How far collecting is: a bar on a terminal, a plain line a minute elsewhere."""

from __future__ import annotations

import sys
import time

from agents.progress import BAR_SECONDS, LINE_SECONDS, Bar, duration

_FIRST_LINE_SECONDS = 5.0


class Progress(Bar):
    """Shows rollouts done, frames a second and the time left. Use as a context manager.

    Args:
        action_repeat: frames of a step.
    """

    def __init__(self, label: str, action_repeat: int = 1) -> None:
        super().__init__(label, "frames")
        self._repeat = action_repeat
        self._started = time.monotonic()
        self._next = 0.0 if sys.stderr.isatty() else self._started + _FIRST_LINE_SECONDS
        self._last = (0, 0, 0)

    def show(self, rollouts: int, total: int, steps: int) -> None:
        """See `agents.collecting.collection.Watcher`."""
        self._last = (rollouts, total, steps)
        now = time.monotonic()
        if now < self._next:
            return
        if self.is_drawn:
            self._next = now + BAR_SECONDS
            self.move(rollouts, total, self.frames_per_second)
            return
        self._next = now + LINE_SECONDS
        seconds = now - self._started
        left = seconds / rollouts * (total - rollouts) if rollouts else float("inf")
        self.say(
            f"{rollouts:,}/{total:,} rollouts, {steps * self._repeat:,} frames, "
            f"{self.frames_per_second:,.0f} frames/s, {duration(left)} left"
        )

    @property
    def frames_per_second(self) -> float:
        """Since it began."""
        return self._last[2] * self._repeat / max(time.monotonic() - self._started, 1e-9)
