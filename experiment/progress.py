"""What a person sees while a run trains: a bar on a terminal, a plain line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, ClassVar

_BAR_SECONDS = 0.2
_LINE_SECONDS = 60.0
_REPORT_SECONDS = 1.0


class Progress:
    """Shows timesteps done, steps per second and the time left. Use as a context manager.

    Attributes:
        reporter: is told (start, timestep, total) more often than lines are printed, where
            another process shows how far this one is.
    """

    reporter: ClassVar[Callable[[int, int, int], None] | None] = None

    def __init__(self, label: str, total: int, start: int) -> None:
        self.label, self.total = label, total
        self.interval = _BAR_SECONDS if sys.stderr.isatty() else _LINE_SECONDS
        self._start, self._started = start, time.monotonic()
        self._next_line = 0.0
        if Progress.reporter is not None:
            self.interval, self._next_line = _REPORT_SECONDS, self._started + _LINE_SECONDS
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if Progress.reporter is not None:
            Progress.reporter(self._start, self._start, self.total)
        elif sys.stderr.isatty():
            self._open_bar()
        return self

    def _open_bar(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]} steps/s"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,
        )
        self._task = self._bar.add_task(
            self.label, total=self.total, completed=self._start, rate="-"
        )
        self._bar.start()

    def show(self, timestep: int) -> None:
        """Call about every `interval` seconds."""
        rate = (timestep - self._start) / max(time.monotonic() - self._started, 1e-9)
        if self._bar is not None:
            self._bar.update(self._task, completed=timestep, rate=f"{rate:,.0f}", refresh=True)
            return
        if Progress.reporter is not None:
            Progress.reporter(self._start, timestep, self.total)
            if time.monotonic() < self._next_line:
                return
            self._next_line += _LINE_SECONDS
        left = (self.total - timestep) / rate if rate > 0 else float("inf")
        self.say(
            f"{timestep:,}/{self.total:,} steps ({timestep / self.total:.0%}), "
            f"{rate:,.0f} steps/s, {_duration(left)} left"
        )

    def ends_at(self, timestep: int) -> None:
        """Whoever else shows it learns where training ends, which no line need say."""
        if Progress.reporter is not None:
            Progress.reporter(self._start, timestep, self.total)

    def say(self, text: str) -> None:
        """A line of its own, above the bar where there is one."""
        if self._bar is not None:
            self._bar.console.print(f"{self.label}: {text}", highlight=False, markup=False)
        else:
            print(f"{self.label}: {text}", file=sys.stderr, flush=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def _duration(seconds: float) -> str:
    if seconds == float("inf"):
        return "unknown time"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
