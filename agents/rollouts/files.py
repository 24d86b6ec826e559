"""Files that are never half there, and the remains of writers that died."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import time
from pathlib import Path
from typing import Any

import xxhash

#: After how long without a write a temporary file of another host is nobody's.
STALE_SECONDS = 3600.0
_SUFFIX = ".tmp"


class Temporary:
    """A hidden file next to `path`, open for writing, that becomes `path` with `publish`.

    It is locked while its writer lives, so that `clear_leftovers` can tell it from a dead one's.

    Raises:
        OSError: it cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.target = path
        while True:
            name = f".{path.name}.{socket.gethostname()}.{secrets.token_hex(4)}{_SUFFIX}"
            self.path = path.with_name(name)
            self.file = self.path.open("xb+", buffering=0)
            if _locked(self.file.fileno()) and self.path.exists():
                return
            self.file.close()  # taken for a leftover between its creation and its lock

    def publish(self) -> None:
        """Syncs and renames it."""
        os.fsync(self.file.fileno())
        self.path.replace(self.target)
        self.file.close()
        fsync_folder(self.target.parent)

    def discard(self) -> None:
        """Removes it."""
        with contextlib.suppress(OSError):
            self.path.unlink()
        with contextlib.suppress(OSError):
            self.file.close()


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: there, age decides
        return True
    return True


def clear_leftovers(folder: Path) -> int:
    """Removes the temporary files of writers that died.

    Returns:
        how many.
    """
    here = f".{socket.gethostname()}."
    removed = 0
    for path in folder.glob(f".*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            old = time.time() - path.stat().st_mtime > STALE_SECONDS
            if here not in path.name and not old:
                continue
            with path.open("rb") as file:
                try:
                    fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as error:
                    if isinstance(error, BlockingIOError) or not old:
                        continue
                path.unlink()
                removed += 1
    return removed


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes an object with a checksum of itself: the whole file or none.

    Raises:
        OSError: it cannot be written; `path` is as it was.
    """
    text = json.dumps({**content, "checksum": _checksum(content)}) + "\n"
    _write(path, text.encode())


def copy_atomically(source: Path, target: Path) -> None:
    """Makes `target` a copy of a small file: the whole file or none.

    Raises:
        OSError: it cannot be read or written.
    """
    _write(target, source.read_bytes())


def _write(path: Path, data: bytes) -> None:
    temporary = Temporary(path)
    try:
        view = memoryview(data)
        while view:
            view = view[temporary.file.write(view) :]
        temporary.publish()
    except BaseException as error:
        temporary.discard()
        if isinstance(error, OSError):
            text = f"cannot be written: {error.strerror}"
            raise OSError(error.errno, text, str(path)) from error
        raise


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not, to the bit, what was written.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise ValueError("is damaged: it is not JSON") from None
    if not isinstance(content, dict) or content.pop("checksum", None) != _checksum(content):
        raise ValueError("is damaged: its checksum is another")
    return content


def _checksum(content: dict[str, Any]) -> str:
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return xxhash.xxh3_128_hexdigest(plain.encode())


def fsync_folder(folder: Path) -> None:
    """Makes renames within `folder` survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
