"""A pipe whose messages' arrays lie in shared memory."""

from __future__ import annotations

import pickle
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from agents.processes import CONTEXT

#: What an array's place in the memory is a multiple of, in bytes.
_GRAIN = 64


class Mailbox:
    """Room for one message: it is overwritten by the next.

    Args:
        like: a message of the size that they will have; what does not fit goes through the pipe.
    """

    def __init__(self, like: Any) -> None:
        buffers: list[pickle.PickleBuffer] = []
        pickle.dumps(like, protocol=5, buffer_callback=buffers.append)
        self._memory = CONTEXT.RawArray("B", sum(_room(one) for one in buffers) + _GRAIN)

    def send(self, pipe: Connection, message: Any) -> None:
        """Puts its arrays into the memory, and the rest into the pipe."""
        memory = np.frombuffer(self._memory, np.uint8)
        ends: list[tuple[int, int]] = []

        def keep(buffer: pickle.PickleBuffer) -> bool:
            start = ends[-1][1] + -ends[-1][1] % _GRAIN if ends else 0
            raw = buffer.raw()
            if start + raw.nbytes > len(memory):
                return True  # in the pipe
            memory[start : start + raw.nbytes] = raw
            ends.append((start, start + raw.nbytes))
            return False

        rest = pickle.dumps(message, protocol=5, buffer_callback=keep)
        pipe.send((rest, ends))

    def open(self, letter: tuple[bytes, list[tuple[int, int]]]) -> Any:
        """The message of what came through the pipe, with arrays that are there until the next."""
        rest, ends = letter
        memory = memoryview(self._memory).cast("B")
        return pickle.loads(rest, buffers=[memory[start:end] for start, end in ends])


def _room(buffer: pickle.PickleBuffer) -> int:
    size = buffer.raw().nbytes
    return size + -size % _GRAIN
