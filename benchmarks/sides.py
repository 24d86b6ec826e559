"""Sides of a benchmark: processes of one thread, each in its own virtual environment.

They do pieces of work in turns, so that all meet the same machine.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from peer_environments import NotInstalledError, python_of

HERE = Path(__file__).resolve().parent
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class SideFailedError(Exception):
    """A side's process has ended."""


class Side:
    """A process that works as it is told.

    Attributes:
        versions: of its packages.

    Args:
        script: in this folder; it calls `serving.serve`.
        folder: that it works in.
        arguments: of the script.

    Raises:
        SideFailedError: it has ended; said by every method.
    """

    def __init__(self, python: str | Path, script: str, folder: Path, *arguments: str) -> None:
        self._folder, self._script = folder, script
        self._said = (folder / f"{script}.log").open("w+")
        self._process = subprocess.Popen(
            [python, HERE / script, *arguments],
            cwd=folder,
            env={**os.environ, **ONE_THREAD},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        self.versions: dict[str, str] = self._answer()

    def rate(self, work: str) -> float:
        """How much of it for a CPU second."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"work": work, "folder": str(self._folder)}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        rate: float = answer["amount"] / answer["seconds"]
        return rate

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._said.seek(0)
            said = self._said.read().strip().splitlines() or ["it said nothing"]
            raise SideFailedError(f"{self._script} has ended: {said[-1]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()
        self._said.close()


def peer_of(peer: str, script: str, folder: Path, python: Path | None) -> Side | None:
    """A side that is another library; None, and a line that says why, where it cannot be had.

    Args:
        python: that has it; None: of a virtual environment that is made for it.
    """
    try:
        return Side(python or python_of(peer), script, folder)
    except (NotInstalledError, SideFailedError, OSError) as problem:
        print(f"without {peer}: {problem}", flush=True)
        return None


def number(value: float) -> str:
    """Three digits that say something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
