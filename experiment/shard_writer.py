"""Appending records to a shard: one process at a time, one write a record, nothing to lose.

See `experiment.shards` for what a shard is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from experiment.errors import StorageError
from experiment.files import fsync_folder, storage

FOLDER = "shards"
#: How the name of a shard ends that has no writer any more.
CLOSED = ".closed.jsonl"
_COPIED_AT_ONCE = 1 << 20


class ShardWriter:
    """The shard that this process appends to, or that the processes forked from it share.

    The file has a name that no other process ever uses, and begins with the first record.

    Attributes:
        path: of the file.
    """

    def __init__(self, results: Path, name: str | None = None) -> None:
        """`name`: how the file's name begins; by default host and process."""
        who = name or f"{socket.gethostname()}-{os.getpid()}"
        who = re.sub(r"[^A-Za-z0-9_-]+", "-", who)
        self.path = results / FOLDER / f"{who}-{secrets.token_hex(4)}.jsonl"
        self._turn: int | None = None

    def share(self) -> None:
        """Before a fork: from now on, children append in turns. They wait for one another by a lock
        in this machine's memory, which no network disk hears of and no dead process keeps."""
        with tempfile.TemporaryFile() as nameless:
            self._turn = os.dup(nameless.fileno())

    def append(self, record: bytes) -> None:
        """Adds a record, which is on disk when this returns.

        Raises:
            StorageError: the disk is full...; the records before are as they were.
        """
        with storage(f"{self.path}: cannot be written"), self._in_turn():
            while not self._append(record):
                pass  # the file was taken out of use meanwhile; a new one of its name begins

    @contextlib.contextmanager
    def many(self) -> Iterator[Callable[[bytes], None]]:
        """Writes a whole shard: the block adds its records, and either all are there or none.

        Raises:
            StorageError: the disk is full...
        """
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        with storage(f"{self.path}: cannot be written"):
            self.path.parent.mkdir(exist_ok=True)
            try:
                with temporary.open("wb") as file:
                    yield lambda record: _write(file.fileno(), record)
                    os.fsync(file.fileno())
                    if file.seek(0, os.SEEK_END) == 0:
                        return
                temporary.rename(self.path)
                fsync_folder(self.path.parent)
                fsync_folder(self.path.parent.parent)
            finally:
                temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _in_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        fcntl.lockf(self._turn, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._turn, fcntl.LOCK_UN)

    def _append(self, record: bytes) -> bool:
        """False if the file has lost its name since it was opened: who took it may not have seen
        this record."""
        self.path.parent.mkdir(exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            size = os.fstat(file).st_size
            # the process before this one may have been killed while it wrote
            torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
            try:
                _write(file, b"\n" + record if torn else record)
                os.fsync(file)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(file, size)
                raise
            if size == 0:
                fsync_folder(self.path.parent)
                fsync_folder(self.path.parent.parent)
            return _is_named(file, self.path)
        finally:
            os.close(file)


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:  # a full disk may take the first part of it
        rest = rest[os.write(file, rest) :]


def _is_named(file: int, path: Path) -> bool:
    """Whether `path` is this very file: by opening it, where network disks look anew."""
    try:
        now = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return os.path.sameopenfile(now, file)
    finally:
        os.close(now)


def without_lines(path: Path, spans: Sequence[tuple[int, int]]) -> None:
    """Takes a shard out of use, and bytes out of it; it goes when none are left.

    Args:
        spans: (first byte, byte after the last), ascending.

    Raises:
        StorageError: the disk is full...; the file is as it was, but for its name.
    """
    path = take_out_of_use(path)
    temporary = path.with_name(f".{path.name}.tmp")
    with storage(f"{path}: cannot be written"):
        try:
            with path.open("rb") as old, temporary.open("wb") as new:
                ends = [end for _, end in spans]
                for start, end in zip([0, *ends], [*(s for s, _ in spans), None], strict=True):
                    old.seek(start)
                    if end is None:
                        shutil.copyfileobj(old, new)
                    else:
                        _copy(old, new, end - start)
                new.flush()
                os.fsync(new.fileno())
                empty = new.tell() == 0
            if empty:
                path.unlink()
            else:
                temporary.rename(path)
            fsync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _copy(source: IO[bytes], target: IO[bytes], count: int) -> None:
    while count > 0:
        data = source.read(min(count, _COPIED_AT_ONCE))
        if not data:
            return
        target.write(data)
        count -= len(data)


def take_out_of_use(path: Path) -> Path:
    """Renames a shard, so that nothing is appended to it any more once it has been read through.

    A writer that had it open appends its record again, to a new file.

    Raises:
        StorageError: it cannot be renamed.
    """
    if path.name.endswith(CLOSED):
        return path
    closed = path.with_name(f"{path.stem}-{secrets.token_hex(4)}{CLOSED}")
    try:
        path.rename(closed)
    except OSError as error:
        raise StorageError(f"{path}: cannot be renamed: {error.strerror}") from error
    fsync_folder(path.parent)
    return closed
