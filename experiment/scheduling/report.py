"""What a person asks about a sweep: how it stands, and what a run said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiment.scheduling import submission
from experiment.scheduling.backends import log_folder, said_path
from experiment.scheduling.ranges import brief, holds
from experiment.scheduling.submission import Submission
from experiment.scheduling.sweep import Sweep
from experiment.scheduling.task_log import lines_of

_EXAMPLE_LINES = 6


def counts(sweep: Sweep) -> dict[str, int]:
    """How many runs are where."""
    running = sum(job.state == "running" for job in sweep.in_hand.values())
    failed = len(failures(sweep))
    return {
        "runs": len(sweep.wanted),
        "done": sweep.done,
        "running": running,
        "queued": len(sweep.in_hand) - running,
        "failed": failed,
        "missing": len(sweep.to_send) + len(sweep.held_back) - failed,
    }


def failures(sweep: Sweep) -> list[int]:
    """The missing runs that failed the last time that they were tried."""
    missing = [*sweep.to_send, *sweep.held_back]
    return [i for i in missing if i in sweep.histories and sweep.histories[i].failed]


def status_lines(sweeps: Sequence[Sweep]) -> Iterator[str]:
    """A line a sweep, and below it what went wrong, the commonest first."""
    for sweep in sweeps:
        numbers = ", ".join(f"{count:,} {name}" for name, count in counts(sweep).items())
        yield f"{sweep.folder.path}: {numbers}"
        yield from details(sweep)


def details(sweep: Sweep) -> Iterator[str]:
    """What went wrong, and what the queue waits for."""
    if sweep.torn:
        yield f"  {sweep.torn:,} of the missing have a damaged record"
    yield from _ended(sweep)
    if sweep.held_back:
        yield (
            f"  {len(sweep.held_back):,} failed too often and are not sent again; "
            "--retry-failed sends them"
        )
    reasons = Counter(job.reason for job in sweep.in_hand.values() if job.state == "queued")
    for reason, count in reasons.most_common():
        yield f"  {count:,} wait: {reason or 'no reason given'}"


def _ended(sweep: Sweep) -> Iterator[str]:
    """How the missing runs ended that were tried."""
    for one in troubles(sweep):
        yield f"  {len(one.indices):,} x {one.kind}{': ' if one.error else ''}{one.error}"
        lines = one.log[-_EXAMPLE_LINES:]
        which = f"{'index' if len(one.indices) == 1 else 'indices'} {brief(one.indices)}"
        example = f"; the end of the log of {one.indices[0]}:" if lines else ""
        yield f"    {which}{example}"
        for line in lines:
            yield f"      {line}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Missing runs that ended in the same way.

    Attributes:
        log: what the first of them said.
    """

    kind: str
    error: str
    indices: list[int]
    log: list[str]


def troubles(sweep: Sweep) -> list[Trouble]:
    """How the missing runs ended that were tried, the commonest first."""
    kinds: dict[tuple[str, str], list[int]] = {}
    missing = set(sweep.to_send).union(sweep.held_back) if sweep.histories else ()
    for index, history in sorted(sweep.histories.items(), key=lambda item: item[0]):
        if index in missing and history.last not in ("", "saved", "locked"):
            kinds.setdefault((history.what, history.error or ""), []).append(index)
    return [
        Trouble(kind, error, indices, log_of(sweep, indices[0]))
        for (kind, error), indices in sorted(kinds.items(), key=lambda item: -len(item[1]))
    ]


def log_of(sweep: Sweep, index: int) -> list[str]:
    """The lines that a run wrote in the last job that took it; what the job itself said else."""
    for one in reversed(sweep.submissions):
        for task, ranges in enumerate(one.tasks):
            if holds(ranges, index):
                lines = lines_of(one.log_path(task), index) or _job_said(one, task)
                if lines:
                    return lines
    return []


def _job_said(one: Submission, task: int) -> list[str]:
    """What the scheduler caught of a job."""
    chunk = one.chunk_of(task)
    array = submission.read_jobs(one).chunks.get(one.chunks.index(chunk))
    element = f"_{task - chunk.first}" if chunk.count > 1 else ""
    of_array = log_folder(one).glob(f"{array}{element}_*log.*") if array is not None else ()
    for path in [*sorted(of_array), said_path(one, task)]:
        if path.exists():
            return path.read_text(encoding="utf-8", errors="replace").splitlines()
    return []
