"""Pauses between two looks at a scheduler, which is a machine that others share."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from pathlib import Path

from experiment.scheduling import events
from experiment.scheduling.backends import TaskKey
from experiment.scheduling.events import FINISHED, PILOT_OVER, Left

#: Seconds.
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0


class Patience:
    """Pauses that get longer and longer, but are over when all jobs say that they are done."""

    def __init__(self) -> None:
        self._next = FIRST_PAUSE
        self._heard: Set[TaskKey] = frozenset()

    def start_over(self) -> None:
        """Makes the next pause the shortest."""
        self._next = FIRST_PAUSE

    def pause(self, jobs: Mapping[TaskKey, Path]) -> None:
        """Waits.

        Args:
            jobs: those that wait or run, and where each tells of itself.
        """
        end = time.monotonic() + self._next
        self._next = min(2 * self._next, LONGEST_PAUSE)
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, FIRST_PAUSE))
            # a scheduler takes its time to see that a job is over: the same ones are heard once
            if jobs and self._heard != jobs.keys() and all(map(_has_told, jobs.values())):
                self._heard = frozenset(jobs)
                self.start_over()
                return


def _has_told(path: Path) -> bool:
    last = next(reversed(list(events.read(path))), None)
    return isinstance(last, Left) and last.why in (FINISHED, PILOT_OVER)
