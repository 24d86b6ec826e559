"""A sweep on the test's cluster: its files, schedule.py, and the records that must come out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sweep_runs

from experiment.scheduling import submission
from experiment.signals import EXIT_SAVED

ROOT = Path(__file__).resolve().parents[2]
#: As many indices as a task of the cluster below takes.
PER_TASK = 8


class SlurmSweep:
    """A sweep of linearAC under `folder`, which knows what an undisturbed one gives.

    Args:
        cluster: fields of the cluster file that differ from a small job's.
    """

    def __init__(
        self,
        folder: Path,
        agent: Mapping[str, Any],
        cluster: Mapping[str, Any] | None = None,
        **environment: Any,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        small = {"scheduler": "slurm", "time": 10, "cores": 2, "sequential": 4, "saveBefore": 20}
        self._write("cluster.json", small | dict(cluster or {}))
        self._write("environment.json", sweep_runs.environment(**environment))
        self._write("agent.json", agent)

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        (self.folder / name).write_text(json.dumps(content))

    def schedule(
        self,
        *options: object,
        program: Path = ROOT / "main.py",
        codes: tuple[int, ...] = (0, EXIT_SAVED),
    ) -> str:
        """Calls schedule.py, which must end with one of the exit codes; returns what it printed."""
        command = [
            *(sys.executable, ROOT / "schedule.py", self.folder / "cluster.json"),
            *(program, self.folder, self.folder / "environment.json", "sweep"),
            *(self.folder / "agent.json", "--yes", *options),
        ]
        done = subprocess.run(
            [str(word) for word in command],
            env={**os.environ},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode in codes, done.stdout + done.stderr
        return done.stdout

    @property
    def results(self) -> Path:
        """The folder of the records."""
        (path,) = (self.folder / "results" / "sweep").iterdir()
        return path

    def records(self) -> dict[str, dict[str, Any]]:
        """File name -> what must be equal in every run of the same, of all records."""
        return {
            path.name: sweep_runs.comparable(sweep_runs.read_run(path))
            for path in self.results.glob("*_data_*.json")
        }

    def jobs(self) -> list[str]:
        """The jobs that were sent, oldest first: one an array; none before the folder is there."""
        return [
            job
            for results in (self.folder / "results" / "sweep").glob("*")
            for sent in submission.all_of(results)
            for job in submission.read_jobs(sent).chunks.values()
        ]

    def locks(self) -> list[Path]:
        """Lock files that are left."""
        return list(self.results.glob("running/*.lock"))


def undisturbed(
    folder: Path, agent: Mapping[str, Any], runs: int, **environment: Any
) -> dict[str, dict[str, Any]]:
    """The records of the same sweep by main.py alone, in one process."""
    folder.mkdir(parents=True, exist_ok=True)
    files = sweep_runs.write_files(folder, agent, **environment)
    options = (*files, "--runs", runs, "--save-dir", "sweep", "--batch", 100)
    done = sweep_runs.run_main(*options, cwd=folder)
    assert done.returncode == 0, done.stderr
    return {
        path.name: sweep_runs.comparable(sweep_runs.read_run(path))
        for path in folder.rglob("*_data_*.json")
    }
