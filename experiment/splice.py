"""A file put together from new bytes and from ranges of the file that it replaces."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from experiment.files import fsync_folder, storage

_BUFFER = 1 << 19  # large writes cost a file system less, while this still fits the cache
_ALIGNMENT = 64  # kernels copy several times slower to an odd address
_MOST_PIECES = 1000  # that one call may write (IOV_MAX)
_COPIED_AT_ONCE = 1 << 26
#: How kernels and file systems say that they cannot copy by themselves; a full disk is not here.
_NO_KERNEL_COPY = {
    errno.EXDEV,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.EINVAL,
    errno.EPERM,
    errno.ETXTBSY,
}

Buffer = bytes | memoryview


class Splice:
    """Writes the next `path` beside it; only `finish` puts it in place, whole or not at all.

    Nothing is written before the new file differs from the old one, and adjacent ranges of the
    old file are copied as one. Use as a context manager.

    Attributes:
        size: bytes put so far.
    """

    def __init__(self, path: Path, old: int | None, old_size: int) -> None:
        """`old`: descriptor of the file at `path`, of `old_size` bytes; None to start afresh."""
        self.path = path
        self.size = 0
        self._old, self._old_size = old, old_size
        self._kept = (0, 0)  # a range of the old file that is still to be copied
        self._pieces: list[Buffer] = []  # new bytes that are still to be written, before `_kept`
        self._buffer = memoryview(mmap.mmap(-1, _BUFFER))  # aligned to a page
        self._used = self._claimed = 0  # bytes of the buffer in `_pieces`; and with the last room
        self._temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
        self._new: int | None = None

    def room(self, size: int) -> memoryview:
        """Space to read `size` bytes into; parts of it can be put without a copy.

        It is anyone's again at the next call, save for what was put.
        """
        if self._used + size > len(self._buffer):
            self._write_pieces()
        if not self._pieces:
            self._used = 0
        if size > len(self._buffer):
            self._buffer = memoryview(mmap.mmap(-1, size))
        end = self._used + size
        self._claimed = end + -end % _ALIGNMENT
        return self._buffer[self._used : end]

    def keep(self, start: int, end: int) -> None:
        """Next come the old file's bytes `start` to `end`."""
        if start == self._kept[1]:
            self._kept = (self._kept[0], end)
        else:
            self._copy_kept()
            self._kept = (start, end)
        self.size += end - start

    def put(self, *pieces: Buffer) -> None:
        """Next come new bytes."""
        self._copy_kept()
        if len(self._pieces) + len(pieces) > _MOST_PIECES:
            self._write_pieces()
        self._pieces += pieces
        self._used = self._claimed
        self.size += sum(map(len, pieces))

    @property
    def same(self) -> bool:
        """Whether what was put is the old file, whole."""
        untouched = self._new is None and not self._pieces
        return self._old is not None and untouched and self._kept == (0, self._old_size)

    def finish(self) -> os.stat_result:
        """Replaces the file, and says how it lies on disk now."""
        self._copy_kept()
        self._write_pieces()
        with self._failing():
            new = self._opened()
            os.fsync(new)
            self._temporary.replace(self.path)
            # of the file itself, not of its name: another process may have replaced it by now
            lies = os.fstat(new)
        fsync_folder(self.path.parent)
        return lies

    def _opened(self) -> int:
        if self._new is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._new = os.open(self._temporary, flags, 0o666)
        return self._new

    def _write_pieces(self) -> None:
        if self._pieces:
            with self._failing():
                _write(self._opened(), self._pieces)
        self._pieces = []

    def _copy_kept(self) -> None:
        start, end = self._kept
        if start == end:
            return
        self._write_pieces()
        assert self._old is not None
        with self._failing():
            _copy(self._old, self._opened(), start, end)
        self._kept = (end, end)

    def _failing(self) -> contextlib.AbstractContextManager[None]:
        return storage(f"{self.path}: cannot be written")

    def __enter__(self) -> Splice:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._new is not None:
            os.close(self._new)
            with contextlib.suppress(OSError):  # gone when `finish` renamed it
                self._temporary.unlink()


def _write(target: int, pieces: Sequence[Buffer]) -> None:
    done = os.writev(target, pieces)
    for piece in pieces:  # the kernel may take less than all
        rest = memoryview(piece)[min(done, len(piece)) :]
        done = max(0, done - len(piece))
        while rest:
            rest = rest[os.write(target, rest) :]


def _copy(source: int, target: int, start: int, end: int) -> None:
    start = _copy_by_kernel(source, target, start, end)
    while start < end:
        data = os.pread(source, min(_BUFFER, end - start), start)
        if not data:
            raise OSError(errno.EIO, "the old file became shorter")
        _write(target, [data])
        start += len(data)


def _copy_by_kernel(source: int, target: int, start: int, end: int) -> int:
    """Copies as far as the kernel can by itself; returns how far."""
    if not hasattr(os, "copy_file_range"):
        return start
    while start < end:
        try:
            copied = os.copy_file_range(source, target, min(_COPIED_AT_ONCE, end - start), start)
        except OSError as error:
            if error.errno in _NO_KERNEL_COPY:
                return start
            raise
        if copied == 0:
            return start
        start += copied
    return start
