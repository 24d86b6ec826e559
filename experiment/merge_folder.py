"""The results folder that a merge reads: its manifest, and the names in it."""

from __future__ import annotations

import contextlib
import difflib
import itertools
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from experiment.errors import ConfigError, StorageError
from experiment.files import storage
from experiment.manifest import FILE_NAME, Manifest
from experiment.merge_index import stamp

_RECORD_NAME = re.compile(r".*_data_[0-9]+\.json", re.DOTALL)
_LARGEST_INDEX = 2**63 - 1
_SEARCHED_FOLDERS = 1000


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file that is left out of the merge, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Names:
    """The record files of a folder.

    Attributes:
        indices: that there is a file for.
        misnamed: files that are named almost as records of this folder.
        orphaned: number of records without an index.
    """

    indices: list[int]
    misnamed: list[SetAside]
    orphaned: int


def is_record_name(name: str) -> bool:
    """Whether a file of this name could be some experiment's record."""
    return _RECORD_NAME.fullmatch(name) is not None and not name.startswith(".")


def read_manifest(folder: Path) -> tuple[Manifest, bytes]:
    """The folder's manifest, and the bytes that say it.

    Raises:
        ConfigError: no results folder; names the nearest one.
        StorageError: it cannot be read.
    """
    file = folder / FILE_NAME
    try:
        data = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"{folder}: {_why_not(folder)}{_hint(folder)}") from None
    except OSError as error:
        raise StorageError(f"{file}: cannot be read: {error.strerror}") from None
    return Manifest.decode(data, file), data


def list_names(folder: Path, manifest: Manifest) -> Names:
    """Looks at the names in the folder, not into the files.

    Raises:
        StorageError: the folder cannot be read.
    """
    prefix, suffix = f"{manifest.stem}_data_", ".json"
    indices: list[int] = []
    misnamed = []
    with storage(f"{folder}: cannot be read"), os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            index = _index(name, prefix, suffix)
            if index is not None:
                indices.append(index)
            elif is_record_name(name):
                misnamed.append(SetAside(_printable(name), _why_misnamed(name, prefix)))
    misnamed.sort(key=lambda one: one.file)
    return Names(indices, misnamed, _count_records(folder / "orphaned"))


def _index(name: str, prefix: str, suffix: str) -> int | None:
    """The index of a file that is named exactly as the record of that index."""
    if not (name.startswith(prefix) and name.endswith(suffix)):
        return None
    digits = name[len(prefix) : -len(suffix)]
    if not (digits.isascii() and digits.isdigit()):
        return None
    index = int(digits)
    return index if str(index) == digits and index <= _LARGEST_INDEX else None


def _why_misnamed(name: str, prefix: str) -> str:
    if not name.startswith(prefix):
        return f"another experiment's: records of this folder are named {prefix}<index>.json"
    return f"misnamed: a record is {prefix}<index>.json, its index without leading zeros"


def _count_records(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(e.name.endswith(".json") and not e.name.startswith(".") for e in entries)
    except OSError:
        return 0


def _printable(name: str) -> str:
    """`name` without bytes that are no UTF-8, which a file name may hold."""
    return name.encode("utf-8", "backslashreplace").decode()


class RecordFiles:
    """The records of a folder by index. Use as a context manager."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._prefix = f"{stem}_data_"
        with storage(f"{folder}: cannot be read"):
            self._folder = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)

    def name(self, index: int) -> str:
        """Of the file."""
        return f"{self._prefix}{index}.json"

    def stamp(self, index: int) -> int | None:
        """See `merge_index.stamp`; None for a file that cannot be looked at."""
        try:
            return stamp(os.stat(self.name(index), dir_fd=self._folder))
        except OSError:
            return None

    def read(self, index: int, room: Callable[[int], memoryview]) -> tuple[memoryview, int]:
        """The file, and the stamp of just the file that was read.

        Args:
            room: gives the space, of so many bytes, to read it into.

        Raises:
            OSError: it cannot be read.
        """
        file = os.open(self.name(index), os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder)
        try:
            lies = os.fstat(file)
            data = room(lies.st_size)
            count = os.readv(file, [data])
            while count < len(data) and (more := os.readv(file, [data[count:]])):
                count += more
            return data[:count], stamp(lies)
        finally:
            os.close(file)

    def __enter__(self) -> RecordFiles:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._folder)


# -- the nearest folder that can be merged


def _why_not(folder: Path) -> str:
    if not folder.exists():
        return "no such folder"
    return f"no {FILE_NAME} in it" if folder.is_dir() else "not a folder"


def _hint(folder: Path) -> str:
    root = folder.absolute()
    while not root.is_dir() and root != root.parent:
        root = root.parent
    for start in (root, root.parent):
        found = sorted(map(str, _results_in(start)))
        if found:
            (close,) = difflib.get_close_matches(str(folder.absolute()), found, n=1, cutoff=0)
            return f"; did you mean {_as_given(Path(close), folder)}?"
    return f"; a results folder is where main.py wrote {FILE_NAME}"


def _as_given(found: Path, folder: Path) -> Path:
    """Relative to the working folder where the person wrote it so."""
    if not folder.is_absolute() and found.is_relative_to(Path.cwd()):
        return found.relative_to(Path.cwd())
    return found


def _results_in(folder: Path) -> Iterator[Path]:
    """Results folders at or below `folder`, near ones first, as far as a short search finds."""
    waiting = [folder]
    for path in itertools.islice(waiting, _SEARCHED_FOLDERS):  # grows while it is walked
        if (path / FILE_NAME).is_file():
            yield path
            continue  # there are only runs inside
        with contextlib.suppress(OSError), os.scandir(path) as entries:
            waiting += (Path(e.path) for e in entries if e.is_dir() and e.name[0] != ".")
