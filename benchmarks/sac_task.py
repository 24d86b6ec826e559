"""What every library is asked to do in `actor_critic.py`, and the clock that it does it by.

Standard library only: the peers' virtual environments import it too.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Task:
    """One SAC run.

    Attributes:
        environment_file: the project's file of the same environment.
        warm_up: steps of uniformly random actions before the first update; not timed.
        settle: steps after that, in which libraries compile; not in the rate.
        seconds: the timed part, in wall time.
        members: that train together; 1 everywhere but in this project.
    """

    environment: str
    environment_file: str
    width: int
    batch: int
    capacity: int
    warm_up: int
    settle: int
    seconds: float
    seed: int = 0
    members: int = 1
    lr: float = 3e-4  # of critics, policy and temperature
    tau: float = 0.005
    gamma: float = 0.99

    @classmethod
    def from_arguments(cls) -> Task:
        """Of a worker's command line."""
        return cls(**json.loads(sys.argv[1]))

    def as_argument(self) -> str:
        return json.dumps(asdict(self))


class Stopwatch:
    """Tells a training loop when to stop; to be asked once an environment step."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._timed_from = task.warm_up + task.settle
        self._deadline = math.inf
        self._settling = self._started = self._ended = (0, 0.0, 0.0)
        self.steps = 0

    def goes_on(self) -> bool:
        """Counts one step."""
        self.steps += 1
        if self.steps == self._task.warm_up:
            self._settling = self._now()
        elif self.steps == self._timed_from:
            self._started = self._now()
            self._deadline = time.perf_counter() + self._task.seconds
        elif self.steps > self._timed_from and time.perf_counter() >= self._deadline:
            self._ended = self._now()
            return False
        return True

    def print_result(self, *, updates: int) -> None:
        """One line of JSON for `actor_critic.py`.

        Raises:
            RuntimeError: not one update a step, so the rates would compare different work.
        """
        expected = self.steps - self._task.warm_up
        if self._ended[0] == 0:
            raise RuntimeError(f"the run ended after {self.steps} steps, too early to be timed")
        if abs(updates - expected) > 2:
            raise RuntimeError(f"{updates} updates, not {expected}")
        steps, cpu, wall = (b - a for a, b in zip(self._started, self._ended, strict=True))
        settling = self._started[2] - self._settling[2]
        result = {
            "steps": steps * self._task.members,
            "cpu": cpu,
            "wall": wall,
            "compile": max(0.0, settling - self._task.settle * wall / steps),
        }
        print(json.dumps(result), flush=True)

    def _now(self) -> tuple[int, float, float]:
        """Steps, processor seconds of all threads and children, wall seconds."""
        usages = [
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        spent = sum(usage.ru_utime + usage.ru_stime for usage in usages)
        return self.steps, spent, time.perf_counter()
