"""Asking a run to stop: SIGTERM (the scheduler), SIGUSR1 and SIGUSR2 (the time limit nears),
SIGINT (Ctrl-C).

A handler only sets a flag; training looks at it between two steps, saves, and leaves.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: Exit code of a process that was asked to stop and has saved (EX_TEMPFAIL: run it again).
EXIT_SAVED = 75
STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)


_listeners: list[Callable[[], None]] = []
_arrived: list[int] = []  # since the outermost block began


@contextmanager
def on_stop_signal(ask_to_stop: Callable[[], None]) -> Iterator[None]:
    """Calls `ask_to_stop` when a stop signal arrives inside the block, or has arrived inside a
    block around it: one sequence, one run in it, and no moment between that loses the signal."""
    _listeners.append(ask_to_stop)
    before = {number: signal.signal(number, _handle) for number in STOP_SIGNALS}
    if _arrived:
        ask_to_stop()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _listeners.pop()
        if not _listeners:
            _arrived.clear()


def _handle(number: int, frame: FrameType | None) -> None:
    _arrived.append(number)
    for ask_to_stop in _listeners:
        ask_to_stop()
