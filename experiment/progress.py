"""What a person sees while a run trains: a bar on a terminal, a plain line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import ClassVar, Self

from agents.progress import BAR_SECONDS, LINE_SECONDS, Bar, duration

_REPORT_SECONDS = 1.0


class Progress(Bar):
    """Shows timesteps done, steps per second and the time left. Use as a context manager.

    Attributes:
        reporter: is told (start, timestep, total) more often than lines are printed, where
            another process shows how far this one is.
    """

    reporter: ClassVar[Callable[[int, int, int], None] | None] = None

    def __init__(self, label: str, total: int, start: int) -> None:
        super().__init__(label, "steps", total, start)
        self.total = total
        self.interval = BAR_SECONDS if sys.stderr.isatty() else LINE_SECONDS
        self._start, self._started = start, time.monotonic()
        self._next_line = 0.0
        if Progress.reporter is not None:
            self.interval, self._next_line = _REPORT_SECONDS, self._started + LINE_SECONDS

    def __enter__(self) -> Self:
        if Progress.reporter is None:
            return super().__enter__()
        Progress.reporter(self._start, self._start, self.total)
        return self

    def show(self, timestep: int) -> None:
        """Call about every `interval` seconds."""
        rate = (timestep - self._start) / max(time.monotonic() - self._started, 1e-9)
        if self.is_drawn:
            self.move(timestep, self.total, rate)
            return
        if Progress.reporter is not None:
            Progress.reporter(self._start, timestep, self.total)
            if time.monotonic() < self._next_line:
                return
            self._next_line += LINE_SECONDS
        left = (self.total - timestep) / rate if rate > 0 else float("inf")
        self.say(
            f"{timestep:,}/{self.total:,} steps ({timestep / self.total:.0%}), "
            f"{rate:,.0f} steps/s, {duration(left)} left"
        )

    def ends_at(self, timestep: int) -> None:
        """Whoever else shows it learns where training ends, which no line need say."""
        if Progress.reporter is not None:
            Progress.reporter(self._start, timestep, self.total)
