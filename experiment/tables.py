"""`runs.parquet` and `curves.parquet`: a results folder as tables, for pandas, R, DuckDB...

Rows stand by setting and then by run, whatever the order in which runs finished. Runs that the
tables have already are copied from there; only new records are parsed, and memory does not grow
with the number of runs.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from experiment import columns, record
from experiment.columns import Type
from experiment.files import fsync_folder, storage
from experiment.manifest import Manifest
from experiment.merge import Show
from experiment.merge_folder import SetAside, read_manifest
from experiment.merge_index import Columns, Earlier
from experiment.merge_sources import Copy, Sources
from experiment.run_content import RunReader
from experiment.table_columns import BINS, Rows, curves_schema, runs_schema

if TYPE_CHECKING:
    import pyarrow as pa

RUNS, CURVES = "runs.parquet", "curves.parquet"
FORMAT = 1
_TYPES: tuple[Type, ...] = ("q", "Q", "q", "q", "B")
#: Rows that are written together, of either table.
_GROUP = {RUNS: 1 << 14, CURVES: 1 << 19}
#: Runs that are parsed before they become rows.
_AT_ONCE = 256


@dataclass
class Tabled:
    """What was written.

    Attributes:
        new: runs that were parsed; the others were copied from the tables before.
        set_aside: files that are no whole record of this folder, left out.
        untouched: nothing had changed; the tables were left as they are.
    """

    runs: int = 0
    settings: int = 0
    diverged: int = 0
    new: int = 0
    orphaned: int = 0
    set_aside: list[SetAside] = field(default_factory=list)
    untouched: bool = False


def write_tables(folder: Path, into: Path, show: Show) -> Tabled:
    """Brings the tables of `folder`, which lie in `into`, up to date.

    Raises:
        ConfigError: no results folder, or no record in it.
        StorageError: the disk is full...; the tables are as they were.
    """
    manifest, meaning = read_manifest(folder)
    digest = xxhash.xxh3_128_hexdigest(meaning)
    with Sources(folder, manifest, digest) as sources:
        earlier = _Tables(into, digest, manifest)
        with contextlib.closing(earlier), _Writer(into, manifest) as writer:
            tabling = _Tabling(sources, earlier, writer, manifest)
            tabled = tabling.run(show)
            if not tabled.untouched:
                lies = writer.finish()
                header = _header(digest, lies)
                columns.save(into / f".{RUNS}.index", header, tabling.columns.all())
    return tabled


def _header(digest: str, lies: dict[str, list[int]]) -> dict[str, Any]:
    return {"format": FORMAT, "manifest": digest, "bins": BINS, "tables": lies}


def _lies(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ino]


class _Tables:
    """The tables as they are, read from front to back; none where their index does not fit.

    Attributes:
        earlier: the runs in them: `starts` and `lengths` are rows of the curves.
    """

    def __init__(self, into: Path, digest: str, manifest: Manifest) -> None:
        found = columns.load(into / f".{RUNS}.index", _TYPES)
        lies = {}
        with contextlib.suppress(OSError):
            lies = {name: _lies(into / name) for name in (RUNS, CURVES)}
        fits = found is not None and found[0] == _header(digest, lies)
        known = Columns(*found[1]) if found is not None and fits else Columns()
        self.earlier = Earlier(known, 0, manifest.grid.size)
        self._streams = (
            {name: _Stream(into / name) for name in (RUNS, CURVES)} if len(known) else {}
        )

    def rows(self, name: str, start: int, end: int) -> pa.Table:
        """Rows of a table; ask in ascending order."""
        return self._streams[name].rows(start, end)

    def close(self) -> None:
        """The files."""
        for stream in self._streams.values():
            stream.file.close()


class _Stream:
    """The rows of a Parquet file, front to back."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self.file: Any = pq.ParquetFile(path)
        self._group, self._start = -1, 0
        self._table: Any = None

    def rows(self, start: int, end: int) -> pa.Table:
        """From `start` to `end`, both not less than before."""
        import pyarrow as pa

        pieces = []
        while start < end:
            while self._table is None or start >= self._start + self._table.num_rows:
                self._start += 0 if self._table is None else self._table.num_rows
                self._group += 1
                self._table = self.file.read_row_group(self._group)
            until = min(end, self._start + self._table.num_rows)
            pieces.append(self._table.slice(start - self._start, until - start))
            start = until
        return pa.concat_tables(pieces) if pieces else self.file.schema_arrow.empty_table()


class _Writer:
    """The next tables, beside the old ones until they are whole. Use as a context manager."""

    def __init__(self, into: Path, manifest: Manifest) -> None:
        self._into = into
        self._schemas = {RUNS: runs_schema(manifest), CURVES: curves_schema()}
        self._temporary = {
            name: into / f".{name}.{uuid.uuid4().hex[:12]}.tmp" for name in self._schemas
        }
        self._writers: dict[str, Any] = {}
        self._waiting: dict[str, list[Any]] = {name: [] for name in self._schemas}
        self._rows = dict.fromkeys(self._schemas, 0)

    def put(self, name: str, table: pa.Table) -> None:
        """The next rows of a table. Where groups of rows end depends on their number alone."""
        self._waiting[name].append(table)
        self._rows[name] += table.num_rows
        while self._rows[name] >= _GROUP[name]:
            self._write(name, _GROUP[name])

    def _write(self, name: str, count: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with storage(f"{self._into / name}: cannot be written"):
            if name not in self._writers:
                path = self._temporary[name]
                options = {"compression": "zstd", "write_statistics": True}
                self._writers[name] = pq.ParquetWriter(path, self._schemas[name], **options)
            if count:
                rows = pa.concat_tables(self._waiting[name]).combine_chunks()
                self._writers[name].write_table(rows.slice(0, count), row_group_size=count)
                self._waiting[name] = [rows.slice(count)]
                self._rows[name] -= count

    def finish(self) -> dict[str, list[int]]:
        """Puts both in place; says how they lie on disk."""
        for name in self._schemas:
            self._write(name, self._rows[name])
            with storage(f"{self._into / name}: cannot be written"):
                self._writers.pop(name).close()
                with self._temporary[name].open("rb") as file:
                    os.fsync(file.fileno())
        with storage(f"{self._into}: cannot be written"):
            for name, temporary in self._temporary.items():
                temporary.replace(self._into / name)
        fsync_folder(self._into)
        return {name: _lies(self._into / name) for name in self._schemas}

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            with contextlib.suppress(Exception):
                writer.close()
        for temporary in self._temporary.values():
            with contextlib.suppress(OSError):
                temporary.unlink()


class _Tabling:
    """One pass over the records, in the order of the tables.

    Attributes:
        columns: of the runs in the new tables.
    """

    def __init__(
        self, sources: Sources, tables: _Tables, writer: _Writer, manifest: Manifest
    ) -> None:
        self._sources, self._tables, self._writer = sources, tables, writer
        self._rows, self._reader = Rows(manifest), RunReader()
        self._tabled = Tabled()
        self.columns = Columns()
        self._points = 0  # rows of the curves so far
        self._kept: tuple[int, int] | None = None  # positions that are still to be copied

    def run(self, show: Show) -> Tabled:
        """Puts every run that can be."""
        tabled, earlier = self._tabled, self._tables.earlier
        buffer = bytearray(1 << 20)

        def room(size: int) -> memoryview:
            nonlocal buffer
            if size > len(buffer):
                buffer = bytearray(size)
            return memoryview(buffer)[:size]

        for done, (index, copies) in enumerate(self._sources):
            show(done, len(self._sources))
            position = earlier.find(index)
            if position is not None and copies[0].stamp() == earlier.stamp(position):
                self._keep(position)
            else:
                self._read(index, copies, room)
        known = earlier.columns
        tabled.untouched = not tabled.new and len(known) > 0 and self._kept == (0, len(known))
        if not tabled.untouched:
            self._copy_kept()
            self._put_rows()
        tabled.runs = len(self.columns)
        tabled.settings = len({i % self._sources.grid_size for i in self.columns.indices})
        tabled.diverged = sum(self.columns.diverged)
        tabled.set_aside += self._sources.names.misnamed
        tabled.orphaned = self._sources.orphaned
        return tabled

    def _keep(self, position: int) -> None:
        known = self._tables.earlier.columns
        if self._kept is not None and self._kept[1] == position:
            self._kept = (self._kept[0], position + 1)
        else:
            self._copy_kept()
            self._put_rows()
            self._kept = (position, position + 1)
        self._note(
            known.indices[position],
            known.stamps[position],
            known.lengths[position],
            known.diverged[position],
        )

    def _note(self, index: int, stamp: int, points: int, diverged: int) -> None:
        self.columns.append(index, stamp, self._points, points, diverged)
        self._points += points

    def _copy_kept(self) -> None:
        if self._kept is None:
            return
        start, end = self._kept
        self._kept = None
        columns = self._tables.earlier.columns
        last = columns.starts[end - 1] + columns.lengths[end - 1]
        self._put_rows()
        for at in range(start, end, _GROUP[RUNS]):
            until = min(end, at + _GROUP[RUNS])
            self._writer.put(RUNS, self._tables.rows(RUNS, at, until))
        for at in range(columns.starts[start], last, _GROUP[CURVES]):
            until = min(last, at + _GROUP[CURVES])
            self._writer.put(CURVES, self._tables.rows(CURVES, at, until))

    def _put_rows(self) -> None:
        if len(self._rows):
            runs, curves = self._rows.take()
            self._writer.put(RUNS, runs)
            self._writer.put(CURVES, curves)

    def _read(self, index: int, copies: list[Copy], room: Any) -> None:
        """Adds a run from the first of its copies that is good; the bad ones are set aside."""
        for sealed, stamp in self._sources.good(index, copies, room, self._tabled.set_aside):
            try:
                self._reader.read(sealed.run)
                self._copy_kept()
                points = self._rows.add(self._identity(index, sealed.head), self._reader)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                why = f"its run is not what a run holds: {error}"
                self._tabled.set_aside.append(SetAside(copies[0].name, why))
                continue
            self._note(index, stamp, points, sealed.head.status == "diverged")
            self._tabled.new += 1
            if len(self._rows) >= _AT_ONCE:
                self._put_rows()
            return

    def _identity(self, index: int, head: record.Head) -> list[Any]:
        setting = index % self._sources.grid_size
        return [setting, head.run_number, head.random_seed, index, head.setting_id, head.status]


def episodes(folder: Path) -> Iterator[tuple[record.Head, Any]]:
    """(head, training episodes) of every whole record of a folder, in the order of the tables.

    Raises:
        ConfigError: no results folder, or no record in it.
        StorageError: it cannot be read.
    """
    manifest, meaning = read_manifest(folder)
    reader = RunReader()
    with Sources(folder, manifest, xxhash.xxh3_128_hexdigest(meaning)) as sources:
        for index, copies in sources:
            found = sources.good(index, copies, lambda size: memoryview(bytearray(size)), [])
            for sealed, _ in found:
                reader.read(sealed.run)
                content = reader.episodes()
                if content is not None:
                    yield sealed.head, content
                break
