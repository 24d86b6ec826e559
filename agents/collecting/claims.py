"""Which rollouts a process has in hand, for all others that fill the same folder to see.

Rollout k is byte k of one file, locked while it is in hand. The system gives the lock back when
its holder ends, however it ends; nothing is left to clear up. Where a file system has no locks,
several processes may collect the same rollout: readers then count one of them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

FILE = ".claims"


class Claims:
    """Those of this process. One object a process and folder: closing any lets go of all."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o666)

    def take(self, number: int) -> bool:
        """Whether the rollout is this process's from now on."""
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):
            return False
        except OSError:
            return True
        return True

    def release(self, numbers: Iterable[int]) -> None:
        """Lets go of rollouts that are kept, or will not be collected."""
        for number in numbers:
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, number)
            except OSError:
                return

    def close(self) -> None:
        """Lets go of all."""
        os.close(self._descriptor)
