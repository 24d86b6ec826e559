"""Groups of runs side by side, each in a process of its own; one that fails harms no other.

The pool starts, watches and stops processes. What they do is a launcher's business.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

import msgspec

from experiment.scheduling.events import Ended, Ending
from experiment.scheduling.ranges import write_ranges
from experiment.signals import EXIT_SAVED, STOP_SIGNALS

#: How long a process that was asked to stop may take before it is killed.
GRACE_SECONDS = 60.0
_ENDINGS: dict[int, Ending] = {0: "done", 2: "refused", 3: "locked", EXIT_SAVED: "saved"}


class Launcher(Protocol):
    """Starts processes."""

    def start(self, group: Sequence[int], slot: int, output: int, status: int) -> int:
        """Starts the runs of `group` in a new process; returns its pid.

        Args:
            slot: which of the places side by side; decides on the GPU.
            output: file descriptor for what the process prints.
            status: file descriptor for lines of `Status`.
        """
        ...


class Status(msgspec.Struct, omit_defaults=True):
    """What a process tells while it runs.

    Attributes:
        timestep, total: of each run of the group.
        start: timestep that it began at.
        gpu_memory: largest allocation so far in bytes.
        gpu_size: memory of the device in bytes.
        memory: resident size in bytes.
        growth: of it, bytes a timestep.
    """

    timestep: int = 0
    total: int = 0
    start: int = 0
    gpu_memory: int = 0
    gpu_size: int = 0
    memory: int = 0
    growth: float = 0.0


@dataclass
class Child:
    """A process and the group that it runs."""

    group: list[int]
    slot: int
    pid: int
    started: float
    output: int
    status: int
    deadline: float | None  # of the runs
    kill_at: float | None = None  # once it was asked to stop
    timed_out: bool = False
    last: Status = field(default_factory=Status)
    error: str = ""
    pending: dict[int, bytes] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """As log lines name it."""
        return label_of(self.group)


def label_of(group: Sequence[int]) -> str:
    """ "index 3", "indices 3-8"."""
    return f"{'index' if len(group) == 1 else 'indices'} {write_ranges(group)}"


class Pool:
    """Runs groups on `slots` places until all have ended or it is asked to stop.

    Attributes:
        children: the processes of this moment.
        waiting: groups that have not started.
        endings: how many runs ended how.
        stopped_by: why it left early: a signal's name or `stop_why`.
    """

    def __init__(
        self,
        launcher: Launcher,
        groups: Iterable[Sequence[int]],
        slots: int,
        *,
        ended: Callable[[Ended], None],
        said: Callable[[str, str], None],
        changed: Callable[[Child], None] = lambda child: None,
        run_seconds: float | None = None,
        stop_at: float | None = None,
        stop_why: str = "time limit",
        attempts: int = 3,
    ) -> None:
        """
        Args:
            ended: is told of every group that ended.
            said: is told (label, line) of what a process prints.
            changed: is told of every status that a process sends.
            run_seconds: after which a group is stopped.
            stop_at: (`time.monotonic`) when the pool asks everything to save and leave.
            stop_why: what `stopped_by` is then.
            attempts: how often a group is started whose process is killed.
        """
        self.launcher, self.slots = launcher, slots
        self.waiting: deque[list[int]] = deque(list(group) for group in groups)
        self.children: dict[int, Child] = {}
        self.endings: Counter[Ending] = Counter()
        self.unfinished = 0
        self.stopped_by: str | None = None
        self._ended, self._said, self._changed = ended, said, changed
        self._run_seconds, self._stop_at, self._attempts = run_seconds, stop_at, attempts
        self._stop_why = stop_why
        self._starts: Counter[int] = Counter()
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """To the end. Meanwhile the pool handles the stop signals."""
        with self._signals():
            while self.children or (self.waiting and self.stopped_by is None):
                self._fill()
                for key, _ in self._selector.select(self._patience()):
                    self._read(key)
                self._reap()
                self._enforce()
        self.unfinished += sum(map(len, self.waiting))

    def stop(self, why: str) -> None:
        """Asks every process to save and leave; starts no more."""
        if self.stopped_by is None:
            self.stopped_by = why

    # -- signals

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        wakeup, write_end = os.pipe()
        for descriptor in (wakeup, write_end):
            os.set_blocking(descriptor, False)
        self._selector.register(wakeup, selectors.EVENT_READ, None)
        before = {number: signal.signal(number, self._handle) for number in STOP_SIGNALS}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
        former = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(former)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            os.close(wakeup)
            os.close(write_end)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.stop(signal.Signals(number).name)

    # -- starting

    def _fill(self) -> None:
        free = set(range(self.slots)) - {child.slot for child in self.children.values()}
        while free and self.waiting and self.stopped_by is None:
            slot = min(free)
            free.remove(slot)
            self._start(self.waiting.popleft(), slot)

    def _start(self, group: list[int], slot: int) -> None:
        output, output_end = os.pipe()
        status, status_end = os.pipe()
        try:
            pid = self.launcher.start(group, slot, output_end, status_end)
        finally:
            os.close(output_end)
            os.close(status_end)
        now = time.monotonic()
        deadline = now + self._run_seconds if self._run_seconds is not None else None
        child = Child(group, slot, pid, now, output, status, deadline)
        self.children[pid] = child
        self._starts[group[0]] += 1
        for descriptor in (output, status):
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ, child)
        self._changed(child)

    # -- listening

    def _read(self, key: selectors.SelectorKey) -> None:
        child: Child | None = key.data
        if child is None:
            with contextlib.suppress(BlockingIOError):
                os.read(key.fd, 4096)
        elif not self._take(child, key.fd):
            self._selector.unregister(key.fd)

    def _take(self, child: Child, descriptor: int) -> bool:
        """Reads what there is; False at the end of the file."""
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return True
        *lines, rest = (child.pending.get(descriptor, b"") + data).split(b"\n")
        if not data and rest:
            lines, rest = [rest], b""
        child.pending[descriptor] = rest
        for line in lines:
            if descriptor == child.status:
                with contextlib.suppress(msgspec.DecodeError):
                    child.last = msgspec.json.decode(line, type=Status)
                    self._changed(child)
            elif text := line.decode("utf-8", "replace").rstrip():
                child.error = text
                self._said(child.label, text)
        return bool(data)

    # -- ending

    def _reap(self) -> None:
        for pid in list(self.children):
            done, state, usage = os.wait4(pid, os.WNOHANG)
            if done:
                self._end(self.children.pop(pid), os.waitstatus_to_exitcode(state), usage)

    def _end(self, child: Child, code: int, usage: resource.struct_rusage) -> None:
        for descriptor in (child.output, child.status):
            while descriptor in self._selector.get_map():
                before = child.pending.get(descriptor)
                if not self._take(child, descriptor) or child.pending[descriptor] == before:
                    self._selector.unregister(descriptor)
            os.close(descriptor)
        ending = self._ending_of(child, code)
        again = (
            ending == "killed"
            and self.stopped_by is None
            and self._starts[child.group[0]] < self._attempts
        )
        if again:
            self.waiting.append(child.group)
        else:
            self.endings[ending] += len(child.group)
            if ending == "saved":
                self.unfinished += len(child.group)
        steps = max(0, child.last.timestep - child.last.start) * len(child.group)
        self._ended(
            Ended(
                child.group,
                ending,
                time.time(),
                round(time.monotonic() - child.started, 3),
                round(usage.ru_utime + usage.ru_stime, 3),
                usage.ru_maxrss * 1024,
                child.last.gpu_memory,
                steps,
                code if code >= 0 else None,
                -code if code < 0 else None,
                child.error[-500:] if ending in ("failed", "refused", "killed") else None,
                child.last.gpu_size,
                child.last.start,
                child.last.memory,
                child.last.growth,
            )
        )

    def _ending_of(self, child: Child, code: int) -> Ending:
        if code < 0:
            if child.timed_out:
                return "timeout"
            # died before it could listen, or took too long to save: goes on from a checkpoint
            return "saved" if child.kill_at is not None or self.stopped_by else "killed"
        ending = _ENDINGS.get(code, "failed")
        return "timeout" if ending == "saved" and child.timed_out else ending

    def _enforce(self) -> None:
        now = time.monotonic()
        if self._stop_at is not None and now >= self._stop_at:
            self.stop(self._stop_why)
        for child in self.children.values():
            late = child.deadline is not None and now >= child.deadline
            if child.kill_at is None and (late or self.stopped_by is not None):
                child.timed_out = late and self.stopped_by is None
                child.kill_at = now + GRACE_SECONDS
                _signal(child.pid, signal.SIGTERM)
            elif child.kill_at is not None and now >= child.kill_at:
                _signal(child.pid, signal.SIGKILL)

    def _patience(self) -> float | None:
        """Seconds until something has to be looked at without being woken."""
        moments = [child.kill_at or child.deadline for child in self.children.values()]
        if self.stopped_by is None:
            moments.append(self._stop_at)
        known = [moment for moment in moments if moment is not None]
        if self.stopped_by is not None and any(c.kill_at is None for c in self.children.values()):
            return 0.0
        return max(0.0, min(known) - time.monotonic()) if known else None


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
