"""Shards: files of many records, a line each, for sweeps so large that clusters count files.

    <results folder>/shards/<writer>.jsonl
    <results folder>/shards/.index              a cache: what all of them hold

A line is what the file of the record would be. A file is only ever appended to, by one process at a
time, so that no two have to agree about anything. Lines that are not whole are passed over.

A line says by itself whose result it is and which index that has. It counts as long as the index
means just that by the folder's manifest; when the configuration was edited since, it is an orphan.
"""

from __future__ import annotations

import contextlib
import os
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

import msgspec

from experiment import columns, record
from experiment.columns import Type
from experiment.errors import StorageError
from experiment.manifest import Manifest
from experiment.shard_writer import FOLDER

FORMAT = 1
_TYPES: tuple[Type, ...] = ("I", "q", "q", "q", "q", "Q", "Q", "Q", "B", "B")
_SAVED_FROM = 256  # lines that were read anew
_SCANNED = 1 << 16
_OPEN_FILES = 128
_REMEMBERED_SETTINGS = 100_000
_LARGEST = 2**63 - 1
#: The shards are looked at again by `look_again` after so many times what it took to look.
_PATIENCE, _LEAST_SECONDS = 20.0, 0.5


class Line(msgspec.Struct, frozen=True):
    """A whole record in a shard.

    Attributes:
        shard: number of its file.
        start, length: where it lies there.
        checksum: of the record, as its seal says.
        at_home: whether its index means what it is.
    """

    shard: int
    start: int
    length: int
    index: int
    setting: int
    setting_id: int
    random_seed: int
    checksum: int
    diverged: bool
    at_home: bool

    @property
    def name(self) -> str:
        """As `folder.Run.name`."""
        return f"{self.setting_id:016x}-{self.random_seed}"


class _File(msgspec.Struct):
    """What is known of a shard.

    Attributes:
        seen: size, time of the last change and inode when it was looked at last.
        covered: up to where all is whole.
        ragged: whether whole lines are known beyond that.
    """

    name: str
    seen: tuple[int, int, int]
    covered: int = 0
    ragged: bool = False


class Shards:
    """The shards of a results folder, as they were when they were looked at last."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.place = folder / FOLDER
        self._manifest = manifest
        self._files: dict[int, _File] = {}
        self._lines: list[array[int]] = [array(code) for code in _TYPES]
        self._ids: dict[int, int] = {}  # of settings that were met
        self._at_index: dict[int, int] | None = None
        self._orphans: dict[str, int] | None = None
        self._open: dict[int, int] = {}
        self._looked = self._took = 0.0

    def __len__(self) -> int:
        return len(self._lines[0])

    def line(self, position: int) -> Line:
        """One of the lines."""
        shard, start, length, index, setting, setting_id, seed, checksum, diverged, at_home = (
            column[position] for column in self._lines
        )
        what = (index, setting, setting_id, seed, checksum)
        return Line(shard, start, length, *what, bool(diverged), bool(at_home))

    def __iter__(self) -> Iterator[Line]:
        return map(self.line, range(len(self)))

    def path(self, line: Line) -> Path:
        """The file that it stands in."""
        return self.place / self._files[line.shard].name

    def paths(self) -> dict[int, Path]:
        """All files, by number."""
        return {number: self.place / file.name for number, file in self._files.items()}

    # -- what they hold

    def at_home(self) -> dict[int, int]:
        """Index -> position of its line, of all that count.

        Of several lines of one index, which two processes wrote at once, it is always the same.
        """
        if self._at_index is None:
            indices, checksums, at_home = (self._lines[column] for column in (3, 7, 9))
            found: dict[int, int] = {}
            for position, (index, is_home) in enumerate(zip(indices, at_home, strict=True)):
                if is_home:
                    other = found.setdefault(index, position)
                    if other != position and checksums[position] > checksums[other]:
                        found[index] = position
            self._at_index = found
        return self._at_index

    def diverged(self) -> set[int]:
        """Of the indices at home, those whose run diverged."""
        diverged = self._lines[8]
        return {index for index, position in self.at_home().items() if diverged[position]}

    def find(self, index: int) -> Line | None:
        """The line that counts as the record of `index`."""
        position = self.at_home().get(index)
        return None if position is None else self.line(position)

    def orphans(self) -> dict[str, int]:
        """Name (as `folder.Run.name`) -> position, of lines that no index means at present."""
        if self._orphans is None:
            homeless = (at for at, is_home in enumerate(self._lines[9]) if not is_home)
            self._orphans = {self.line(at).name: at for at in homeless}
        return self._orphans

    def orphan(self, name: str) -> Line | None:
        """One of them."""
        position = self.orphans().get(name)
        return None if position is None else self.line(position)

    def read(self, line: Line) -> bytes:
        """The record, not checked.

        Raises:
            OSError: it cannot be read.
        """
        return os.pread(self._opened(line.shard), line.length, line.start)

    def read_into(self, line: Line, room: memoryview) -> int:
        """The same into memory of the line's length; returns how many bytes there were."""
        return os.preadv(self._opened(line.shard), [room], line.start)

    def _opened(self, shard: int) -> int:
        file = self._open.pop(shard, None)
        if file is None:
            if len(self._open) >= _OPEN_FILES:
                os.close(self._open.pop(next(iter(self._open))))  # the one used longest ago
            path = self.place / self._files[shard].name
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._open[shard] = file
        return file

    def close(self) -> None:
        """Closes the files that reading opened."""
        while self._open:
            os.close(self._open.popitem()[1])

    # -- looking

    def look_again(self) -> None:
        """As `look`, unless that was a moment ago: thousands of files take their time."""
        if time.monotonic() - self._looked > max(_LEAST_SECONDS, _PATIENCE * self._took):
            self.look()

    def look(self) -> None:
        """Reads what the shards have grown by.

        Raises:
            StorageError: they cannot be read.
        """
        started = time.monotonic()
        try:
            self._look()
        except OSError as error:
            raise StorageError(f"{self.place}: cannot be read: {error.strerror}") from None
        self._looked = time.monotonic()
        self._took = self._looked - started

    def _look(self) -> None:
        names = self._names()
        if names and not self._files:
            self._load()
        by_name = {file.name: number for number, file in self._files.items()}
        gone = {number for name, number in by_name.items() if name not in names}
        changed: list[tuple[int, _File]] = []
        for name, seen in names.items():
            number = by_name.get(name)
            if number is None:
                number = max(self._files, default=-1) + 1
                self._files[number] = _File(name, (0, 0, seen[2]))
            file = self._files[number]
            if file.seen == seen:
                continue
            grown = file.seen[2] == seen[2] and file.seen[0] < seen[0]
            changed.append((number, _File(name, seen, file.covered if grown else 0)))
        again = {
            number: file.covered
            for number, file in changed
            if self._files[number].ragged or file.covered != self._files[number].covered
        }
        self._forget(dict.fromkeys(gone, 0) | again)
        for number in gone:
            del self._files[number]
        read = sum(self._read_growth(number, file) for number, file in changed)
        if gone or read:
            self._at_index = self._orphans = None
            self.close()
        if read >= _SAVED_FROM:
            with contextlib.suppress(StorageError):  # only a cache
                self._save()

    def _names(self) -> dict[str, tuple[int, int, int]]:
        found = {}
        try:
            with os.scandir(self.place) as entries:
                for entry in entries:
                    if entry.name.endswith(".jsonl") and not entry.name.startswith("."):
                        with contextlib.suppress(FileNotFoundError):
                            lies = entry.stat()
                            found[entry.name] = (lies.st_size, lies.st_mtime_ns, lies.st_ino)
        except FileNotFoundError:
            pass
        return found

    def _forget(self, limits: dict[int, int]) -> None:
        """Drops the lines of the files in `limits` that begin there or later."""
        if not limits:
            return
        shards, starts = self._lines[0], self._lines[1]
        kept = [
            position
            for position, (shard, start) in enumerate(zip(shards, starts, strict=True))
            if start < limits.get(shard, start + 1)
        ]
        self._lines = [
            array(code, [column[position] for position in kept])
            for code, column in zip(_TYPES, self._lines, strict=True)
        ]
        self._at_index = self._orphans = None

    def _read_growth(self, number: int, file: _File) -> int:
        """Adds the lines from `file.covered` on; returns how many."""
        self._files[number] = file
        descriptor = os.open(self.place / file.name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            lines, file.covered = whole_lines(descriptor, file.covered, file.seen[0])
        finally:
            os.close(descriptor)
        file.ragged = bool(lines) and lines[-1][0] >= file.covered
        for start, seal, head in lines:
            if max(head.index, head.random_seed, seal.setting) > _LARGEST:
                continue
            setting_id = int(head.setting_id, 16)
            home = self._is_home(seal.setting, head.index, setting_id, head.random_seed)
            values = (
                *(number, start, seal.length, head.index, seal.setting, setting_id),
                *(head.random_seed, seal.checksum, head.status == "diverged", home),
            )
            for column, value in zip(self._lines, values, strict=True):
                column.append(value)
        return len(lines)

    def _is_home(self, setting: int, index: int, setting_id: int, seed: int) -> bool:
        its_setting, number = self._manifest.grid.split(index)
        if setting != its_setting or seed != number + self._manifest.seed_offset:
            return False
        if setting not in self._ids:
            if len(self._ids) >= _REMEMBERED_SETTINGS:
                self._ids.clear()
            self._ids[setting] = int(self._manifest.setting_id(setting), 16)
        return self._ids[setting] == setting_id

    # -- the cache

    def _save(self) -> None:
        files = [(n, f.name, f.seen, f.covered, f.ragged) for n, f in self._files.items()]
        header = {"format": FORMAT, "meaning": self._manifest.digest(), "files": files}
        columns.save(self.place / ".index", header, self._lines)

    def _load(self) -> None:
        found = columns.load(self.place / ".index", _TYPES)
        if found is None or found[0].get("format") != FORMAT:
            return
        header, loaded = found
        self._lines = []
        for code, column in zip(_TYPES, loaded, strict=True):
            copy = array(code)
            copy.frombytes(column.cast("B"))
            self._lines.append(copy)
        self._files = {
            number: _File(name, tuple(seen), covered, ragged)
            for number, name, seen, covered, ragged in header["files"]
        }
        self._at_index = self._orphans = None
        if header["meaning"] != self._manifest.digest():
            who = zip(*(self._lines[column] for column in (4, 3, 5, 6)), strict=True)
            self._lines[9] = array("B", (self._is_home(*one) for one in who))


Whole = tuple[int, record.Seal, record.Head]


def whole_lines(file: int, start: int, size: int) -> tuple[list[Whole], int]:
    """The whole records among the bytes `start` to `size` of a shard: (where, seal, head) of each.

    Looks at the ends and heads of lines only, from the last one back: a seal says how long its
    line is. Also returns up to where all is whole, and need not be read again.
    """
    end = covered = _after_line_break(file, start, size)
    found: list[Whole] = []
    while end > start:
        tail_start = max(start, end - record.TAIL)
        seal = record.seal_of(os.pread(file, end - tail_start, tail_start))
        begins = end - seal.length if seal is not None else -1
        if seal is not None and begins >= start:
            with contextlib.suppress(record.BadRecord):
                run = os.pread(file, record.HEAD, begins + seal.run[0])
                found.append((begins, seal, record.head_of(run)))
                end = begins
                continue
        end = covered = _after_line_break(file, start, end - 1)
    found.reverse()
    return found, covered


def _after_line_break(file: int, start: int, end: int) -> int:
    """Where the last line break among the bytes `start` to `end` ends; `start` if there is none."""
    while end > start:
        begins = max(start, end - _SCANNED)
        place = os.pread(file, end - begins, begins).rfind(b"\n")
        if place >= 0:
            return begins + place + 1
        end = begins
    return start
