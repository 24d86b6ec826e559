"""Processes beside a run's own: started, talked to, missed when they are gone, and ended.

Each has a pipe of its own: one that is killed in the middle of a word leaves no lock behind, and
who listens hears the end of the pipe. The signals that ask a run to stop, which terminals and
schedulers send to all of its processes, reach the run's own alone. The others end when it is gone.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing import connection, resource_tracker, util
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from agents.base import WorkerLost

#: Starts processes, and makes the memory that they share.
CONTEXT = multiprocessing.get_context("spawn")
#: What numerical libraries read when they start.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
#: Seconds for which a process may take to end by itself, or to be seen to have ended.
_PATIENCE = 2.0


class Worker:
    """A process, whose numerical libraries have one thread.

    Args:
        name: for people.
        target: a module's function, called there with the other end of the pipe and `arguments`.

    Attributes:
        connection: this end of the pipe.
    """

    def __init__(self, name: str, target: Callable[..., None], *arguments: Any) -> None:
        self.name = name
        self.connection, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(
            target=_main, args=(target, theirs, *arguments), name=name, daemon=True
        )
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            resource_tracker.ensure_running()  # which unblocks some of them
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
            with _one_thread():
                self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        # should nobody close it: Python, on its way out, waits for processes that ignore SIGTERM
        self._at_exit = util.Finalize(self, _kill, args=(self._process,), exitpriority=10)

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.is_alive()

    def send(self, message: Any) -> None:
        """
        Raises:
            WorkerLost: nobody is there to hear it.
        """
        try:
            self.connection.send(message)
        except OSError:
            raise self.lost() from None

    def receive(self) -> Any:
        """The next thing that it says.

        Raises:
            WorkerLost: it has ended.
        """
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            raise self.lost() from None

    def lost(self) -> WorkerLost:
        """How it ended, or is about to."""
        self._process.join(_PATIENCE)
        code = self._process.exitcode
        if code is None:
            how = "no longer answers"
        elif code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
            if code == -signal.SIGKILL:
                how += " (as by a machine that is out of memory)"
        else:
            how = f"ended with exit code {code}"
        return WorkerLost(f"{self.name} {how}", code or 0)

    def close(self) -> None:
        """Ends it."""
        self.connection.close()
        self._process.join(_PATIENCE)
        self._at_exit()


def heard(workers: list[Worker], seconds: float) -> list[Worker]:
    """Those that have said something, or have ended, within so many seconds."""
    ready = set(connection.wait([worker.connection for worker in workers], seconds))
    return [worker for worker in workers if worker.connection in ready]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _kill(process: BaseProcess) -> None:
    if process.is_alive():
        process.kill()
        process.join()


def _main(target: Callable[..., None], pipe: Connection, *arguments: Any) -> None:
    gc.enable()  # the program that started this one, imported again, may pause it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # the run's own process has closed the pipe
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        target(pipe, *arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
