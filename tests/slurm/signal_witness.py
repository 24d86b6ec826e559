"""A task that writes down which signals reach it and its children, and ends for none of them.

python signal_witness.py FILE
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

WATCHED = (signal.SIGTERM, signal.SIGCONT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)


def watch(file: Path, who: str) -> None:
    """Writes lines such as `child SIGTERM`."""

    def write(what: str) -> None:
        with file.open("a") as lines:
            lines.write(f"{who} {what}\n")

    for number in WATCHED:
        signal.signal(number, lambda number, frame: write(signal.Signals(number).name))
    write(f"begins, restarts: {os.environ.get('SLURM_RESTART_COUNT', 'none')}")


def main(file: Path) -> None:
    """Three processes: the task, its child, and a child that left its session."""
    watch(file, "task")
    for who in ("child", "distant child"):
        if os.fork() == 0:
            if who == "distant child":
                os.setsid()
            watch(file, who)
            break
    while True:
        time.sleep(0.2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
