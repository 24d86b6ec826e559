"""What a job writes of its runs: a line of JSON when a group of runs ends, and when the job does.

Only the job's own process writes the file, one line at a time, so a line is whole or the last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Literal

import msgspec

from experiment.files import storage

#: How a group of runs ended. "done": every run has its record. "saved": asked to stop, goes on
#: from its checkpoint. "failed": by an error. "killed": by a signal that was not ours. "timeout":
#: its time (`runTimeout`) was up. "refused": input that cannot be used. "locked": another process
#: runs it.
Ending = Literal["done", "saved", "failed", "killed", "timeout", "refused", "locked"]

#: Endings that count as an attempt that did not work.
FAILURES: tuple[Ending, ...] = ("failed", "killed", "timeout", "refused")

#: Why a job leaves that has nothing more to do.
FINISHED = "finished"
#: Why a job leaves that was to run for some minutes only.
PILOT_OVER = "end of the pilot"

#: Seconds that the clock of a disk may be behind that of a job.
_CLOCKS_APART = 600.0


class Started(msgspec.Struct, frozen=True, tag_field="event", tag="started"):
    """A job begins with a task.

    Attributes:
        job: the scheduler's name of it.
        attempt: how often it was requeued.
    """

    time: float
    host: str
    job: str
    attempt: int


class Ended(msgspec.Struct, frozen=True, tag_field="event", tag="run", omit_defaults=True):
    """A group of runs ended.

    Attributes:
        wall, cpu: seconds.
        memory: largest resident size in bytes.
        gpu_memory: largest allocation on the device in bytes.
        timesteps: of the environment, all runs together, done in this attempt.
        signal: that ended the process.
        error: last line that it wrote, of a group that failed; of one that was killed, the signal.
        gpu_size: memory of the device in bytes.
        start: timestep of each run at which this attempt began.
        resident: last resident size in bytes before it was asked to stop.
        growth: of that, bytes a timestep.
        again: whether the job starts its runs once more, so that nothing is settled yet.
    """

    indices: list[int]
    ended: Ending
    time: float
    wall: float
    cpu: float
    memory: int
    gpu_memory: int = 0
    timesteps: int = 0
    exit: int | None = None
    signal: int | None = None
    error: str | None = None
    gpu_size: int = 0
    start: int = 0
    resident: int = 0
    growth: float = 0.0
    again: bool = False


class Left(msgspec.Struct, frozen=True, tag_field="event", tag="left"):
    """The job ends.

    Attributes:
        why: FINISHED, "time limit", PILOT_OVER, or the name of the signal that asked it to stop.
        unfinished: runs that have to go on in another job.
        memory: largest resident size of the process that started the runs, in bytes.
    """

    time: float
    why: str
    unfinished: int
    memory: int = 0


class Progressed(msgspec.Struct, frozen=True, tag_field="event", tag="progress"):
    """For whoever watches a job, not for the file: how far a group in hand is.

    Attributes:
        start: timestep that this attempt began at.
    """

    slot: int
    indices: list[int]
    timestep: int
    total: int
    start: int


Event = Started | Ended | Left

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class Writer:
    """Appends events to a file. On a full disk events are lost, for which no run is to stop."""

    def __init__(self, path: Path) -> None:
        with storage(f"{path}: cannot be written"):
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            # the job before this one may have been killed while it wrote
            self._torn = not _ends_a_line(path)

    def write(self, event: Event) -> None:
        """One more line."""
        line = (b"\n" if self._torn else b"") + _encoder.encode(event) + b"\n"
        try:
            self._torn = os.write(self._descriptor, line) < len(line)
        except OSError:
            self._torn = True

    def close(self) -> None:
        """No more events."""
        os.close(self._descriptor)


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it was read last. `lies`: inode, size and time of the last change."""

    lies: tuple[int, int, int] = (0, 0, 0)
    content: bytes = b""


_seen: dict[Path, _Seen] = {}
_COMPARED = 256  # bytes: two files are not alike there, since their lines say when


def read(path: Path) -> Iterator[Event]:
    """The events of a file; a torn line is left out.

    A process that asks again reads what the file has grown by. The bytes are kept, not the events:
    these are decoded faster than they are looked after.
    """
    try:
        with path.open("rb", buffering=0) as file:
            seen = _seen[path] = _look(file, _seen.get(path, _Seen()))
    except OSError:
        _seen.pop(path, None)
        return
    for line in seen.content.splitlines():
        try:
            yield _decoder.decode(line)
        except msgspec.DecodeError:
            continue


def _look(file: FileIO, seen: _Seen) -> _Seen:
    about = os.fstat(file.fileno())
    lies = (about.st_ino, about.st_size, about.st_mtime_ns)
    if lies == seen.lies:
        return seen
    known = seen.content if lies[0] == seen.lies[0] else b""
    end = known[-_COMPARED:]
    if os.pread(file.fileno(), len(end), len(known) - len(end)) != end:
        known = b""  # another file in its place
    return _Seen(lies, known + _rest(file, len(known)))


def _rest(file: FileIO, start: int) -> bytes:
    file.seek(start)
    return file.read()


def written_since(path: Path, moment: float) -> bool:
    """Whether a file may hold events of that time or later."""
    try:
        return path.stat().st_mtime > moment - _CLOCKS_APART
    except OSError:
        return False
