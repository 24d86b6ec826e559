"""Finding damaged shards, setting them aside, and saying what was lost with them.

Three depths, each with the ones before: "size" reads side files, sizes and the beginnings of files;
"hash" every byte; "decode" decompresses everything, and compares every rollout with its hash and
every shard's description with the folder's.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import xxhash

from agents.rollouts.contents import Contents, read_contents, side_file
from agents.rollouts.errors import BadShard
from agents.rollouts.files import fsync_folder
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.open_shard import OpenShard, check_beginning
from agents.rollouts.spec import FolderSpec, difference

Depth = Literal["size", "hash", "decode"]
QUARANTINE = "quarantine"


class Damage(NamedTuple):
    """A shard that is not as it was written."""

    path: Path
    problem: str


class Report(NamedTuple):
    """What was found in a folder.

    Attributes:
        wanted: how many rollouts the folder is for.
        missing: numbers of those that no sound shard holds.
        shards: how many were looked at.
        size: their bytes on disk.
        rollouts, steps: in the sound ones; a number held twice counts once.
        damaged: the others.
    """

    wanted: int
    missing: Sequence[int]
    shards: int
    size: int
    rollouts: int
    steps: int
    damaged: Sequence[Damage]

    @property
    def share_lost(self) -> float:
        """Of the rollouts that are wanted, from 0 to 1."""
        return len(self.missing) / self.wanted

    @property
    def is_good(self) -> bool:
        """Whether all that is wanted is there and nothing is damaged."""
        return not self.missing and not self.damaged


def check_shard(path: Path, depth: Depth, spec: FolderSpec) -> Contents:
    """What a sound shard holds.

    Raises:
        BadShard: it is not sound.
    """
    contents = read_contents(path)
    check_beginning(path)
    if depth == "size":
        return contents
    if _xxh3(path) != contents.xxh3:
        raise BadShard(path, "its bytes have changed: another hash than when it was written")
    if depth == "decode":
        shard = OpenShard(path, contents)
        try:
            if differs := difference(spec, shard.spec()):
                raise BadShard(path, f"belongs to other rollouts: {differs}")
            shard.decode()
        finally:
            shard.close()
    return contents


def verify(
    folder: RolloutFolder,
    depth: Depth = "hash",
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Looks at every shard of a folder.

    Args:
        workers: processes.
        progress: called with the bytes looked at so far, and all.
    """
    paths = [*folder.shards(), *_lost(folder)]
    sizes = {path: _size(path) for path in paths}
    found: dict[int, int] = {}
    damaged, done = [], 0
    for path, contents, problem in _check_all(paths, depth, folder.spec, workers):
        done += sizes[path]
        if progress is not None:
            progress(done, sum(sizes.values()))
        if contents is None:
            damaged.append(Damage(path, problem))
        else:
            found.update(zip(contents.numbers, contents.lengths, strict=True))
    wanted = folder.spec.rollouts
    lengths = {number: length for number, length in found.items() if number < wanted}
    return Report(
        wanted,
        [number for number in range(wanted) if number not in lengths],
        len(paths),
        sum(sizes.values()),
        len(lengths),
        sum(lengths.values()),
        sorted(damaged),
    )


_Checked = tuple[Path, Contents | None, str]


def _check_all(
    paths: list[Path], depth: Depth, spec: FolderSpec, workers: int
) -> Iterator[_Checked]:
    if min(workers, len(paths)) <= 1:
        yield from (_checked(path, depth, spec) for path in paths)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(paths)), mp_context=context) as pool:
        tasks = [pool.submit(_checked, path, depth, spec) for path in paths]
        for task in as_completed(tasks):
            yield task.result()


def _checked(path: Path, depth: Depth, spec: FolderSpec) -> _Checked:
    try:
        return path, check_shard(path, depth, spec), ""
    except BadShard as damage:
        return path, None, damage.problem


def _lost(folder: RolloutFolder) -> list[Path]:
    """Shards that the manifest names and that are not there."""
    manifest = folder.manifest or {"shards": []}
    listed = [folder.path / shard["file"] for shard in manifest["shards"]]
    return [path for path in listed if not path.exists()]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _xxh3(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def quarantine(folder: RolloutFolder, damaged: Sequence[Damage]) -> list[Path]:
    """Moves damaged shards with their side files to the subfolder `quarantine`; removes nothing.

    Returns:
        where the shards are now.
    """
    place = folder.path / QUARANTINE
    moved = []
    for path, _ in damaged:
        place.mkdir(exist_ok=True)
        target = _free(place / path.name)
        # the shard first: without it the side file means nothing
        for source, there in ((path, target), (side_file(path), side_file(target))):
            with suppress(FileNotFoundError):
                source.rename(there)
        moved.append(target)
    if moved:
        fsync_folder(place)
        fsync_folder(folder.path)
    return [path for path in moved if path.exists()]


def _free(path: Path) -> Path:
    """A name that nothing in quarantine has."""
    candidate, count = path, 1
    while candidate.exists() or side_file(candidate).exists():
        count += 1
        candidate = path.with_stem(f"{path.stem}.{count}")
    return candidate
