"""The signals that ask a job to stop, from its first moment to its last."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType
from typing import Any

from experiment.signals import STOP_SIGNALS


class StopSignals:
    """Listens to them, and for the ends of processes. Use as a context manager.

    Attributes:
        first: name of the first stop signal that arrived; None when none did.
        wakeup: file descriptor that can be read from when a signal has arrived.
    """

    def __init__(self) -> None:
        self.first: str | None = None
        self.wakeup, self._end = os.pipe()
        for descriptor in (self.wakeup, self._end):
            os.set_blocking(descriptor, False)
        self._before: dict[int, Any] = {}
        self._former = -1

    def __enter__(self) -> StopSignals:
        self._former = signal.set_wakeup_fd(self._end, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        # a handler of its own, else the end of a process would wake nobody
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former)
        os.close(self.wakeup)
        os.close(self._end)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.first is None:
            self.first = signal.Signals(number).name
