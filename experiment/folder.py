"""A results folder: where a run's files lie, and what protects their meaning.

    results/<save-dir>/<environment>_<agent>[_<policy_type>]/
        experiment.json                             what the indices mean
        <environment>_<agent>_data_<index>.json     one record a run (and .npz on request)
        running/<setting_id>-<seed>.lock, .checkpoint
        files/<setting_id>-<seed>/, files/shared/   of agents that keep files (`agents.base.Files`)
        orphaned/<setting_id>-<seed>.json           records that no index has at present
        shards/<writer>.jsonl                       records of many runs (see `experiment.shards`)
        data.json, pruned.index                     runs that have no record but there

Locks, checkpoints and orphans go by what a run is, so an edited configuration cannot mix them up.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from experiment import pruned, record
from experiment.checkpoint import Checkpoints
from experiment.configuration import Experiment
from experiment.errors import ConfigError, StorageError
from experiment.files import clear_temporaries, storage, write_atomically
from experiment.lock import Lock
from experiment.manifest import FILE_NAME, Manifest
from experiment.record_files import clear_arrays, free_name, head_at, move
from experiment.run_files import RunFiles
from experiment.shard_writer import ShardWriter
from experiment.shards import Line, Shards


class Run(msgspec.Struct, frozen=True):
    """One index, resolved.

    Attributes:
        setting_id, random_seed: who the run is; `index` is only where it stands.
    """

    index: int
    setting: int
    number: int
    random_seed: int
    setting_id: str

    @property
    def name(self) -> str:
        """Of the files that go by identity."""
        return f"{self.setting_id}-{self.random_seed}"

    def address(self) -> dict[str, int | str]:
        """What a record says of itself first."""
        return {
            "run_number": self.number,
            "index": self.index,
            "setting_id": self.setting_id,
            "random_seed": self.random_seed,
        }

    def is_of(self, head: record.Head) -> bool:
        """Whether a record is this run's."""
        return (head.setting_id, head.random_seed) == (self.setting_id, self.random_seed)


def folder_of(experiment: Experiment, save_dir: Path | None) -> Path:
    """Where an experiment's results go. An absolute `save_dir` is used as it is."""
    parts = [experiment.environment.env_name, experiment.agent_name]
    policy_type = experiment.grid.constants.get("policy_type")
    if policy_type is not None:
        parts.append(str(policy_type))
    return Path("results") / (save_dir or "") / "_".join(parts).replace("/", "-")


class Written(msgspec.Struct, frozen=True):
    """Where a record went. `orphaned`: no index means its run at present."""

    path: Path
    orphaned: bool


class ResultFolder:
    """The folder at `path`, whose indices mean what `manifest` says.

    Attributes:
        shards: what they hold, as far as this process has looked.
        writer: of new records, which are files of their own without one.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self.shards = Shards(path, manifest)
        self.writer: ShardWriter | None = None
        self._appended: set[int] = set()
        self._pruned: tuple[object, pruned.Pruned] = (None, pruned.Pruned())
        self._agreed: bytes | None = None  # a content of `experiment.json` that means the same

    # -- where things lie

    def run(self, index: int) -> Run:
        """The run that `index` is."""
        setting, number = self.manifest.grid.split(index)
        seed = number + self.manifest.seed_offset
        return Run(index, setting, number, seed, self.manifest.setting_id(setting))

    def record_path(self, index: int) -> Path:
        """The record of `index`; its step arrays lie beside it as `.npz`."""
        return self.path / f"{self.manifest.stem}_data_{index}.json"

    def orphan_path(self, name: str) -> Path:
        """A record without an index, by `Run.name`."""
        return self.path / "orphaned" / f"{name}.json"

    def lock(self, run: Run) -> Lock:
        """The lock of one run."""
        path = self.path / "running" / f"{run.name}.lock"
        return Lock(path, f"index {run.index} (setting {run.setting}, seed {run.random_seed})")

    def checkpoints(self, run: Run) -> Checkpoints:
        """The checkpoints of one run."""
        path = self.path / "running" / f"{run.name}.checkpoint"
        return Checkpoints(path, run.setting_id, run.random_seed)

    def files(self, run: Run) -> RunFiles:
        """Where the agent of one run keeps files."""
        return RunFiles(self.path / "files", run.name)

    def clear_leftovers(self, run: Run) -> None:
        """Removes what a process that was killed as the holder of the run's lock half wrote."""
        clear_temporaries(self.record_path(run.index).with_suffix(""))
        clear_temporaries(self.checkpoints(run).path)

    def record_files(self) -> Iterator[tuple[int, Path]]:
        """(index by its name, path) of every file that is named as a record."""
        pattern = re.compile(re.escape(self.manifest.stem) + r"_data_(\d+)\.json")
        for path in self.path.iterdir():
            match = pattern.fullmatch(path.name)
            if match:
                yield int(match[1]), path

    # -- the first run, and the manifest on disk

    def create(self) -> None:
        """Makes the folder and its manifest if they are not there.

        Raises:
            ConfigError: the place cannot be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                if not (self.path / FILE_NAME).exists():
                    self.write_manifest(exclusive=True)
        except (OSError, StorageError) as error:
            raise ConfigError(f"--save-dir: {self.path} cannot be written to: {error}") from None

    def write_manifest(self, *, exclusive: bool = False) -> None:
        """Writes `experiment.json`."""
        write_atomically(self.path / FILE_NAME, self.manifest.encode(), exclusive=exclusive)

    def manifest_on_disk(self) -> Manifest | None:
        """What the folder says that its indices mean; None for a new folder."""
        return read_manifest(self.path)

    # -- records

    def has(self, run: Run) -> bool:
        """Whether the run's record is there and whole. Changes nothing."""
        try:
            if run.is_of(record.unseal(self.record_path(run.index).read_bytes()).head):
                return True
        except (OSError, record.BadRecord):
            pass
        return self._elsewhere(run, lambda text: None) is not None

    def where(self, run: Run) -> Path:
        """The file that holds the run's record, or would."""
        own = self.record_path(run.index)
        if own.exists():
            return own
        if run.index in self._appended and self.writer is not None:
            return self.writer.path
        line = self.shards.find(run.index)
        if line is not None:
            return self.shards.path(line)
        return self.path / pruned.DATA_NAME if run.index in self.pruned() else own

    def finished(self, run: Run, report: Callable[[str], None]) -> record.Head | None:
        """The head of the run's record when it is there and whole.

        A damaged record is moved aside and reported, so that the run is done again; an orphaned
        record of this very run gets its index back. Call it with the run's lock held.

        Raises:
            StorageError: the place of the record holds another run's.
        """
        path = self.record_path(run.index)
        head = head_at(path, report) or self._elsewhere(run, report)
        orphan = self.orphan_path(run.name)
        if head is None:
            orphaned = head_at(orphan, report)
            if orphaned is not None and run.is_of(orphaned):
                self.place(orphan, run)
                head = head_at(path, report)
        if head is None:
            head = self._take_back(run)
        if head is not None and not run.is_of(head):
            raise StorageError(
                f"{path} holds setting {head.setting_id} seed {head.random_seed}, but index "
                f"{run.index} is {run.setting_id} seed {run.random_seed}; run with --adopt to put "
                "every record where it belongs"
            )
        return head

    def pruned(self) -> pruned.Pruned:
        """The runs that only `data.json` holds."""
        try:
            lies = (self.path / pruned.FILE_NAME).stat()
            now = (lies.st_size, lies.st_mtime_ns, lies.st_ino)
        except OSError:
            return pruned.Pruned()
        if self._pruned[0] != now:
            self._pruned = (now, pruned.read(self.path, self.manifest))
        return self._pruned[1]

    def _elsewhere(self, run: Run, report: Callable[[str], None]) -> record.Head | None:
        """The head of the run's record in a shard or in `data.json`."""
        in_place = record.Head(
            run.number, run.index, run.setting_id, run.random_seed, record.STATUSES[0]
        )
        if run.index in self._appended:
            return in_place
        self.shards.look_again()
        line = self.shards.find(run.index)
        if line is not None:
            head = self._head_of(line, report)
            if head is not None:
                return head
        return in_place if run.index in self.pruned() else None

    def _head_of(self, line: Line, report: Callable[[str], None]) -> record.Head | None:
        place = f"{self.shards.path(line)}, byte {line.start:,}"
        try:
            return record.unseal(self.shards.read(line)).head
        except record.BadRecord as bad:
            report(f"{place}: {bad}; the run is done again")
        except FileNotFoundError:
            pass  # moved or pruned since the shards were looked at
        except OSError as error:
            raise StorageError(f"{place}: cannot be read: {error.strerror}") from None
        return None

    def _take_back(self, run: Run) -> record.Head | None:
        """Gives an orphan in a shard, if it is this very run, its index back."""
        line = self.shards.orphan(run.name)
        if line is None:
            return None
        with storage(f"{self.shards.path(line)}: cannot be read"):
            data = self.shards.read(line)
        try:
            data = self.readdressed(data, run)
        except record.BadRecord:
            return None
        if self.writer is not None:
            self._append(run.index, data)
        else:
            write_atomically(self.record_path(run.index), data)
        return record.unseal(data).head

    def place(self, path: Path, run: Run) -> None:
        """Moves a record of `run` from `path` to its index, its contents re-addressed.

        Where the index has a record of its own by now, both stay where they are. Killed anywhere
        and done again, it ends the same.
        """
        target = self.record_path(run.index)
        if target.exists():
            return
        with storage(f"{path}: cannot be read"):
            data = path.read_bytes()
        write_atomically(path, self.readdressed(data, run))
        move(path, target)

    def readdressed(self, data: bytes, run: Run) -> bytes:
        """A record, as that of `run`.

        Raises:
            BadRecord: it is none.
        """
        experiment, _, content = record.load(data)
        content |= run.address()
        # the environment file stays the one it was made with: its evaluations were
        files = {"environment": experiment["environment"], "agent": self.manifest.files["agent"]}
        return record.encode(files, run.setting, self.manifest.grid.setting(run.setting), content)

    def set_aside(self, path: Path, name: str) -> Path:
        """Moves a record (and its arrays) to the orphans under `name`."""
        target = free_name(self.orphan_path(name))
        with storage(f"{target.parent}: cannot be created"):
            target.parent.mkdir(exist_ok=True)
        move(path, target)
        return target

    def clear_second_names(self) -> None:
        """Removes what interrupted moves left: arrays without a record, kept elsewhere as well."""
        with storage(f"{self.path}: cannot be tidied"):
            for arrays in [*self.path.glob("*.npz"), *self.path.glob("orphaned/*.npz")]:
                if not arrays.with_suffix(".json").exists() and arrays.stat().st_nlink > 1:
                    arrays.unlink()

    def write(self, run: Run, content: dict[str, object], arrays: bytes | None) -> Written:
        """Writes the run's record, where the folder as it is now wants it.

        If the configuration of the folder was edited and adopted while the run was under way,
        the record goes to the orphans, from where its own index takes it back.
        """
        data = record.encode(
            dict(self.manifest.files),
            run.setting,
            self.manifest.grid.setting(run.setting),
            content,
        )
        target = self.record_path(run.index)
        orphaned = not self._means_the_same_now()
        # a run that is done again gets a file, which counts before all else
        if self.writer is not None and arrays is None and not self._recorded(run.index):
            return Written(self._append(run.index, data), orphaned)
        if orphaned or self._taken(target, run):
            target = free_name(self.orphan_path(run.name))
            orphaned = True
            with storage(f"{target.parent}: cannot be created"):
                target.parent.mkdir(exist_ok=True)
        if arrays is not None:
            write_atomically(target.with_suffix(".npz"), arrays)
        elif not target.exists():
            with storage(f"{target}: its place cannot be freed"):
                clear_arrays(target)
        write_atomically(target, data)
        return Written(target, orphaned)

    def _recorded(self, index: int) -> bool:
        """Whether there is a record of the index, good or bad."""
        self.shards.look_again()
        return (
            index in self._appended
            or self.record_path(index).exists()
            or self.shards.find(index) is not None
            or index in self.pruned()
        )

    def _append(self, index: int, data: bytes) -> Path:
        """Adds a record to this process's shard. A line is an orphan or not by what it says."""
        assert self.writer is not None
        self.writer.append(data)
        self._appended.add(index)
        return self.writer.path

    def _means_the_same_now(self) -> bool:
        """Whether the folder's indices still mean what `manifest` says."""
        data = _manifest_bytes(self.path)
        if data is not None and data != self._agreed:
            now = Manifest.decode(data, self.path / FILE_NAME)
            self._agreed = data if now.means_the_same_as(self.manifest) else None
        return data is not None and data == self._agreed

    def _taken(self, path: Path, run: Run) -> bool:
        try:
            with storage(f"{path}: cannot be read"):
                return path.exists() and not run.is_of(record.unseal(path.read_bytes()).head)
        except record.BadRecord:
            return False


def read_manifest(path: Path) -> Manifest | None:
    """The manifest of the folder at `path`; None where there is none."""
    data = _manifest_bytes(path)
    return None if data is None else Manifest.decode(data, path / FILE_NAME)


def _manifest_bytes(path: Path) -> bytes | None:
    file = path / FILE_NAME
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise ConfigError(f"--save-dir: {path}: not a folder") from None
    except OSError as error:
        raise StorageError(f"{file}: cannot be read: {error.strerror}") from None
