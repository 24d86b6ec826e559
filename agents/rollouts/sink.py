"""What HDF5 writes to, so that a full disk is an error and no crash."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any


class Sink(io.RawIOBase):
    """A file for HDF5, which ends the process when a write fails while it closes a file. So nothing
    fails here: the first error is kept, and raised by `check`.

    Attributes:
        end: how far has been written, in bytes.
    """

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._error: OSError | None = None
        self._stopped = False
        self.end = 0

    def check(self, path: Path) -> None:
        if self._error is not None:
            text = f"cannot be written: {self._error.strerror}"
            raise OSError(self._error.errno, text, str(path)) from self._error

    def stop(self) -> None:
        self._stopped = True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        size = len(view)
        position = self._file.tell()
        while view and self._error is None and not self._stopped:
            try:
                view = view[self._file.write(view) :]
            except OSError as error:
                self._error = error
        if self._file.tell() != position + size:
            self._file.seek(position + size)
        self.end = max(self.end, position + size)
        return size

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer) or 0

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        try:
            return self._file.truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
