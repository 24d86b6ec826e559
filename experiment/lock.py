"""One process a run: a lock file that says who holds it, and that a dead holder cannot keep."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from experiment.errors import Locked, StorageError

#: How often the holder touches its lock, and after how long without a touch a holder on
#: another host (whose processes cannot be looked at from here) counts as dead.
HEARTBEAT_SECONDS = 30.0
STALE_SECONDS = 600.0
#: Environment variable that names a scheduler's job and how often it began, as in
#: "123_4 attempt 1".
JOB_VARIABLE = "SWEEP_JOB"


class Lock:
    """Held from `with` to its end; meanwhile a thread keeps showing that the holder lives.

    Attributes:
        inherited: whether a holder died with it, perhaps in the middle of a write.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self.what = what
        self.inherited = False
        self._content = _identity()

    def __enter__(self) -> Lock:
        for _ in range(5):
            if self._create():
                self._heart = _beating_heart()
                self._heart.locks.add(self)
                return self
            holder = _read(self.path)
            if holder is not None and _alive(holder, self.path):
                raise Locked(
                    f"{self.what} is being run by process {holder['pid']} on {holder['host']} "
                    f"since {holder['since']} (lock file {self.path})"
                )
            self._remove_stale(holder)
            self.inherited = True
        raise Locked(f"{self.what}: the lock file {self.path} changes hands too fast")

    def _create(self) -> bool:
        """Creates the lock with its content in one step, so no reader sees it empty."""
        temporary = self.path.with_name(f".{self.path.name}.{socket.gethostname()}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_text(json.dumps(self._content))
                os.link(temporary, self.path)
                return True
            except FileExistsError:
                return False
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _remove_stale(self, seen: dict[str, Any] | None) -> None:
        """Moves the dead holder's file away; puts it back if somebody took over meanwhile."""
        aside = self.path.with_name(f".{self.path.name}.stale.{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(aside)
            if _read(aside) != seen:
                with contextlib.suppress(FileExistsError):
                    os.link(aside, self.path)
            aside.unlink()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._heart.locks.discard(self)
        if _read(self.path) == self._content:
            with contextlib.suppress(OSError):
                self.path.unlink()


class _Heart(threading.Thread):
    """Touches lock files for other hosts to see, also during a step that takes an hour."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.locks: set[Lock] = set()

    def run(self) -> None:
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            for lock in self.locks.copy():
                with contextlib.suppress(OSError):
                    os.utime(lock.path)


_heart: _Heart | None = None


def _beating_heart() -> _Heart:
    """That of this process, for all of its locks; a thread for each run takes longer than some."""
    global _heart
    if _heart is None or not _heart.is_alive():  # none survives a fork
        _heart = _Heart()
        _heart.start()
    return _heart


def holder_of(path: Path) -> dict[str, Any] | None:
    """The living process that holds the lock: its host, pid, since when."""
    holder = _read(path)
    return holder if holder is not None and _alive(holder, path) else None


def held(path: Path) -> bool:
    """Whether a living process holds the lock."""
    return holder_of(path) is not None


def _identity() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "process_start": _own_start(os.getpid()),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "job": os.environ.get(JOB_VARIABLE),
    }


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or not {"host", "pid", "since"} <= content.keys():
        return None
    pid = content["pid"]
    return content if type(pid) is int and 0 < pid < 2**31 else None


def _alive(holder: dict[str, Any], path: Path) -> bool:
    if _is_earlier_attempt(holder.get("job"), os.environ.get(JOB_VARIABLE)):
        return False
    if holder["host"] == socket.gethostname():
        try:
            os.kill(holder["pid"], 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        # a pid is reused; a pid with a start time is not
        started = _process_start(holder["pid"])
        return started is None or started == holder.get("process_start")
    try:
        age = _file_server_now(path.parent) - path.stat().st_mtime
    except FileNotFoundError:
        return False
    except OSError:
        return True  # a full disk does not prove anybody dead
    return age < STALE_SECONDS


def _is_earlier_attempt(holder: str | None, own: str | None) -> bool:
    """Whether the holder was this very job before the scheduler put it back and began it again.

    No other proof of its end may be had for minutes: it may have run on another node.
    """
    if holder is None or own is None or holder == own:
        return False
    return holder.partition(" attempt ")[0] == own.partition(" attempt ")[0]


def _process_start(pid: int) -> str | None:
    """Start time and boot of a process where the system tells (Linux), else None.

    Of a zombie, which runs nothing any more, no process's: the empty text.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else f"{_boot()}:{fields[19]}"
    except OSError:
        return None


@functools.cache
def _own_start(pid: int) -> str | None:
    return _process_start(pid)


@functools.cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _file_server_now(folder: Path) -> float:
    """The clock that stamps files here, which on a network disk is not this host's."""
    probe = folder / f".clock.{socket.gethostname()}.{os.getpid()}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
