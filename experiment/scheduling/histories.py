"""What became of runs in the jobs that took them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from experiment.scheduling import events
from experiment.scheduling.backends import SIGNALLED, Accounted, TaskKey
from experiment.scheduling.events import FAILURES, Ended, Left
from experiment.scheduling.submission import Submission

#: What a scheduler calls the end of a job that wanted more than it had.
OUT_OF_MEMORY, TIMEOUT = "OUT_OF_MEMORY", "TIMEOUT"
#: ... that came to grief, of which no run is to blame.
_TAKEN_AWAY = (
    *("NODE_FAIL", "BOOT_FAIL", "CANCELLED", "PREEMPTED", "REVOKED", "DEADLINE"),
    SIGNALLED,
)
#: What may be the last that is known of a run that has not failed.
_NO_FAILURE = ("", "saved", "locked", "done", *(state.lower() for state in _TAKEN_AWAY))


@dataclass
class History:
    """Of one run.

    Attributes:
        failures: jobs that it failed in, by its own fault.
        memory, time: how often it ran out of either.
        last: the last thing that is known of it, as `Ended.ended` or a scheduler's state.
        error: the last that it said, if it failed.
    """

    failures: int = 0
    memory: int = 0
    time: int = 0
    last: str = ""
    error: str | None = None

    @property
    def failed(self) -> bool:
        """Whether it failed the last time that it was tried."""
        return self.last not in _NO_FAILURE

    @property
    def what(self) -> str:
        """The last thing, in words."""
        if self.last == "done":
            return "ended well, but without a record"
        return self.last.replace("_", " ")


def histories(
    left: set[int], submissions: Iterable[Submission], accounted: Mapping[TaskKey, Accounted]
) -> dict[int, History]:
    """Of those runs in `left` that a job took: by the jobs' events and the scheduler's accounts."""
    found: dict[int, History] = {}
    for one in submissions if left else ():
        for task in range(len(one.tasks)):
            mine = left.intersection(one.indices(task))
            if mine:
                ends = accounted.get((one.name, task))
                _follow(found, one, task, mine, ends.state if ends is not None else None)
    return found


def _follow(
    found: dict[int, History], one: Submission, task: int, mine: set[int], state: str | None
) -> None:
    """Adds what happened to the runs `mine` in one task, whose job ended in `state`.

    The events come first; the scheduler knows why a job went before it could tell.
    """
    ended: dict[int, list[Ended]] = {index: [] for index in mine}
    left = False
    for event in events.read(one.events_path(task)):
        if isinstance(event, Ended):
            for index in mine.intersection(event.indices):
                ended[index].append(event)
        else:
            left = isinstance(event, Left)
    victims = {i for i, ends in ended.items() if ends and ends[-1].ended == "killed"}
    for index, ends in ended.items():
        history = found.setdefault(index, History())
        for event in ends:
            _count(history, event)
        failed = any(map(_settles, ends))
        if state in _TAKEN_AWAY and not failed:
            history.last = state.lower()
        elif state == OUT_OF_MEMORY and (index in victims if victims else not ends):
            history.memory += 1
            history.failures += not failed
            history.last = state.lower()
        elif state == TIMEOUT and not ends:
            history.time += 1
            history.last = state.lower()
        elif state == "FAILED" and not ends and not left:
            history.failures += 1
            history.last = state.lower()


def _count(history: History, event: Ended) -> None:
    """Adds what the job said."""
    history.last, history.error = event.ended, event.error
    if _settles(event):
        history.failures += 1
        history.time += event.ended == "timeout"
        history.memory += event.ended == "failed" and _is_memory_error(event.error)


def _settles(event: Ended) -> bool:
    """Whether the job gave its runs up."""
    return event.ended in FAILURES and not event.again


def _is_memory_error(error: str | None) -> bool:
    return error is not None and ("MemoryError" in error or "out of memory" in error.lower())
