"""How far something is, for people: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

#: Between two looks of a bar, and between two lines.
BAR_SECONDS = 0.2
LINE_SECONDS = 60.0


class Bar:
    """Use as a context manager. On a terminal it draws a bar; elsewhere whoever uses it says lines.

    Attributes:
        label: of what it shows.

    Args:
        unit: what is done in a second, such as "steps".
        total: None: not known yet.
    """

    def __init__(self, label: str, unit: str, total: int | None = None, done: int = 0) -> None:
        self.label = label
        self._unit, self._total, self._done = unit, total, done
        self._bar: Any = None

    @property
    def is_drawn(self) -> bool:
        """Whether there is a bar, which needs no lines."""
        return self._bar is not None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._draw()
        return self

    def _draw(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(f"{{task.fields[rate]}} {self._unit}/s"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,
        )
        self._task = self._bar.add_task(
            self.label, total=self._total, completed=self._done, rate="-"
        )
        self._bar.start()

    def move(self, done: int, total: int, rate: float) -> None:
        """So much of it is done, at so many units a second; only where `is_drawn`."""
        self._bar.update(self._task, total=total, completed=done, rate=f"{rate:,.0f}", refresh=True)

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


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    if seconds == float("inf"):
        return "unknown time"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
