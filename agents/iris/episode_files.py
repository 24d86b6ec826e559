"""Episodes in files: the data set that is learned from, and those that are kept to be looked at.

A file is an .npz: `frames` [T + 1, ...] as they were observed, `actions`, `rewards` and `ends` [T];
imagined ones have `values` [T + 1] too, and frames as they were decoded.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.base import AgentRefused
from agents.rollouts.files import Temporary, clear_leftovers

BEST = "best.npz"


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file, the whole or nothing, and its folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Temporary(path)
    try:
        view = memoryview(data)
        while view:
            view = view[temporary.file.write(view) :]
        temporary.publish()
    except BaseException:
        temporary.discard()
        raise


def write_episode(path: Path, episode: Mapping[str, NDArray[Any]]) -> None:
    """Writes one, the whole or nothing."""
    buffer = io.BytesIO()
    write: Any = np.savez_compressed
    write(buffer, **episode)
    write_whole(path, buffer.getvalue())


def read_episode(path: Path) -> dict[str, NDArray[Any]]:
    """
    Raises:
        AgentRefused: there is none, or it is damaged.
    """
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file}
    except FileNotFoundError:
        raise AgentRefused(f"{path} is gone: --force starts the run afresh") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise AgentRefused(f"{path} is damaged ({error})") from None


def numbered(folder: Path) -> dict[int, Path]:
    """Its episodes by number, ascending."""
    files = sorted(folder.glob("*.npz"))
    return {int(file.stem): file for file in files if file.stem.isdigit()}


class Album:
    """The latest N episodes, and the best one.

    Args:
        folder: where they lie; it is made with the first.
        count: N; 0: none is kept.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self._count = folder, count
        self._best: float | None = None

    def add(self, number: int, episode: Mapping[str, NDArray[Any]]) -> None:
        """Keeps it as the latest, in place of the oldest."""
        if not self._count:
            return
        write_episode(self._folder / f"{number:06d}.npz", episode)
        for other, path in numbered(self._folder).items():
            # those that come after it are of a run that was interrupted, and come again
            if not number - self._count < other <= number:
                path.unlink(missing_ok=True)
        total = float(np.sum(episode["rewards"], dtype=np.float64))
        if total > self._best_total():
            write_episode(self._folder / BEST, episode)
            self._best = total

    def _best_total(self) -> float:
        if self._best is None:
            path = self._folder / BEST
            known = path.exists()
            self._best = float(np.sum(read_episode(path)["rewards"])) if known else -np.inf
        return self._best


class EpisodeFiles:
    """The data set of a run, a file for each episode that is over: see `Keeper`.

    Files go when neither of the last two checkpoints needs them: one of these is on disk.

    Args:
        folder: of the data set.
        album: what is kept to be looked at.
    """

    def __init__(self, folder: Path, album: Album) -> None:
        self._folder, self._album = folder, album
        self._held: frozenset[int] = frozenset()
        self._swept = False

    def keep(self, number: int, episode: Mapping[str, NDArray[Any]]) -> None:
        """See `Keeper`."""
        write_episode(self._path(number), episode)
        self._album.add(number, episode)

    def frames(self, number: int) -> NDArray[Any]:
        """See `Keeper`."""
        return read_episode(self._path(number))["frames"]

    def hold(self, numbers: Iterable[int]) -> None:
        """See `Keeper`."""
        before, self._held = self._held, frozenset(numbers)
        needed = before | self._held
        if not self._folder.exists() or not needed:
            return
        if not self._swept:
            clear_leftovers(self._folder)
            self._swept = True
        # younger ones are of a run that was interrupted, and are written again
        for number, path in numbered(self._folder).items():
            if number < min(needed):
                path.unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.npz"
