"""The shards of a folder that are open at present: a bounded number, and each process its own."""

from __future__ import annotations

import os
import threading
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any, Literal

from agents.rollouts.contents import Contents
from agents.rollouts.errors import BadShard
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.open_shard import OpenShard

OnDamage = Literal["raise", "skip", "warn"]
MAX_OPEN = 32


class OpenShards:
    """Opens shards as they are asked for, and closes the one that was asked for longest ago.

    Threads may share it.

    Attributes:
        contents: of each shard, by its number here.
        bad: numbers of the shards that turned out to be damaged.

    Args:
        bad: what to do about a damaged shard: "raise" a `BadShard`, "skip" it, or skip it and
            "warn".
    """

    def __init__(self, folder: RolloutFolder, bad: OnDamage, max_open: int = MAX_OPEN) -> None:
        self.folder = folder
        self.contents: list[Contents] = []
        self.bad: set[int] = set()
        self._policy, self._max_open = bad, max_open
        self._paths: list[Path] = []
        self._begin()
        for path, contents in folder.scan():
            if isinstance(contents, BadShard):
                self.complain(contents)
            else:
                self.contents.append(contents)
                self._paths.append(path)

    def complain(self, damaged: BadShard) -> None:
        """Does what is to be done about a damaged shard.

        Raises:
            BadShard: it is to be raised.
        """
        if self._policy == "raise":
            raise damaged
        if self._policy == "warn":
            warnings.warn(f"skipped: {damaged}", RuntimeWarning, stacklevel=4)

    def set_aside(self, number: int, damaged: BadShard) -> None:
        """As `complain`, of a shard that turned out to be damaged while it was read."""
        self.complain(damaged)
        with self._lock:
            self.bad.add(number)
            self._open.pop(number, None)

    def __getitem__(self, number: int) -> OpenShard:
        """The shard, open.

        Raises:
            BadShard: it is damaged.
        """
        if self._process != os.getpid():
            # after a fork the parent's files are not this process's to read on
            self._begin()
        with self._lock:
            shard = self._open.get(number)
            if shard is None:
                shard = self._open[number] = OpenShard(self._path(number), self.contents[number])
                if len(self._open) > self._max_open:
                    self._open.popitem(last=False)  # closed once no thread reads it any more
            self._open.move_to_end(number)
            return shard

    def _begin(self) -> None:
        self._open: OrderedDict[int, OpenShard] = OrderedDict()
        self._lock = threading.Lock()
        self._process = os.getpid()

    def _path(self, number: int) -> Path:
        path, contents = self._paths[number], self.contents[number]
        if not path.exists():  # `finalize` renames
            for renamed, others in self.folder.good_shards():
                if others.sha256 == contents.sha256:
                    self._paths[number] = renamed
                    return renamed
            raise BadShard(path, "the file is missing")
        if (size := path.stat().st_size) != contents.size:
            raise BadShard(path, f"has {size:,} bytes instead of {contents.size:,}")
        return path

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_open": None, "_lock": None, "_process": None}
