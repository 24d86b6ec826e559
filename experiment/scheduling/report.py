"""What a person asks about a sweep: how it stands, and what a run said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiment.scheduling.backends import log_folder, said_path
from experiment.scheduling.ranges import read_ranges, write_ranges
from experiment.scheduling.submission import Submission
from experiment.scheduling.sweep import History, Sweep

_LINE = re.compile(r"\S+ \S+ (?:index|indices) ([\d,-]+): ")
_EXAMPLE_LINES = 6


def counts(sweep: Sweep) -> dict[str, int]:
    """How many runs are where."""
    running = sum(job.state == "running" for job in sweep.in_hand.values())
    missing = len(sweep.to_send) + len(sweep.held_back)
    failed = sum(_is_failure(sweep.histories.get(i)) for i in [*sweep.to_send, *sweep.held_back])
    return {
        "runs": len(sweep.wanted),
        "done": sweep.done,
        "running": running,
        "queued": len(sweep.in_hand) - running,
        "failed": failed,
        "missing": missing - failed,
    }


def _is_failure(history: History | None) -> bool:
    return history is not None and bool(history.last) and history.last not in ("saved", "locked")


def status_lines(sweeps: list[Sweep]) -> Iterator[str]:
    """A line a sweep, and below it what went wrong, the commonest first."""
    for sweep in sweeps:
        numbers = ", ".join(f"{count:,} {name}" for name, count in counts(sweep).items())
        yield f"{sweep.folder.path}: {numbers}"
        if sweep.torn:
            yield f"  {sweep.torn:,} of the missing have a damaged record"
        yield from _failures(sweep)
        yield from _waiting(sweep)


def _failures(sweep: Sweep) -> Iterator[str]:
    kinds: dict[tuple[str, str], list[int]] = {}
    for index in sorted([*sweep.to_send, *sweep.held_back]):
        history = sweep.histories.get(index)
        if history is not None and _is_failure(history):
            kinds.setdefault((history.last, history.error or ""), []).append(index)
    for (kind, error), indices in sorted(kinds.items(), key=lambda item: -len(item[1])):
        what = f"{kind}: {error}" if error else kind
        yield f"  {len(indices):,} x {what}"
        yield f"    indices {_brief(write_ranges(indices))}; the end of the log of {indices[0]}:"
        for line in log_of(sweep, indices[0])[-_EXAMPLE_LINES:]:
            yield f"      {line}"
    if sweep.held_back:
        yield (
            f"  {len(sweep.held_back):,} failed too often and are not sent again; "
            "--retry-failed sends them"
        )


def _waiting(sweep: Sweep) -> Iterator[str]:
    reasons: dict[str, int] = {}
    for job in sweep.in_hand.values():
        if job.state == "queued":
            reasons[job.reason] = reasons.get(job.reason, 0) + 1
    for reason, count in reasons.items():
        yield f"  {count:,} wait: {reason or 'no reason given'}"


def _brief(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:50]}... ({text.count(',') + 1} ranges)"


def log_of(sweep: Sweep, index: int) -> list[str]:
    """The lines that a run wrote in the last job that took it; what the job itself said else."""
    for one in reversed(sweep.submissions):
        for task, ranges in enumerate(one.tasks):
            if _holds(ranges, index):
                lines = _lines_of(one.log_path(task), index)
                if lines or one is sweep.submissions[0]:
                    return lines or _job_said(one, task)
                said = _job_said(one, task)
                if said:
                    return said
    return []


def _holds(ranges: str, index: int) -> bool:
    return index in set(read_ranges(ranges))


def _lines_of(path: Path, index: int) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and _holds(match[1], index):
            lines.append(line)
    return lines


def _job_said(one: Submission, task: int) -> list[str]:
    """What the scheduler caught of a job."""
    from experiment.scheduling import submission

    jobs = submission.read_jobs(one)
    names = [jobs.tasks[task]] if task in jobs.tasks else []
    for number, chunk in enumerate(one.chunks):
        if number in jobs.chunks and chunk.first <= task < chunk.first + chunk.count:
            element = f"_{task - chunk.first}" if chunk.count > 1 else ""
            names.append(f"{jobs.chunks[number]}{element}")
    found = [path for name in names for path in sorted(log_folder(one).glob(f"{name}_*log.*"))]
    for path in [*found, said_path(one, task)]:
        if path.exists():
            return path.read_text(encoding="utf-8", errors="replace").splitlines()
    return []


def as_table(sweeps: list[Sweep]) -> Any:
    """The same numbers for a terminal."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("sweep")
    titles = list(counts(sweeps[0]))
    for title in titles:
        table.add_column(title, justify="right")
    for sweep in sweeps:
        table.add_row(sweep.name, *(f"{counts(sweep)[title]:,}" for title in titles))
    return table
