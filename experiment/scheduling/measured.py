"""What runs used, from the events of the jobs that ran them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

import agents
from experiment.scheduling import events
from experiment.scheduling.backends import Accounted, Queued, TaskKey
from experiment.scheduling.events import Ended, Left, Started
from experiment.scheduling.sizing import Used, memory_of_whole_run, percentile
from experiment.scheduling.submission import Chunk, Submission
from experiment.scheduling.sweep import Sweep

#: What plans are made for: some runs take longer than others.
PLANNED_PART = 0.95
#: Of a run that has to be seen for its speed to count beside others, starting included.
_SEEN_PART = 0.5


@dataclass(frozen=True)
class Attempt:
    """One time that a job ran.

    Attributes:
        seconds: that it held its cores, as far as is known.
        last: whether its task has not run again.
        state: "left", "running", or "lost" where it went without a word.
    """

    sent: Submission
    chunk: Chunk
    started: Started
    ended: Sequence[Ended]
    left: Left | None
    seconds: float
    last: bool
    state: str

    @property
    def busy(self) -> float:
        """Seconds that its slots worked, together."""
        return sum(event.wall for event in self.ended)


def attempts_of(
    submissions: Iterable[Submission],
    queued: Mapping[TaskKey, Queued],
    accounted: Mapping[TaskKey, Accounted],
) -> Iterator[Attempt]:
    """Every time that a job of these submissions ran."""
    for one in submissions:
        for task in range(len(one.tasks)):
            key = one.name, task
            job = queued.get(key)
            running = job is not None and job.state == "running"
            account = None if job is not None else accounted.get(key)
            yield from _attempts(one, task, running, account)


def _attempts(
    one: Submission, task: int, running: bool, account: Accounted | None
) -> Iterator[Attempt]:
    parts: list[list[events.Event]] = []
    for event in events.read(one.events_path(task)):
        if isinstance(event, Started):
            parts.append([])
        if parts:
            parts[-1].append(event)
    for number, part in enumerate(parts):
        started, final = part[0], part[-1]
        assert isinstance(started, Started)
        last = number == len(parts) - 1
        left = final if isinstance(final, Left) else None
        state = "left" if left else "running" if last and running else "lost"
        until = time.time() if state == "running" else final.time
        seconds = max(0.0, until - started.time)
        if last and account is not None and account.seconds is not None:
            seconds = max(seconds, account.seconds)  # the scheduler counts from before Python
        ended = [event for event in part if isinstance(event, Ended)]
        yield Attempt(one, one.chunk_of(task), started, ended, left, seconds, last, state)


@dataclass
class Measured:
    """What processes used; an entry of the lists is one process, which trained a group of runs.

    Attributes:
        seconds: of a whole group; for one that did not end, at its speed.
        rates: timesteps of the environment a second, all runs of the group together.
        cores: kept busy.
        memory: largest resident size; of a group that did not end, what it would come to.
        seen: bytes before that is added.
        gpu_memory, gpu_size, job_memory: the largest.
        beside: most processes that shared a GPU.
        whole: how many of the groups ended.
    """

    seconds: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    gpu_memory: int = 0
    gpu_size: int = 0
    job_memory: int = 0
    beside: int = 1
    whole: int = 0

    def used(self) -> Used | None:
        """What plans are made for; None when nothing tells how long a run takes."""
        if not self.seconds:
            return None
        return Used(
            seconds=percentile(self.seconds, PLANNED_PART),
            cores=percentile(self.cores, PLANNED_PART),
            memory=max(self.memory),
            job_memory=self.job_memory,
            gpu_memory=self.gpu_memory,
            gpu_size=self.gpu_size,
            beside=self.beside,
        )


def measure(sweep: Sweep, attempts: Iterable[Attempt]) -> Measured:
    """Reads the numbers off the attempts."""
    found = Measured()
    told: list[Ended] = []
    for attempt in attempts:
        if attempt.left is not None:
            found.job_memory = max(found.job_memory, attempt.left.memory)
        mine = [event for event in attempt.ended if _tells(event)]
        if mine and attempt.chunk.gpus:
            shared = math.ceil(attempt.chunk.slots / attempt.chunk.gpus)
            found.beside = max(found.beside, shared)
        told += mine
    # a smaller group, as the last of a task, is quicker
    full = max((len(event.indices) for event in told), default=0)
    speeds: list[tuple[float, float]] = []
    for event in told:
        if len(event.indices) == full:
            _add(found, speeds, sweep, event)
    # what was seen of a run for a moment only is mostly its beginning
    good = [seconds for part, seconds in speeds if part >= _SEEN_PART]
    found.seconds = good or [seconds for _, seconds in speeds]
    return found


def _tells(event: Ended) -> bool:
    """Whether it says how long a run takes; programs but main.py tell only when they end."""
    ended = event.ended == "done" or (event.ended == "saved" and event.timesteps > 0)
    return ended and event.wall > 0


def _add(found: Measured, speeds: list[tuple[float, float]], sweep: Sweep, event: Ended) -> None:
    total = sweep.experiment.environment.total_timesteps
    part = event.timesteps / (total * len(event.indices))
    memory = event.memory
    if event.timesteps:
        speeds.append((part, event.wall / part))
        found.rates.append(event.timesteps / event.wall)
    else:
        speeds.append((1.0, event.wall))
    if event.ended == "saved":
        until = min(total, _stores_for(sweep, event.indices[0]))
        done = event.start + event.timesteps // len(event.indices)
        memory = memory_of_whole_run(memory, event.resident, event.growth, done, until)
    found.whole += event.ended == "done"
    found.cores.append(event.cpu / event.wall)
    found.memory.append(memory)
    found.seen.append(event.memory)
    found.gpu_memory = max(found.gpu_memory, event.gpu_memory)
    found.gpu_size = max(found.gpu_size, event.gpu_size)


def _stores_for(sweep: Sweep, index: int) -> int:
    experiment = sweep.experiment
    setting = experiment.grid.setting(experiment.grid.split(index)[0])
    settings = msgspec.convert(setting, agents.settings_type(experiment.agent_name))
    return int(settings.stores_for)
