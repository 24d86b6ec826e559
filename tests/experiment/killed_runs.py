"""How far a run that another process trains has come, to be killed at some moment."""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path


def wait_for(process: subprocess.Popen[str], folder: Path, pattern: str) -> bool:
    """Until a file is there; False when the process ended before."""
    while not any(folder.rglob(pattern)):
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    return True


def wait_for_lock(process: subprocess.Popen[str], folder: Path) -> bool:
    """Until the process holds its lock, which may be that of a killed one before it."""
    while process.poll() is None:
        for path in folder.rglob("*.lock"):
            with contextlib.suppress(FileNotFoundError):
                if f'"pid": {process.pid},' in path.read_text():
                    return True
        time.sleep(0.002)
    return False


def wait_for_checkpoint(process: subprocess.Popen[str], folder: Path) -> None:
    """Until the process has written a checkpoint, or ended."""
    before = saved_timestep(folder)
    while process.poll() is None and saved_timestep(folder) == before:
        time.sleep(0.002)


def saved_timestep(folder: Path) -> int:
    """Of the newest checkpoint."""
    saved = [
        int(head.partition(b'"timestep": ')[2].partition(b",")[0])
        for pattern in ("*.checkpoint", "*.checkpoint.new", "*.checkpoint.previous")
        for path in folder.rglob(pattern)
        if not path.name.startswith(".")
        for head in [_head(path)]
        if head
    ]
    return max(saved, default=0)


def _head(path: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        return file.readline()
    return b""
