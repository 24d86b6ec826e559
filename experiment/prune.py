"""Removes records that `data.json` holds, once that has been proved.

Nothing goes before the list of what only `data.json` holds is on disk, and that is written only
when the bytes of every run in it have been compared with its record's. Killed anywhere, every run
is somewhere, and is counted once.
"""

from __future__ import annotations

import contextlib
import os
from array import array
from dataclasses import dataclass
from pathlib import Path

import orjson
import xxhash

from experiment import merge_index, pruned, record
from experiment.canonical import canonical
from experiment.errors import StorageError
from experiment.files import fsync_folder, storage
from experiment.folder import ResultFolder
from experiment.lock import Lock
from experiment.manifest import FILE_NAME, Manifest
from experiment.merge import OUTPUT_NAME, Merged, Show, changing, merge
from experiment.merge_folder import read_manifest
from experiment.merge_index import Earlier
from experiment.merge_sources import DataFile, FileCopy, LineCopy, PrunedCopy, Sources
from experiment.shard_writer import FOLDER, ShardWriter, take_out_of_use

#: How the name of a record begins that is about to go.
_ASIDE = ".pruned-"


@dataclass
class PrunedRecords:
    """What was removed.

    Attributes:
        runs: whose records are gone, in this call.
        files: that were removed.
        kept: records that stay, since `data.json` does not hold all of them, or of another one in
            their shard.
    """

    runs: int = 0
    files: int = 0
    kept: int = 0


def housekeeping(folder: Path, what: str) -> Lock:
    """Held by who moves or removes the records of others."""
    return Lock(folder / "running" / "adoption", f"the {what} in {folder}")


def prune(folder: Path, show: Show) -> tuple[Merged, PrunedRecords]:
    """Merges the records of `folder` into its data.json, then removes those that it holds.

    Raises:
        ConfigError, StorageError: as `merge`.
        Locked: somebody prunes or adopts it now.
    """
    manifest, meaning = read_manifest(folder)
    with housekeeping(folder, "pruning"):
        _put_back(folder)
        for path in sorted((folder / FOLDER).glob("*.jsonl")):
            take_out_of_use(path)
        merged = merge(folder, None, show)
        digest = xxhash.xxh3_128_hexdigest(meaning)
        with Sources(folder, manifest, digest) as sources:
            pruning = _Pruning(folder, manifest, digest, sources)
            pruning.compare(show)
            pruning.leave_shards_whole()
            pruning.commit()
            return merged, pruning.remove()


def _put_back(folder: Path) -> None:
    """Gives records their names that a killed prune had taken aside and not looked at yet."""
    for path in folder.glob(f"{_ASIDE}*"):
        _name_again(path, folder / path.name.removeprefix(_ASIDE))


def _name_again(aside: Path, path: Path) -> None:
    with storage(f"{aside}: cannot be renamed"):
        with contextlib.suppress(FileExistsError):  # a newer one, which counts
            os.link(aside, path)
        aside.unlink()


class _Pruning:
    """The runs of a folder that `data.json` holds as they are in their records."""

    def __init__(self, folder: Path, manifest: Manifest, digest: str, sources: Sources) -> None:
        self._folder, self._digest, self._sources = folder, digest, sources
        self._results = ResultFolder(folder, manifest)
        self._environment = canonical(manifest.files["environment"])
        self._prefix = (b"", b"")  # what stood before a run, and the environment file in it
        self._proved: dict[int, int] = {}  # index -> checksum of its run
        self._files: dict[int, tuple[int, ...]] = {}  # index -> how its record lies
        self._result = PrunedRecords()

    def compare(self, show: Show) -> None:
        """Finds out which records `data.json` holds, byte for byte."""
        path = self._folder / OUTPUT_NAME
        data = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._lies = os.fstat(data)
            columns = merge_index.load(merge_index.path_of(path), self._digest, self._lies)
            if columns is None:
                raise StorageError(f"{path}: was replaced meanwhile; prune again")
            earlier = Earlier(columns, self._lies.st_size, self._results.manifest.grid.size)
            for done, (index, copies) in enumerate(self._sources):
                show(done, len(self._sources))
                position, copy = earlier.find(index), copies[0]
                if isinstance(copy, PrunedCopy):
                    continue
                if position is not None and copy.stamp() == earlier.stamp(position):
                    start, end = earlier.span(position)
                    if self._is(copy, os.pread(data, end - start, start)):
                        continue
                self._result.kept += 1
        finally:
            os.close(data)

    def _is(self, copy: FileCopy | LineCopy, run: bytes) -> bool:
        """Whether the record can be had back, all of it, from these bytes of its run."""
        path = self._results.record_path(copy.index)
        try:
            lies = _lies(path) if isinstance(copy, FileCopy) else ()
            data = copy.data()
            seal = record.seal_of(data[-record.TAIL :])
            if seal is None or record.unseal(data).run != run:
                return False
        except (OSError, record.BadRecord):
            return False
        if self._environment_in(data[: seal.run[0]]) != self._environment:
            return False  # its evaluations were others
        if path.with_suffix(".npz").exists():
            return False  # they belong together
        self._proved[copy.index] = xxhash.xxh3_64_intdigest(run)
        if lies:
            self._files[copy.index] = lies
        return True

    def _environment_in(self, before_run: bytes) -> bytes:
        if before_run != self._prefix[0]:
            files = orjson.loads(before_run + b"]}}}")["experiment"]
            self._prefix = (before_run, canonical(files["environment"]))
        return self._prefix[1]

    def leave_shards_whole(self) -> None:
        """Takes back those whose shard stays for another record: nothing is to be held twice."""
        while True:
            stay = self._shards_that_stay()
            lines = {line.index for line in self._sources.shards if line.shard in stay}
            twice = (lines & self._proved.keys()) - self._files.keys()
            if not twice:
                return
            for index in twice:
                del self._proved[index]
            self._result.kept += len(twice)

    def commit(self) -> None:
        """Says on disk that `data.json` holds these runs.

        Raises:
            StorageError: it has been replaced; nothing was done.
        """
        path = self._folder / OUTPUT_NAME
        everything = dict(self._sources.pruned) | self._proved
        with changing(self._folder):
            if _identity(path.stat()) != _identity(self._lies):
                raise StorageError(f"{path}: was replaced meanwhile; prune again")
            pruned.write(self._folder, self._results.manifest, everything)
            index = merge_index.path_of(path)
            columns = merge_index.load(index, self._digest, self._lies)
            if columns is not None:
                indexed = zip(columns.indices, columns.stamps, strict=True)
                columns.stamps = array("Q", (everything.get(i, stamp) for i, stamp in indexed))
                merge_index.save(index, columns, self._digest, self._lies)

    def remove(self) -> PrunedRecords:
        """Removes the records."""
        result = self._result
        result.runs = len(self._proved)
        for index, lies in self._files.items():
            path = self._results.record_path(index)
            # a run that is done again right now may be replacing it
            aside = path.with_name(_ASIDE + path.name)
            with storage(f"{path}: cannot be removed"):
                path.rename(aside)
                if _lies(aside) == lies:
                    aside.unlink()
                    result.files += 1
                else:
                    _name_again(aside, path)
        stay = self._shards_that_stay()
        for number, path in self._sources.shards.paths().items():
            if number in stay:
                continue
            with storage(f"{path}: cannot be removed"):
                path.unlink()
                result.files += 1
        fsync_folder(self._folder)
        return result

    def _shards_that_stay(self) -> set[int]:
        """Those that hold something else, too."""
        held = self._proved.keys() | self._sources.pruned.keys()
        return {
            line.shard
            for line in self._sources.shards
            if not line.at_home or line.index not in held
        }


def _lies(path: Path) -> tuple[int, ...]:
    """What tells a file from one in its place, and that a new name does not change."""
    lies = path.stat()
    return lies.st_size, lies.st_mtime_ns, lies.st_ino


def _identity(lies: os.stat_result) -> tuple[int, int]:
    return lies.st_dev, lies.st_ino


def restore(folder: ResultFolder) -> None:
    """Writes the pruned runs back as records, into one shard, before their indices change.

    Raises:
        StorageError: a run is damaged, the disk is full...; then nothing has changed.
    """
    known = folder.manifest_on_disk()
    if known is None or not (folder.path / pruned.FILE_NAME).exists():
        return
    files = dict(known.files)
    data = DataFile(folder.path / OUTPUT_NAME, xxhash.xxh3_128_hexdigest(_manifest(folder)))
    writer = ShardWriter(folder.path, "restored")
    try:
        with writer.many() as add:
            for index, checksum in pruned.read_strictly(folder.path, known).items():
                setting = known.grid.split(index)[0]
                copy = PrunedCopy(data, index, setting, checksum)
                run = copy.read(lambda size: memoryview(bytearray(size)))[0].run
                add(record.sealed(files, setting, known.grid.setting(setting), bytes(run)))
    finally:
        data.close()
    pruned.write(folder.path, known, {})


def _manifest(folder: ResultFolder) -> bytes:
    with storage(f"{folder.path / FILE_NAME}: cannot be read"):
        return (folder.path / FILE_NAME).read_bytes()
