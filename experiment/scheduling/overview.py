"""How experiments stand, by sweep: counts, speed, when it ends, and what goes wrong most."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from experiment.scheduling import events, report
from experiment.scheduling.events import Ended
from experiment.scheduling.ranges import brief
from experiment.scheduling.sweep import Sweep
from experiment.scheduling.table import clock

#: Speed is that of so many seconds.
_WINDOW = 3600.0
_LOG_LINES = 20


class Error(msgspec.Struct, frozen=True):
    """Runs that ended the same way.

    Attributes:
        indices: as ranges, shortened.
        example: one of them.
        log: the end of that one's.
    """

    what: str
    error: str
    runs: int
    indices: str
    example: int
    log: list[str]


class Standing(msgspec.Struct, frozen=True):
    """How one experiment stands.

    Attributes:
        diverged: of those that are done.
        missing: those that nobody has in hand and that did not fail.
        steps_per_second: of all its jobs in the last hour; None if nothing runs, or has ended yet.
        seconds_left: at that speed, until all is done.
        damaged: of the missing, those with a record that is none.
        errors: of the missing and the failed, the commonest first.
        notes: these and other things for a person to read, line by line.
    """

    folder: str
    runs: int
    done: int
    diverged: int
    running: int
    queued: int
    failed: int
    missing: int
    steps_per_second: float | None
    seconds_left: float | None
    damaged: int
    errors: list[Error]
    notes: list[str]


def standing_of(sweep: Sweep) -> Standing:
    """Of a sweep that was looked at."""
    counts = report.counts(sweep)
    speed, finished_per_second = _speed(sweep)
    left = counts["runs"] - counts["done"] - counts["failed"]
    under_way = counts["running"] > 0
    return Standing(
        folder=str(sweep.folder.path),
        diverged=sweep.diverged,
        steps_per_second=speed if under_way else None,
        seconds_left=left / finished_per_second if under_way and finished_per_second else None,
        damaged=sweep.torn,
        errors=[_error(one) for one in report.troubles(sweep)],
        notes=list(report.details(sweep)),
        **counts,
    )


def _error(one: report.Trouble) -> Error:
    log = one.log[-_LOG_LINES:]
    return Error(one.kind, one.error, len(one.indices), brief(one.indices), one.indices[0], log)


def _speed(sweep: Sweep) -> tuple[float | None, float | None]:
    """(environment steps, finished runs) a second in the last hour, by what jobs have written."""
    now = time.time()
    steps, finished, since = 0.0, 0.0, now
    for one in sweep.submissions:
        for path in map(one.events_path, range(len(one.tasks))):
            if not events.written_since(path, now - _WINDOW):
                continue
            for event in events.read(path):
                if isinstance(event, Ended) and now - _WINDOW < event.time <= now:
                    start = max(event.time - event.wall, now - _WINDOW)
                    share = (event.time - start) / event.wall if event.wall > 0 else 1.0
                    steps += share * event.timesteps
                    finished += share * len(event.indices) * (event.ended == "done")
                    since = min(since, start)
    span = now - since
    return (steps / span, finished / span) if span > 0 else (None, None)


def lines(standings: Sequence[Standing]) -> Iterator[str]:
    """As plain text."""
    for one in standings:
        counts = {name: getattr(one, name) for name in COUNTS if name != "diverged"}
        numbers = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        yield f"{one.folder}: {numbers}"
        yield from details(one)


#: Columns of numbers, in order.
COUNTS = ("runs", "done", "diverged", "running", "queued", "failed", "missing")


def details(one: Standing) -> Iterator[str]:
    """Below the numbers: speed, and what went wrong."""
    if one.diverged:
        yield f"  {one.diverged:,} of the done diverged"
    if one.steps_per_second is not None:
        yield f"  {one.steps_per_second:,.0f} steps/s, {clock(one.seconds_left)} left"
    yield from one.notes


def table(standings: Sequence[Standing]) -> Any:
    """The numbers for a terminal."""
    from rich.table import Table

    found = Table(box=None, pad_edge=False)
    found.add_column("experiment")
    for title in (*COUNTS, "steps/s", "left"):
        found.add_column(title, justify="right")
    for one in standings:
        speed = "" if one.steps_per_second is None else f"{one.steps_per_second:,.0f}"
        left = "" if one.seconds_left is None else clock(one.seconds_left)
        numbers = (f"{getattr(one, name):,}" for name in COUNTS)
        found.add_row(Path(one.folder).name, *numbers, speed, left)
    return found
