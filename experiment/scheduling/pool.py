"""Groups of runs side by side, each in a process of its own; one that fails harms no other.

The pool starts, watches and stops processes. What they do is a launcher's business.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from experiment.scheduling.events import FAILURES, Ended, Ending
from experiment.scheduling.ranges import write_ranges
from experiment.scheduling.stopping import StopSignals
from experiment.signals import EXIT_SAVED

#: How long a process that was asked to stop may take before it is killed.
GRACE_SECONDS = 60.0
_ENDINGS: dict[int, Ending] = {0: "done", 2: "refused", 3: "locked", EXIT_SAVED: "saved"}
_LONGEST_LINE = 65536


class Launcher(Protocol):
    """Starts processes.

    Attributes:
        tells: whether they tell how far they are.
    """

    tells: bool

    def start(self, group: Sequence[int], slot: int, output: int, status: int) -> int:
        """Starts the runs of `group` in a new process; returns its pid.

        Args:
            slot: which of the places side by side; decides on the GPU.
            output: file descriptor for what the process prints.
            status: file descriptor for lines of `Status`; after one with `cpu` the process may
                read its next group from there, a list in a line. An empty one: it is to end.

        Raises:
            OSError: no such program, no more processes...
        """
        ...

    def succeeded(self, group: Sequence[int]) -> None:
        """Hears that the runs of `group` ended well, and that others wait."""
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
        cpu: seconds that the group took, when its runs have ended well and the process can take
            another; `memory` is the largest then.
    """

    timestep: int = 0
    total: int = 0
    start: int = 0
    gpu_memory: int = 0
    gpu_size: int = 0
    memory: int = 0
    growth: float = 0.0
    cpu: float = 0.0


@dataclass
class Child:
    """A process and the group that it runs; none once it has been told to end."""

    group: list[int]
    slot: int
    pid: int
    started: float
    output: int
    status: int
    deadline: float  # of the runs
    kill_at: float | None = None  # once it was asked to stop
    timed_out: bool = False
    last: Status = field(default_factory=Status)
    error: str = ""
    pending: dict[int, bytes] = field(default_factory=dict)
    cpu_before: float = 0.0  # of the groups that it ran before

    @property
    def label(self) -> str:
        """As log lines name it."""
        return label_of(self.group)


def label_of(group: Sequence[int]) -> str:
    """ "index 3", "indices 3-8"."""
    return f"{'index' if len(group) == 1 else 'indices'} {write_ranges(group)}"


class Pool:
    """Runs groups on `slots` places until all have ended or it is asked to stop.

    A group that does not work is taken apart: each of its runs is started alone, so that only
    those fail whose fault it is.

    Attributes:
        children: the processes of this moment.
        waiting: groups that have not started.
        endings: how many runs ended how, for good.
        unfinished: runs that were left before their end.
        stopped_by: why it left early: a signal's name or `stop_why`.
    """

    def __init__(
        self,
        launcher: Launcher,
        groups: Iterable[Sequence[int]],
        slots: int,
        signals: StopSignals,
        *,
        ended: Callable[[Ended], None],
        said: Callable[[str, str], None],
        changed: Callable[[Child], None] = lambda child: None,
        run_seconds: float | None = None,
        stop_at: float | None = None,
        stop_why: str = "time limit",
        training_seconds: float | None = None,
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
            training_seconds: after which it asks the same, from when every process trains.
            attempts: how often a group is started whose process is killed.
        """
        self.launcher, self.slots = launcher, slots
        self.waiting: deque[list[int]] = deque(list(group) for group in groups)
        self.children: dict[int, Child] = {}
        self.endings: Counter[Ending] = Counter()
        self.unfinished = 0
        self.stopped_by: str | None = None
        self._signals, self._ended, self._said, self._changed = signals, ended, said, changed
        self._run_seconds = math.inf if run_seconds is None else run_seconds
        self._stop_at = math.inf if stop_at is None else stop_at
        self._stop_why, self._attempts = stop_why, attempts
        self._training_seconds = training_seconds
        self._starts: Counter[tuple[int, ...]] = Counter()
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """To the end."""
        with self._selector:
            self._selector.register(self._signals.wakeup, selectors.EVENT_READ, None)
            self._look_at_the_clock()
            self._fill()
            while self.children or (self.waiting and self.stopped_by is None):
                for key, _ in self._selector.select(self._patience()):
                    self._read(key)
                # first: schedulers signal runs and job alike, and a run may be gone already
                self._look_at_the_clock()
                self._reap()
                self._fill()
        self.unfinished += sum(map(len, self.waiting))

    # -- starting

    def _fill(self) -> None:
        while self.waiting and self.stopped_by is None:
            free = set(range(self.slots)) - {child.slot for child in self.children.values()}
            if not free:
                return
            self._start(self.waiting.popleft(), min(free))

    def _start(self, group: list[int], slot: int) -> None:
        now = time.monotonic()
        output, output_end = os.pipe()
        status, status_end = (end.detach() for end in socket.socketpair())
        child = Child(group, slot, 0, now, output, status, now + self._run_seconds)
        try:
            child.pid = self.launcher.start(group, slot, output_end, status_end)
        except OSError as error:
            child.error = f"cannot be started: {error}"
            self._enter(child, "failed", 1, 0.0, 0)
            self._close(child)
            return
        finally:
            os.close(output_end)
            os.close(status_end)
        self.children[child.pid] = child
        self._starts[tuple(group)] += 1
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
        else:
            # what is there may have been read already, with the other one of the two
            with contextlib.suppress(BlockingIOError):
                if not self._take(child, key.fd):
                    self._selector.unregister(key.fd)

    def _take(self, child: Child, descriptor: int) -> bool:
        """Reads once; False at the end of the file."""
        try:
            data = os.read(descriptor, 65536)
        except ConnectionResetError:  # it ended before it had read everything
            data = b""
        *lines, rest = (child.pending.get(descriptor, b"") + data).split(b"\n")
        if not data or len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        child.pending[descriptor] = rest
        for line in lines:
            self._hear(child, descriptor, line)
        return bool(data)

    def _hear(self, child: Child, descriptor: int, line: bytes) -> None:
        if descriptor == child.status:
            with contextlib.suppress(msgspec.DecodeError):
                child.last = msgspec.json.decode(line, type=Status)
                if child.last.cpu:
                    self._hand_on(child)
                else:
                    self._changed(child)
        # of a line that was written over, as progress bars are, what was to be seen at last
        elif text := line.decode("utf-8", "replace").rstrip().rpartition("\r")[2]:
            child.error = text
            self._said(child.label, text)

    def _hand_on(self, child: Child) -> None:
        """A process is done with its group: it gets the next one, or is told to end."""
        self._drain(child, child.output)
        child.cpu_before += child.last.cpu
        self._enter(child, "done", 0, child.last.cpu, child.last.memory)
        child.group, child.error, child.last = [], "", Status()
        child.started, child.deadline = time.monotonic(), math.inf
        goes_on = self.stopped_by is None and child.kill_at is None and child.pid in self.children
        if goes_on and self.waiting:
            child.group = self.waiting.popleft()
            child.deadline = child.started + self._run_seconds
            self._starts[tuple(child.group)] += 1
            self._changed(child)
        with contextlib.suppress(BrokenPipeError):
            os.write(child.status, msgspec.json.encode(child.group) + b"\n")

    # -- ending

    def _reap(self) -> None:
        for pid in list(self.children):
            done, state, usage = os.wait4(pid, os.WNOHANG)
            if done:
                child = self.children.pop(pid)
                for descriptor in (child.output, child.status):
                    if descriptor in self._selector.get_map():
                        self._selector.unregister(descriptor)
                        self._drain(child, descriptor)
                if child.group:
                    code = os.waitstatus_to_exitcode(state)
                    cpu = usage.ru_utime + usage.ru_stime - child.cpu_before
                    ending = self._ending_of(child, code)
                    self._enter(child, ending, code, cpu, usage.ru_maxrss * 1024)
                self._close(child)

    def _drain(self, child: Child, descriptor: int) -> None:
        """Takes what a process has written; processes of its own may still hold the end."""
        with contextlib.suppress(BlockingIOError):
            while self._take(child, descriptor):
                pass
        self._hear(child, descriptor, child.pending.pop(descriptor, b""))

    def _close(self, child: Child) -> None:
        os.close(child.output)
        os.close(child.status)

    def _enter(self, child: Child, ending: Ending, code: int, cpu: float, memory: int) -> None:
        """Enters how a group ended, and what becomes of its runs."""
        group = child.group
        going_on = self.stopped_by is None
        killed = ending == "killed" and self._starts[tuple(group)] < self._attempts
        apart = ending in FAILURES and len(group) > 1
        if going_on and killed:
            self.waiting.append(group)
        elif going_on and apart:
            self.waiting.extend([index] for index in group)
        else:
            self.endings[ending] += len(group)
            self.unfinished += len(group) if ending == "saved" else 0
            if ending == "done" and going_on and self.waiting:
                self.launcher.succeeded(group)
        if ending == "killed":
            child.error = f"by signal {-code}"
        steps = max(0, child.last.timestep - child.last.start) * len(group)
        self._ended(
            Ended(
                group,
                ending,
                time.time(),
                round(time.monotonic() - child.started, 3),
                round(cpu, 3),
                memory,
                child.last.gpu_memory,
                steps,
                code if code >= 0 else None,
                -code if code < 0 else None,
                child.error[-500:] if ending in ("failed", "refused", "killed") else None,
                child.last.gpu_size,
                child.last.start,
                child.last.memory,
                child.last.growth,
                again=going_on and (killed or apart),
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

    # -- stopping

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        if self._training_seconds is not None and self._all_train():
            self._stop_at = min(self._stop_at, now + self._training_seconds)
            self._training_seconds = None
        if self.stopped_by is None:
            late = self._stop_why if now >= self._stop_at else None
            self.stopped_by = self._signals.first or late
        for child in self.children.values():
            hung = now >= child.deadline
            if child.kill_at is None and (hung or self.stopped_by is not None):
                child.timed_out = hung and self.stopped_by is None
                child.kill_at = now + GRACE_SECONDS
                _signal(child.pid, signal.SIGTERM)
            elif child.kill_at is not None and now >= child.kill_at:
                child.kill_at = math.inf
                _signal(child.pid, signal.SIGKILL)

    def _all_train(self) -> bool:
        lasts = [child.last for child in self.children.values()]
        return bool(lasts) and all(last.timestep > last.start for last in lasts)

    def _patience(self) -> float | None:
        """Seconds until something has to be looked at without being woken."""
        moments = [child.kill_at or child.deadline for child in self.children.values()]
        if self.stopped_by is None:
            moments.append(self._stop_at)
        first = min(moments, default=math.inf)
        return max(0.0, first - time.monotonic()) if first < math.inf else None


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
