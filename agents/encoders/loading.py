"""Batches made in a background thread while the one before is learned from."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Generic, Self, TypeVar

Batch = TypeVar("Batch")
_AHEAD = 4


class Loader(Generic[Batch]):
    """Calls `draw(number)` for number after number, a few ahead of what is asked for.

    As a batch is determined by its number, one may go on from any of them.

    Attributes:
        waited: seconds that `next` has waited.
    """

    def __init__(
        self, draw: Callable[[int], Batch], numbers: Iterable[int], ahead: int = _AHEAD
    ) -> None:
        self.waited = 0.0
        self._draw, self._numbers = draw, numbers
        self._batches: queue.Queue[Batch | BaseException] = queue.Queue(ahead)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._fill, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        # the thread may wait for room
        with contextlib.suppress(queue.Empty):
            while True:
                self._batches.get_nowait()
        self._thread.join()

    def next(self) -> Batch:
        """The next batch.

        Raises:
            whatever `draw` raised.
        """
        begun = time.perf_counter()
        batch = self._batches.get()
        self.waited += time.perf_counter() - begun
        if isinstance(batch, BaseException):
            raise batch
        return batch

    def _fill(self) -> None:
        try:
            for number in self._numbers:
                batch = self._draw(number)
                if self._closing.is_set():
                    return
                self._batches.put(batch)
        except BaseException as error:  # it is raised where the batch is asked for
            self._batches.put(error)
