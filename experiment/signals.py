"""Asking a run to stop: SIGTERM (the scheduler), SIGUSR1 (the time limit nears), SIGINT (Ctrl-C).

A handler only sets a flag; training looks at it between two steps, saves, and leaves.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: Exit code of a process that was asked to stop and has saved (EX_TEMPFAIL: run it again).
EXIT_SAVED = 75
STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


@contextmanager
def on_stop_signal(ask_to_stop: Callable[[], None]) -> Iterator[None]:
    """Calls `ask_to_stop` when a stop signal arrives inside the block."""

    def handle(number: int, frame: FrameType | None) -> None:
        ask_to_stop()

    before = {number: signal.signal(number, handle) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
