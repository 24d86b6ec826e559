"""How a process of a job comes about: forked from a warm parent, or started as a command."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from experiment.errors import Locked, SweepError
from experiment.scheduling.pool import Status
from experiment.scheduling.ranges import write_ranges
from experiment.scheduling.submission import Submission
from experiment.signals import EXIT_SAVED, STOP_SIGNALS

_PR_SET_PDEATHSIG = 1
#: A process takes on groups until it is as old: to fork takes as long as several short runs.
_YOUNG_SECONDS = 1.0


class Devices:
    """The GPUs of a job, and which of them a slot uses.

    Args:
        gpus: of the job; the scheduler's CUDA_VISIBLE_DEVICES says which.
    """

    def __init__(self, gpus: int, runs_per_gpu: int) -> None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        names = [name for name in visible.split(",") if name]
        self._names = names or [str(number) for number in range(gpus)]
        self._runs_per_gpu = runs_per_gpu
        self.gpus = gpus

    def environment(self, slot: int) -> dict[str, str]:
        """Environment variables of a process in `slot`."""
        if not self.gpus:
            return {}
        return {"CUDA_VISIBLE_DEVICES": self._names[slot // self._runs_per_gpu % len(self._names)]}


class Fork:
    """Processes that begin with everything imported: this one is their parent.

    Args:
        work: trains a group and returns an exit code.
        warm_up: loads what training an index needs that nothing has loaded yet.
    """

    tells = True

    def __init__(
        self,
        work: Callable[[Sequence[int]], int],
        devices: Devices,
        warm_up: Callable[[int], None],
    ) -> None:
        self._work, self._devices, self._warm_up = work, devices, warm_up
        self._is_warm = False
        _freeze()

    def succeeded(self, group: Sequence[int]) -> None:
        """As `Launcher.succeeded`. Not before a run has shown that it does not take its process
        with it; and if fewer run than have a place, nothing is gained."""
        if not self._is_warm:
            self._is_warm = True
            with contextlib.suppress(Exception):
                self._warm_up(group[0])
            _freeze()

    def start(self, group: Sequence[int], slot: int, output: int, status: int) -> int:
        """As `Launcher.start`."""
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        # a signal that comes before the child has handlers of its own waits until it has
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            pid = os.fork()
        finally:
            if os.getpid() == parent:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if pid:
            return pid
        code = 1
        try:
            _become_child(parent, output)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.environ.update(self._devices.environment(slot))
            code = self._train_all(group, _Line(status))
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _train_all(self, group: Sequence[int], line: _Line) -> int:
        """Trains `group` and, as long as all goes well, others that the pool hands on."""
        until = time.monotonic() + (0.0 if self._devices.gpus else _YOUNG_SECONDS)
        while group:
            code = self._train(group)
            if code or time.monotonic() >= until:
                return code
            group = line.next_group()
        return 0

    def _train(self, group: Sequence[int]) -> int:
        try:
            return self._work(group)
        except SweepError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code


def _freeze() -> None:
    """Else the first collection in a child copies every page that holds objects."""
    gc.collect()
    gc.freeze()


def _become_child(parent: int, output: int) -> None:
    """What `exec` would do: no signal handler, no file of the parent but those that are meant."""
    signal.set_wakeup_fd(-1)
    for number in STOP_SIGNALS:
        # the run installs its own; until then only the pool's own signal may end it
        ending = signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN
        signal.signal(number, ending)
    for number in (signal.SIGCHLD, signal.SIGCONT):
        signal.signal(number, signal.SIG_DFL)
    die_with(parent)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)


def die_with(parent: int) -> None:
    """Linux asks this process to save and leave when its parent is gone, however it went."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:  # it went before that was asked for
        os._exit(EXIT_SAVED)


class _Line:
    """From a process to the pool: how far its group is. And back: the next group."""

    def __init__(self, descriptor: int) -> None:
        from experiment.progress import Progress

        self._descriptor = descriptor
        self._last, self._growth = Status(), Growth()
        self._cpu = 0.0  # of earlier groups
        Progress.reporter = self.report

    def report(self, start: int, timestep: int, total: int) -> None:
        """As `Progress.reporter`."""
        memory = _resident()
        rate = self._growth.seen(timestep - start, memory)
        self._tell(Status(timestep, total, start, *_gpu_memory(), memory, rate))

    def next_group(self) -> list[int]:
        """Tells that all went well; returns the indices to go on with, or none."""
        sys.stdout.flush()
        sys.stderr.flush()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu = usage.ru_utime + usage.ru_stime
        spent, memory = max(cpu - self._cpu, 1e-6), usage.ru_maxrss * 1024
        self._tell(msgspec.structs.replace(self._last, cpu=spent, memory=memory))
        self._last, self._growth, self._cpu = Status(), Growth(), cpu
        with os.fdopen(self._descriptor, "rb", closefd=False) as answers:
            return msgspec.json.decode(answers.readline() or b"[]", type=list[int])

    def _tell(self, status: Status) -> None:
        self._last = status
        with contextlib.suppress(OSError):  # whoever listened is gone; the run goes on
            os.write(self._descriptor, msgspec.json.encode(status) + b"\n")


def _gpu_memory() -> tuple[int, int]:
    """(largest allocation, size of the device) in bytes."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0, 0
    size = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    return int(torch.cuda.max_memory_reserved()), int(size)


def _resident() -> int:
    """Bytes of this process in memory now; 0 where /proc does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * resource.getpagesize()


class Growth:
    """How fast a quantity grows, by the later half of what was seen: beginnings are different."""

    def __init__(self) -> None:
        # where it stood after so much, and after at least twice as much
        self._former: tuple[int, int] | None = None
        self._latter: tuple[int, int] | None = None

    def seen(self, at: int, value: int) -> float:
        """The growth for each of `at` since about the middle of what was seen; 0 at first."""
        if at <= 0:
            return 0.0
        if self._latter is None or at >= 2 * self._latter[0]:
            self._former, self._latter = self._latter, (at, value)
        start = self._former or self._latter
        return (value - start[1]) / (at - start[0]) if at > start[0] else 0.0


class Command:
    """Processes of any program that takes main.py's options."""

    tells = False

    def __init__(self, submission: Submission, devices: Devices) -> None:
        self._submission, self._devices = submission, devices

    def arguments(self, group: Sequence[int]) -> list[str]:
        """The command of a group."""
        sent = self._submission
        options: dict[str, Any] = {
            "--env-json": sent.folder / "environment.json",
            "--agent-json": sent.folder / "agent.json",
            "--index" if len(group) == 1 else "--indices": write_ranges(group),
            "--seed-offset": sent.seed_offset,
            "--device": sent.device,
        }
        if sent.save_dir is not None:
            options["--save-dir"] = sent.save_dir
        if len(group) > 1:
            options["--batch"] = len(group)
        if sent.cluster.checkpoint_minutes is not None:
            options["--checkpoint-minutes"] = sent.cluster.checkpoint_minutes
        words = [str(word) for pair in options.items() for word in pair]
        if sent.cluster.shard:
            words.append("--shard")
        words += [word for name in sent.log for word in ("--log", name)]
        return [*program_of(sent.executable), *words]

    def start(self, group: Sequence[int], slot: int, output: int, status: int) -> int:
        """As `Launcher.start`. Such a program tells nothing while it runs."""
        parent = os.getpid()
        process = subprocess.Popen(
            self.arguments(group),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **self._devices.environment(slot)},
            preexec_fn=lambda: die_with(parent),
        )
        process.returncode = 0  # the pool waits for it; subprocess must not
        return process.pid

    def succeeded(self, group: Sequence[int]) -> None:
        """As `Launcher.succeeded`."""


def program_of(executable: str) -> list[str]:
    """The words that start it: a file of Python, or a command as in a shell."""
    if executable.endswith(".py"):
        return [sys.executable, executable]
    return shlex.split(executable)


def exit_code_of(outcomes: Sequence[object]) -> int:
    """Of a process that trained a group, as `main.py` would end."""
    from experiment.run import Outcome

    if Outcome.INTERRUPTED in outcomes:
        return EXIT_SAVED
    return Locked.exit_code if Outcome.LOCKED in outcomes else 0
