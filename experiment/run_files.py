"""Files that an agent keeps beside the record: of a run, and of all runs of a results folder."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from agents.base import InUse
from experiment.errors import Locked
from experiment.files import storage
from experiment.lock import Lock


class RunFiles:
    """See `agents.base.Files`.

    Args:
        path: below which all of them lie.
        name: of the run.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.run = path / name
        self.shared = path / "shared"

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """See there."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(Lock(self.shared / f".{name}.lock", str(self.shared / name)))
            except Locked as locked:
                raise InUse(str(locked)) from None
            yield

    def clear(self) -> None:
        """Removes what an earlier attempt at the run left: it begins anew. Only for the holder of
        the run's lock."""
        if self.run.exists():
            with storage(f"{self.run}: cannot be removed"):
                shutil.rmtree(self.run)
