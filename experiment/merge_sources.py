"""Every run of a folder, wherever its record lies: in a file, in a shard, in `data.json`."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import xxhash

from experiment import merge_index, pruned, record
from experiment.errors import ConfigError, StorageError
from experiment.manifest import FILE_NAME, Manifest
from experiment.merge_folder import Names, RecordFiles, SetAside, list_names
from experiment.merge_index import Columns
from experiment.pruned import Pruned
from experiment.shards import Line, Shards

#: A run's record in one of its places. `name` is that of the place; `stamp()` a number that changes
#: when the record does, None if it cannot be looked at; `read(room)` the record, proved whole, and
#: the stamp of just what was read, or BadRecord, or OSError.
Copy: TypeAlias = "FileCopy | LineCopy | PrunedCopy"
#: Gives the memory, of so many bytes, that a record is read into.
Room = Callable[[int], memoryview]


class FileCopy:
    """A file of its own."""

    __slots__ = ("_files", "index")

    def __init__(self, files: RecordFiles, index: int) -> None:
        self._files, self.index = files, index

    @property
    def name(self) -> str:
        """As of every `Copy`."""
        return self._files.name(self.index)

    def stamp(self) -> int | None:
        """As of every `Copy`: by how the file lies on disk."""
        return self._files.stamp(self.index)

    def data(self) -> bytes:
        """The record."""
        return bytes(self._files.read(self.index, lambda size: memoryview(bytearray(size)))[0])

    def read(self, room: Room) -> tuple[record.Sealed, int]:
        """As of every `Copy`."""
        data, stamp = self._files.read(self.index, room)
        return record.unseal(data), stamp


class LineCopy:
    """A line of a shard."""

    __slots__ = ("_shards", "line")

    def __init__(self, shards: Shards, line: Line) -> None:
        self._shards, self.line = shards, line

    @property
    def name(self) -> str:
        """As of every `Copy`."""
        path = self._shards.path(self.line)
        return f"{path.parent.name}/{path.name}, byte {self.line.start}"

    @property
    def index(self) -> int:
        """Of the run."""
        return self.line.index

    def data(self) -> bytes:
        """The record."""
        return self._shards.read(self.line)

    def stamp(self) -> int | None:
        """As of every `Copy`: the checksum in the seal."""
        return self.line.checksum

    def read(self, room: Room) -> tuple[record.Sealed, int]:
        """As of every `Copy`."""
        data = room(self.line.length)
        count = self._shards.read_into(self.line, data)
        return record.unseal(data[:count]), self.line.checksum


class PrunedCopy:
    """In `data.json`, and nowhere else."""

    __slots__ = ("_checksum", "_data", "_index", "_setting")

    def __init__(self, data: DataFile, index: int, setting: int, checksum: int) -> None:
        self._data, self._index, self._setting, self._checksum = data, index, setting, checksum

    @property
    def name(self) -> str:
        """As of every `Copy`."""
        return pruned.DATA_NAME

    def stamp(self) -> int | None:
        """As of every `Copy`: the checksum of the run."""
        return self._checksum

    def read(self, room: Room) -> tuple[record.Sealed, int]:
        """As of every `Copy`.

        Raises:
            StorageError: there is no other copy.
        """
        run = self._data.read(self._index, room)
        if run is None or xxhash.xxh3_64_intdigest(run) != self._checksum:
            raise StorageError(
                f"{self._data.path}: the run of index {self._index} is damaged, and its record was "
                f"pruned; nothing was changed. Put back a copy of the file, or remove "
                f"{pruned.FILE_NAME} to have all pruned runs done again"
            )
        return record.Sealed(self._setting, record.head_of(run), run), self._checksum


class DataFile:
    """The runs in a folder's `data.json`, by index."""

    def __init__(self, path: Path, digest: str) -> None:
        """`digest`: of the manifest that the indices go by."""
        self.path = path
        self._digest = digest
        self._file: int | None = None
        self._spans: dict[int, tuple[int, int]] = {}

    def read(self, index: int, room: Room) -> memoryview | None:
        """The bytes of a run, not checked; None if it is not there."""
        if self._file is None:
            self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            columns = columns_of(self._file, self.path, self._digest)
            spans = zip(columns.starts, columns.lengths, strict=True)
            self._spans = dict(zip(columns.indices, spans, strict=True))
        if index not in self._spans:
            return None
        start, length = self._spans[index]
        data = room(length)
        return data[: os.preadv(self._file, [data], start)]

    def close(self) -> None:
        """Of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def columns_of(file: int, path: Path, digest: str) -> Columns:
    """Where the runs lie in an open `data.json`: by its index, else by parsing it.

    Raises:
        StorageError: it is damaged.
    """
    columns = merge_index.load(merge_index.path_of(path), digest, os.fstat(file))
    if columns is not None:
        return columns
    try:
        return merge_index.rebuild(file)
    except ValueError as error:
        raise StorageError(
            f"{path}: damaged ({error}), and it holds runs whose records were pruned; put back a "
            f"copy of it, or remove {pruned.FILE_NAME} to have these runs done again"
        ) from None


class Sources:
    """The records of a folder in the order of `data.json`. Use as a context manager.

    Attributes:
        names: of the record files.
        pruned: the runs that only `data.json` holds.
        grid_size: number of settings.
    """

    def __init__(self, folder: Path, manifest: Manifest, digest: str) -> None:
        """
        Args:
            digest: of the manifest's file.

        Raises:
            ConfigError: there is no record.
            StorageError: the folder cannot be read.
        """
        self.names: Names = list_names(folder, manifest)
        self.pruned: Pruned = pruned.read_strictly(folder, manifest)
        self.shards = Shards(folder, manifest)
        self.shards.look()
        self._files = RecordFiles(folder, manifest.stem)
        self._data = DataFile(folder / pruned.DATA_NAME, digest)
        self._manifest = manifest
        self._identity = (-1, "")  # a setting and its setting_id
        self.grid_size = manifest.grid.size
        lines = self.shards.at_home()
        if not (self.names.indices or self.names.misnamed or lines or self.pruned):
            count = self.orphaned
            aside = f" ({count} orphaned ones are set aside)" if count else ""
            raise ConfigError(f"{folder}: there is no record yet{aside}")
        every = (self.names.indices, lines, self.pruned)
        last = max((index for indices in every for index in indices), default=0)
        runs = last // self.grid_size + 1
        # a number for each record, by setting, then by run, then by what kind of place it is in
        ranks = [
            (index % self.grid_size * runs + index // self.grid_size) * 3 + kind
            for kind, indices in enumerate(every)
            for index in indices
        ]
        ranks.sort()
        self._ranks = array("q", ranks) if not ranks or ranks[-1] < 2**63 else ranks
        self._runs = runs
        self.names.indices.clear()

    @property
    def orphaned(self) -> int:
        """Number of records without an index."""
        return self.names.orphaned + len(self.shards.orphans())

    def __len__(self) -> int:
        return len(self._ranks)

    def __iter__(self) -> Iterator[tuple[int, list[Copy]]]:
        """(index, its copies), the one that counts first."""
        for rank, group in groupby(self._ranks, lambda rank: rank // 3):
            setting, run = divmod(rank, self._runs)
            index = run * self.grid_size + setting
            yield index, [self._copy(index, setting, place % 3) for place in group]

    def copies(self, index: int) -> Iterator[Copy]:
        """Those of one run."""
        setting = index % self.grid_size
        for kind, indices in enumerate(([index], self.shards.at_home(), self.pruned)):
            if index in indices:
                yield self._copy(index, setting, kind)

    def good(
        self, index: int, copies: Iterable[Copy], room: Room, set_aside: list[SetAside]
    ) -> Iterator[tuple[record.Sealed, int]]:
        """(record, stamp) of the copies of a run that are whole and its own, as they are asked for.

        Args:
            set_aside: gets those that are not.
        """
        for copy in copies:
            try:
                sealed, stamp = copy.read(room)
                self.check(index, sealed)
            except FileNotFoundError:
                continue  # it was moved since the folder was listed
            except (record.BadRecord, OSError) as error:
                why = str(error)
                if isinstance(error, OSError):
                    why = f"cannot be read: {error.strerror}"
                set_aside.append(SetAside(copy.name, why))
                continue
            yield sealed, stamp

    def check(self, index: int, sealed: record.Sealed) -> None:
        """Refuses a record that is another run's than its address says.

        Raises:
            BadRecord: it is.
        """
        run, setting = divmod(index, self.grid_size)
        head = sealed.head
        if head.index != index:
            raise record.BadRecord(f"it is the record of index {head.index}, not {index}")
        if (sealed.setting, head.run_number) != (setting, run):
            raise record.BadRecord(
                f"it says setting {sealed.setting}, run {head.run_number}, but index {index} is "
                f"setting {setting}, run {run}"
            )
        if self._identity[0] != setting:
            self._identity = (setting, self._manifest.setting_id(setting))
        if head.setting_id != self._identity[1]:
            raise record.BadRecord(
                f"it was made with another setting or environment: setting_id {head.setting_id}, "
                f"but setting {setting} of {FILE_NAME} is {self._identity[1]}"
            )
        if head.random_seed != run + self._manifest.seed_offset:
            raise record.BadRecord(
                f"its random_seed is {head.random_seed}, but that of run {run} is "
                f"{run + self._manifest.seed_offset}"
            )

    def _copy(self, index: int, setting: int, kind: int) -> Copy:
        if kind == 0:
            return FileCopy(self._files, index)
        if kind == 1:
            line = self.shards.find(index)
            assert line is not None
            return LineCopy(self.shards, line)
        return PrunedCopy(self._data, index, setting, self.pruned[index])

    def __enter__(self) -> Sources:
        self._files.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._files.__exit__(kind, error, traceback)
        self._data.close()
        self.shards.close()
