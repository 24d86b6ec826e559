"""The records of a results folder as one file, without parsing them.

Runs are copied byte for byte out of their sealed records, settings ascending and runs ascending,
so the file depends on the records alone: not on the order of a listing, nor on what was merged
before. Runs that an earlier merge holds are copied from there; their records stay closed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson
import xxhash

from experiment import merge_index, pruned, record
from experiment.errors import ConfigError, Locked, StorageError
from experiment.files import storage, write_atomically
from experiment.lock import Lock
from experiment.manifest import FILE_NAME, Manifest
from experiment.merge_folder import SetAside, is_record_name, read_manifest
from experiment.merge_index import Columns, Earlier
from experiment.merge_sources import Copy, Sources, columns_of
from experiment.splice import Splice

OUTPUT_NAME = pruned.DATA_NAME
REPORT_NAME = "combine_report.json"
_PATIENCE_SECONDS = 60.0

#: Called with (records looked at, records in all), once a record.
Show = Callable[[int, int], None]


@dataclass
class Merged:
    """What a merge found and did.

    Attributes:
        runs, settings: in the merged file.
        diverged: how many of the runs did.
        new: runs that were read; the others were copied from the file before.
        orphaned: records without an index, left out.
        set_aside: files that are no whole record of this folder, left out.
        size: of the merged file in bytes.
        untouched: nothing had changed; the file was left as it is.
    """

    output: Path
    runs: int = 0
    settings: int = 0
    diverged: int = 0
    new: int = 0
    orphaned: int = 0
    set_aside: list[SetAside] = field(default_factory=list)
    size: int = 0
    untouched: bool = False


def merge(folder: Path, output: Path | None, show: Show) -> Merged:
    """Merges the records of `folder` into `output`, by default its data.json.

    Raises:
        ConfigError: no results folder, no record in it, or an output that cannot be one.
        StorageError: the disk is full...; the merged file is as it was.
    """
    manifest, meaning = read_manifest(folder)
    output = folder / OUTPUT_NAME if output is None else output
    _check_output(output)
    digest = xxhash.xxh3_128_hexdigest(meaning)
    is_home = output.absolute() == (folder / OUTPUT_NAME).absolute()
    with contextlib.ExitStack() as stack:
        sources = stack.enter_context(Sources(folder, manifest, digest))
        holds_pruned = is_home and bool(sources.pruned)
        old, earlier = _open_old(output, digest, manifest.grid.size, stack, must_be=holds_pruned)
        splice = stack.enter_context(Splice(output, old, earlier.size))
        merging = _Merging(manifest, sources, earlier, splice, Merged(output))
        merged = merging.run(show)
        if is_home:
            stack.enter_context(changing(folder))
            if pruned.read_strictly(folder, manifest) != sources.pruned:
                raise StorageError(f"{folder}: its records were pruned meanwhile; combine again")
        if read_manifest(folder)[1] != meaning:
            raise StorageError(f"{folder}: its configuration was edited meanwhile; combine again")
        if merged.untouched:
            return merged
        if holds_pruned:
            # of those that were done again, the new record counts
            left = _still_pruned(sources.pruned, merging.columns)
            if left != sources.pruned:
                pruned.write(folder, manifest, left)
        lies, columns = splice.finish(), merging.columns
        del earlier, merging  # with millions of runs, not to be held beside the index in the making
        merge_index.save(merge_index.path_of(output), columns, digest, lies)
    return merged


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Nobody else replaces the folder's data.json, or says what only it holds, in the block.

    Raises:
        Locked: somebody else does, and takes long.
    """
    lock = Lock(folder / f".{OUTPUT_NAME}.lock", f"{folder / OUTPUT_NAME}: its replacement")
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with lock:
                yield
                return
        except Locked:
            if time.monotonic() >= until:
                raise
            time.sleep(0.1)


def _still_pruned(before: Mapping[int, int], columns: Columns) -> dict[int, int]:
    """Those whose bytes are still the same."""
    return {
        index: stamp
        for index, stamp in zip(columns.indices, columns.stamps, strict=True)
        if before.get(index) == stamp
    }


def write_report(folder: Path, merged: Merged) -> None:
    """Says in the folder what was set aside; removes what an earlier merge said if nothing was.

    Raises:
        StorageError: the folder cannot be written to.
    """
    path = folder / REPORT_NAME
    if not merged.set_aside:
        with storage(f"{path}: cannot be removed"):
            path.unlink(missing_ok=True)
        return
    content = {
        "combined": merged.runs,
        "completed": merged.runs - merged.diverged,
        "diverged": merged.diverged,
        "orphaned_left_out": merged.orphaned,
        "set_aside": [asdict(one) for one in merged.set_aside],
    }
    write_atomically(path, orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")


def _check_output(output: Path) -> None:
    if not output.parent.is_dir():
        raise ConfigError(f"--output: there is no folder {output.parent}")
    if output.is_dir():
        raise ConfigError(f"--output: {output} is a folder")
    if output.name in (FILE_NAME, REPORT_NAME) or is_record_name(output.name):
        raise ConfigError(
            f"--output: {output.name} is the name of another file of a results folder"
        )


def _open_old(
    output: Path, digest: str, grid_size: int, stack: contextlib.ExitStack, *, must_be: bool
) -> tuple[int | None, Earlier]:
    """The merged file as it is, open, and what its index says; nothing where they do not fit.

    Args:
        must_be: it holds what nothing else does.
    """
    try:
        old = os.open(output, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None, Earlier(Columns(), 0, grid_size)
    stack.callback(os.close, old)
    lies = os.fstat(old)
    columns = merge_index.load(merge_index.path_of(output), digest, lies)
    if columns is None and must_be:
        columns = columns_of(old, output, digest)
        merge_index.save(merge_index.path_of(output), columns, digest, lies)
    if columns is None:
        return None, Earlier(Columns(), 0, grid_size)
    return old, Earlier(columns, lies.st_size, grid_size)


class _Merging:
    """One pass over the records, in the order of the merged file.

    Attributes:
        columns: where each run went.
    """

    def __init__(
        self,
        manifest: Manifest,
        sources: Sources,
        earlier: Earlier,
        splice: Splice,
        merged: Merged,
    ) -> None:
        self.columns = Columns()
        self._manifest, self._sources, self._earlier = manifest, sources, earlier
        self._splice, self._merged = splice, merged
        self._grid_size = manifest.grid.size
        self._setting: int | None = None  # of the run put last
        self._position: int | None = -1  # of that run in the old file; None if it is new

    def run(self, show: Show) -> Merged:
        """Puts every record that can be, and the end of the file."""
        merged, names = self._merged, self._sources.names
        for done, (index, copies) in enumerate(self._sources):
            show(done, len(self._sources))
            position = self._earlier.find(index)
            if position is not None and copies[0].stamp() == self._earlier.stamp(position):
                self._keep(index, position)
            else:
                self._read(index, copies)
        self._end()
        merged.set_aside += names.misnamed
        merged.orphaned = self._sources.orphaned
        merged.runs = len(self.columns)
        merged.diverged = sum(self.columns.diverged)
        merged.size = self._splice.size
        merged.untouched = self._splice.same
        return merged

    def _keep(self, index: int, position: int) -> None:
        """Puts a run out of the old file, with what stands before it if that is still right."""
        start, end = self._earlier.span(position)
        setting = index % self._grid_size
        if self._position == position - 1:
            self._splice.keep(self._earlier.end(position - 1), start)
        else:
            self._splice.put(self._before(setting))
        self._note(setting, position)
        columns = self._earlier.columns
        self.columns.append(
            index,
            columns.stamps[position],
            self._splice.size,
            end - start,
            columns.diverged[position],
        )
        self._splice.keep(start, end)

    def _read(self, index: int, copies: Sequence[Copy]) -> None:
        """Puts a run out of the first of its copies that is good; the bad ones are set aside."""
        good = self._sources.good(index, copies, self._splice.room, self._merged.set_aside)
        for sealed, stamp in good:
            self._put(index, sealed, stamp)
            return

    def _put(self, index: int, sealed: record.Sealed, stamp: int) -> None:
        setting = index % self._grid_size
        self._splice.put(self._before(setting), sealed.run)
        self._note(setting, None)
        self._merged.new += 1
        length = len(sealed.run)
        diverged = sealed.head.status == "diverged"
        self.columns.append(index, stamp, self._splice.size - length, length, diverged)

    def _note(self, setting: int, position: int | None) -> None:
        self._merged.settings += setting != self._setting
        self._setting, self._position = setting, position

    def _before(self, setting: int) -> bytes:
        """What stands between the run put last and one of `setting`."""
        if setting == self._setting:
            return b","
        params = orjson.dumps(self._manifest.grid.setting(setting))
        close = self._beginning() if self._setting is None else b"]},"
        return close + b'"%d":{"agent_params":%b,"runs":[' % (setting, params)

    def _beginning(self) -> bytes:
        files = orjson.dumps(dict(self._manifest.files))
        return b'{"experiment":%b,"experiment_data":{' % files

    def _end(self) -> None:
        last = len(self._earlier.columns) - 1
        if self._earlier.size and self._position == last:
            self._splice.keep(self._earlier.end(last), self._earlier.size)
        elif self._setting is None:
            self._splice.put(self._beginning(), b"}}\n")
        else:
            self._splice.put(b"]}}}\n")
