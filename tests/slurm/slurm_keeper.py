"""The process that owns a cluster's daemons, so that none can outlive its test.

It starts and stops daemons as the lines of its input ask, and answers each line. When the input
ends, however the test's process did, it kills all that is left: the daemons, the jobs and
whatever those began, for the orphans among them are handed to this process. Then it removes the
cluster's folder.

python slurm_keeper.py FOLDER, where FOLDER/daemons.json says each daemon's command
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
#: How long a daemon may take to shut down before it is killed.
PATIENCE = 20.0


class Keeper:
    """The daemons of one cluster, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commands: dict[str, list[str]] = json.loads((folder / "daemons.json").read_text())
        self.running: dict[str, int] = {}

    def obey(self, line: str) -> str:
        """Does what a line asks; the answer."""
        match line.split():
            case ["start", name]:
                self.start(name)
            case ["stop", name]:
                self.stop(name)
            case ["kill", "jobs"]:
                self.kill_jobs()
            case ["runs", name]:
                self.reap()
                return "yes" if name in self.running else "no"
            case _:
                return f"not understood: {line}"
        return "done"

    def start(self, name: str) -> None:
        """Starts a daemon that does not run."""
        if name in self.running:
            return
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                self.commands[name],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        process.returncode = 0  # its end is told by `reap`, which waits for all children alike
        self.running[name] = process.pid

    def stop(self, name: str) -> None:
        """Ends a daemon, and waits for its end."""
        deadline = time.monotonic() + PATIENCE
        number = signal.SIGTERM
        while name in self.running:
            os.kill(self.running[name], number)
            while name in self.running and time.monotonic() < deadline:
                time.sleep(0.02)
                self.reap()
            number = signal.SIGKILL
            deadline = time.monotonic() + 1

    def kill_jobs(self) -> None:
        """Ends what jobs began, without the time that Slurm gives them."""
        for pid in descendants(os.getpid()):
            if name_of(pid) == "slurmstepd":
                kill(descendants(pid))

    def reap(self) -> bool:
        """Collects the children that ended, adopted ones too; whether there are others."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.running.clear()
                return False
            if pid == 0:
                return True
            self.running = {name: other for name, other in self.running.items() if other != pid}

    def end(self) -> None:
        """Leaves no process and no file."""
        while self.reap():
            kill(descendants(os.getpid()))
            time.sleep(0.02)
        shutil.rmtree(self.folder, ignore_errors=True)


def kill(pids: Iterable[int]) -> None:
    """Ends processes at once; some may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def name_of(pid: int) -> str:
    """The name of a process, empty when it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def descendants(ancestor: int) -> set[int]:
    """All processes below one."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # the name, which may hold anything, ends with the last parenthesis
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in {ancestor, *found}} - found:
        found |= more
    return found


def main(folder: Path) -> None:
    """Obeys the lines of the standard input until it ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())
    keeper = Keeper(folder)
    try:
        while True:
            # orphans that end between two lines are collected soon too
            if select.select([sys.stdin], [], [], 0.1)[0]:
                line = sys.stdin.readline()
                if not line:
                    break
                print(keeper.obey(line), flush=True)
            keeper.reap()
    finally:
        keeper.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
