"""The lines of all runs of a task in one file, each with its time and its run."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

from experiment.files import storage
from experiment.scheduling.events import Ended
from experiment.scheduling.pool import label_of
from experiment.scheduling.ranges import holds

_LINE = re.compile(r"\S+ \S+ (?:index|indices) ([\d,-]+): ")


class TaskLog:
    """Writes it. On a full disk lines are lost, for which no run is to stop."""

    def __init__(self, path: Path) -> None:
        with storage(f"{path}: cannot be written"):
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def say(self, label: str, text: str) -> None:
        """What a run printed."""
        text = text.removeprefix(f"{label}: ")
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {label}: {text}\n"
        with contextlib.suppress(OSError):
            os.write(self._file, line.encode("utf-8", "replace"))

    def ended(self, ended: Ended) -> None:
        """How a group of runs ended."""
        how = f" by signal {ended.signal}" if ended.signal else ""
        how += f" with exit code {ended.exit}" if ended.exit else ""
        then = "; started again" if ended.again else ""
        self.say(label_of(ended.indices), f"{ended.ended}{how} after {ended.wall:.1f} s{then}")

    def close(self) -> None:
        """No more lines."""
        os.close(self._file)


def lines_of(path: Path, index: int) -> list[str]:
    """What the log says of one run."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    matches = ((line, _LINE.match(line)) for line in text.splitlines())
    return [line for line, match in matches if match and holds(match[1], index)]
