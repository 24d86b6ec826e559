"""What a person sees while runs go on this machine: a live table, or plain lines in a file."""

from __future__ import annotations

import sys
import time
from collections import Counter
from types import TracebackType
from typing import Any

from experiment.scheduling.events import (
    FAILURES,
    FINISHED,
    Ended,
    Ending,
    Left,
    Progressed,
    Started,
)
from experiment.scheduling.pool import label_of
from experiment.scheduling.submission import Submission

_LINE_SECONDS = 60.0


class Table:
    """The runs of a submission as they go. Use as a context manager.

    Attributes:
        endings: how many runs have ended how.
    """

    def __init__(self, sent: Submission) -> None:
        self._total = sum(len(sent.indices(task)) for task in range(len(sent.tasks)))
        self._sent = sent
        self._slots = max(chunk.slots for chunk in sent.chunks)
        self.endings: Counter[Ending] = Counter()
        self._running: dict[int, tuple[Progressed, float]] = {}
        self._ended_seconds: list[float] = []
        self._started = time.monotonic()
        self._next_line = self._started + _LINE_SECONDS
        self._live: Any = None

    def __enter__(self) -> Table:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                console=Console(stderr=True), get_renderable=self._render, refresh_per_second=4
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
        else:
            self._say(self.summary())

    def saw(self, event: Started | Ended | Left | Progressed) -> None:
        """Something happened."""
        if isinstance(event, Progressed):
            self._progressed(event)
        elif isinstance(event, Ended):
            self._ended(event)
        elif isinstance(event, Left) and event.why != FINISHED:
            self._say(
                f"stopped ({event.why}); {event.unfinished} unfinished, run it again to go on"
            )
        if self._live is None and time.monotonic() >= self._next_line:
            self._next_line += _LINE_SECONDS
            self._say(self.summary())

    def _progressed(self, event: Progressed) -> None:
        known = self._running.get(event.slot)
        same = known is not None and known[0].indices == event.indices
        began = known[1] if same and known is not None else time.monotonic()
        self._running[event.slot] = event, began

    def _ended(self, event: Ended) -> None:
        for slot, (progress, _) in list(self._running.items()):
            if progress.indices == event.indices:
                del self._running[slot]
        if not event.again:
            self.endings[event.ended] += len(event.indices)
        if event.ended == "done":
            self._ended_seconds.append(event.wall / len(event.indices))
        elif event.ended in FAILURES:
            why = f": {event.error}" if event.error else ""
            then = "; started again" if event.again else ""
            self._say(f"{label_of(event.indices)}: {event.ended}{why}{then}")

    # -- the picture

    def summary(self) -> str:
        """A line."""
        failed = sum(count for ending, count in self.endings.items() if ending in FAILURES)
        running = sum(len(progress.indices) for progress, _ in self._running.values())
        return (
            f"{self.endings['done']:,} of {self._total:,} runs done, {running:,} running, "
            f"{failed:,} failed, {clock(self._left())} left"
        )

    def _left(self) -> float | None:
        """Seconds, by the runs that have ended; else by how far those in hand are."""
        remaining = self._total - sum(self.endings.values())
        if self._ended_seconds:
            each = sum(self._ended_seconds) / len(self._ended_seconds)
            done = sum(_share(progress) for progress, _ in self._running.values())
            return max(0.0, remaining - done) * each / min(self._slots, max(remaining, 1))
        elapsed = time.monotonic() - self._started
        done = sum(_share(progress) for progress, _ in self._running.values())
        return elapsed * (remaining - done) / done if done > 0 else None

    def _render(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table as Columns
        from rich.text import Text

        columns = Columns(box=None, pad_edge=False)
        for title in ("run", "", "timestep", "steps/s", "left"):
            columns.add_column(title, justify="left" if title in ("run", "") else "right")
        for slot in sorted(self._running):
            progress, began = self._running[slot]
            elapsed = time.monotonic() - began
            done = progress.timestep - progress.start
            rate = done * len(progress.indices) / elapsed if elapsed > 0 else 0.0
            left = elapsed * (progress.total - progress.timestep) / done if done > 0 else None
            columns.add_row(
                label_of(progress.indices),
                ProgressBar(total=max(progress.total, 1), completed=progress.timestep, width=24),
                f"{progress.timestep:,}",
                f"{rate:,.0f}" if rate else "",
                clock(left) if left is not None else "",
            )
        return Group(Text(self.summary(), style="bold"), columns)

    def _say(self, text: str) -> None:
        if self._live is not None:
            self._live.console.print(text, highlight=False, markup=False)
        else:
            print(f"{self._sent.name}: {text}", file=sys.stderr, flush=True)


def _share(progress: Progressed) -> float:
    """Of the runs of a group that is done, counted in runs."""
    return len(progress.indices) * progress.timestep / progress.total if progress.total else 0.0


def clock(seconds: float | None) -> str:
    """ "1:02:03", "2 d 3 h", or that it is not known."""
    if seconds is None:
        return "unknown time"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours}:{minute:02}:{second:02}"
