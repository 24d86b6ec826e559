"""How far collecting is: a bar on a terminal, a plain line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

_BAR_SECONDS = 0.2
_LINE_SECONDS = 60.0
_FIRST_LINE_SECONDS = 5.0


class Progress:
    """Shows rollouts done, frames a second and the time left. Use as a context manager.

    Args:
        action_repeat: frames of a step.
    """

    def __init__(self, label: str, action_repeat: int = 1) -> None:
        self.label = label
        self._repeat = action_repeat
        self._started = time.monotonic()
        self._next = 0.0 if sys.stderr.isatty() else self._started + _FIRST_LINE_SECONDS
        self._bar: Any = None
        self._last = (0, 0, 0)

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
            TextColumn("{task.fields[rate]} frames/s"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,
        )
        self._task = self._bar.add_task(self.label, total=None, rate="-")
        self._bar.start()

    def show(self, rollouts: int, total: int, steps: int) -> None:
        """See `agents.collecting.collection.Watcher`."""
        self._last = (rollouts, total, steps)
        now = time.monotonic()
        if now < self._next:
            return
        if self._bar is not None:
            self._next = now + _BAR_SECONDS
            self._bar.update(
                self._task,
                total=total,
                completed=rollouts,
                rate=f"{self.frames_per_second:,.0f}",
                refresh=True,
            )
            return
        self._next = now + _LINE_SECONDS
        seconds = now - self._started
        left = seconds / rollouts * (total - rollouts) if rollouts else float("inf")
        self.say(
            f"{rollouts:,}/{total:,} rollouts, {steps * self._repeat:,} frames, "
            f"{self.frames_per_second:,.0f} frames/s, {_duration(left)} left"
        )

    @property
    def frames_per_second(self) -> float:
        """Since it began."""
        return self._last[2] * self._repeat / max(time.monotonic() - self._started, 1e-9)

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
