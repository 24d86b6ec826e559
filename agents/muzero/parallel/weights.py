"""A network's arrays in memory that processes share: one writes, the others read when they like."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from agents.processes import CONTEXT


class _Place(NamedTuple):
    """Where an array lies."""

    start: int
    shape: tuple[int, ...]
    dtype: str

    def of(self, memory: NDArray[np.uint8]) -> NDArray[Any]:
        dtype = np.dtype(self.dtype)
        size = int(np.prod(self.shape)) * dtype.itemsize
        return memory[self.start : self.start + size].view(dtype).reshape(self.shape)


class SharedWeights:
    """Nobody waits for anybody: who reads while it is written finds that the checksum is not that
    of the version, and reads again.

    Args:
        arrays: what they will be like.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._places: dict[str, _Place] = {}
        end = 0
        for name, array in arrays.items():
            self._places[name] = _Place(end, array.shape, array.dtype.str)
            end += -(-array.nbytes // 8) * 8
        self._memory = CONTEXT.RawArray("B", max(end, 1))
        self._header = CONTEXT.RawArray("Q", 2)  # version, checksum

    @property
    def version(self) -> int:
        """Of what is there; 0: nothing yet."""
        return int(self._header[0])

    def write(self, version: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Replaces what is there.

        Args:
            version: greater than before.
        """
        memory = np.frombuffer(self._memory, np.uint8)
        for name, place in self._places.items():
            place.of(memory)[...] = arrays[name]
        self._header[1] = xxhash.xxh3_64_intdigest(memory.data, seed=version)
        self._header[0] = version

    def read(self) -> tuple[int, dict[str, NDArray[Any]]]:
        """A version and its arrays, all of one writing."""
        memory = np.frombuffer(self._memory, np.uint8)
        while True:
            version, checksum = self._header
            copy = memory.copy()
            if version and xxhash.xxh3_64_intdigest(copy.data, seed=version) == checksum:
                return version, {name: place.of(copy) for name, place in self._places.items()}
            time.sleep(1e-5)
