"""What was asked for beside what was used, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiment.scheduling.advice import hours
from experiment.scheduling.events import FAILURES
from experiment.scheduling.measured import Attempt, Measured
from experiment.scheduling.sizing import MIB, percentile
from experiment.scheduling.table import clock

_TITLES = ("", "asked", "median", "95 %", "largest", "of asked")


@dataclass
class Usage:
    """Of all jobs of a sweep.

    Attributes:
        core_hours: that jobs held; `idle` and `failed` of them.
        job_seconds: of every time that a job ran.
        asked_*: what the jobs asked for, smallest and largest.
        lost: times that a job went without a word.
    """

    measured: Measured
    batch: int
    core_hours: float = 0.0
    idle: float = 0.0
    failed: float = 0.0
    jobs: int = 0
    running: int = 0
    lost: int = 0
    requeues: int = 0
    job_seconds: list[float] = field(default_factory=list)
    asked_seconds: set[float] = field(default_factory=set)
    asked_memory: set[float] = field(default_factory=set)
    asked_cores: set[float] = field(default_factory=set)


def usage_of(attempts: Iterable[Attempt], measured: Measured, batch: int) -> Usage:
    """Adds the attempts up."""
    found = Usage(measured, batch)
    for attempt in attempts:
        _add(found, attempt)
    return found


def _add(found: Usage, attempt: Attempt) -> None:
    chunk = attempt.chunk
    cores = chunk.cores / chunk.slots  # of a slot
    found.jobs += attempt.last
    found.requeues += not attempt.last
    found.running += attempt.state == "running"
    found.lost += attempt.state == "lost"
    found.asked_cores.add(cores)
    if chunk.seconds is not None:
        found.asked_seconds.add(chunk.seconds)
    if chunk.memory is not None:
        found.asked_memory.add(chunk.memory * cores)
    if attempt.state == "running":  # what its slots do now is not known
        return
    found.job_seconds.append(attempt.seconds)
    found.core_hours += chunk.cores * attempt.seconds / 3600
    if attempt.state == "left":
        idle = chunk.slots * attempt.seconds - attempt.busy
        found.idle += max(0.0, idle) * cores / 3600
    for event in attempt.ended:
        if event.ended in FAILURES:
            found.failed += event.wall * cores / 3600


def rows(usage: Usage) -> Iterator[tuple[str, ...]]:
    """The cells of the table, without titles."""
    found = usage.measured
    what = "a run" if usage.batch == 1 else f"a batch of {usage.batch}"
    yield _row(f"time of {what}", set(), found.seconds, clock)
    yield _row("time of a job", usage.asked_seconds, usage.job_seconds, clock)
    yield _row(f"memory of {what}", usage.asked_memory, found.seen, _mib)
    yield _row(f"cores of {what}", usage.asked_cores, found.cores, lambda x: f"{x:.2f}")
    if found.gpu_memory:
        size = {float(found.gpu_size)} if found.gpu_size else set()
        yield _row(f"GPU memory of {what}", size, [found.gpu_memory], _mib)


def _row(name: str, asked: set[float], values: Sequence[float], show: Any) -> tuple[str, ...]:
    if not values:
        return name, _span(asked, show), "", "", "", ""
    part = f"{max(values) / max(asked):.0%}" if asked else ""
    if len(values) == 1:
        return name, _span(asked, show), "", "", show(values[0]), part
    middle, most = percentile(values, 0.5), percentile(values, 0.95)
    return name, _span(asked, show), show(middle), show(most), show(max(values)), part


def _span(asked: set[float], show: Any) -> str:
    if not asked:
        return "-"
    return " to ".join(dict.fromkeys((show(min(asked)), show(max(asked)))))


def _mib(size: float) -> str:
    return f"{size / MIB:,.0f} MiB"


def summary(usage: Usage) -> Iterator[str]:
    """What is no column."""
    jobs = f"{usage.jobs:,} {'job' if usage.jobs == 1 else 'jobs'}"
    running = f" ({usage.running:,} still running, not counted below)" if usage.running else ""
    yield f"{jobs}{running}, {usage.requeues:,} requeues, {usage.lost:,} ended without a word"
    held = usage.core_hours
    if held > 0:
        used = held - usage.idle - usage.failed
        yield (
            f"core-hours: {hours(held)} held, {hours(used)} used ({used / held:.0%}), "
            f"{hours(usage.idle)} idle ({usage.idle / held:.0%}), "
            f"{hours(usage.failed)} in runs that failed ({usage.failed / held:.0%})"
        )


def plain(table: Iterable[Sequence[str]]) -> Iterator[str]:
    """Aligned with spaces."""
    lines = [_TITLES, *table]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        name, *cells = (
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        yield "  ".join([name, *cells]).rstrip()


def as_table(table: Iterable[Sequence[str]]) -> Any:
    """The same for a terminal."""
    from rich.table import Table

    columns = Table(box=None, pad_edge=False)
    for title in _TITLES:
        columns.add_column(title, justify="right" if title else "left")
    for line in table:
        columns.add_row(*line)
    return columns
