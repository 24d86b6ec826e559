"""What a person sees while a run trains: a bar on a terminal, a plain line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

_BAR_SECONDS = 0.2
_LINE_SECONDS = 60.0


class Progress:
    """Shows timesteps done, steps per second and the time left. Use as a context manager."""

    def __init__(self, label: str, total: int, start: int) -> None:
        self.label, self.total = label, total
        self.interval = _BAR_SECONDS if sys.stderr.isatty() else _LINE_SECONDS
        self._start, self._started = start, time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
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
        left = (self.total - timestep) / rate if rate > 0 else float("inf")
        self.say(
            f"{timestep:,}/{self.total:,} steps ({timestep / self.total:.0%}), "
            f"{rate:,.0f} steps/s, {_duration(left)} left"
        )

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
