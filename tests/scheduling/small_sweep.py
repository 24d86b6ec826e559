"""Small sweeps for schedule.py: their files, the command, and what it leaves on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sweep_runs
from click.testing import CliRunner
from sweep_runs import MAIN, RANDOM, ROOT

from experiment.scheduling import events, submission
from experiment.scheduling.events import Ended
from experiment.scheduling.submission import Submission
from schedule import main

LOCAL = {"scheduler": "local", "cores": 2, "saveBefore": 0}
SLURM = {"scheduler": "slurm", "time": "01:00:00", "cores": 2, "sequential": 2, "memPerCpu": "1G"}
#: A run of no time at all.
SHORT = {
    "total_timesteps": 40,
    "steps_per_episode": 20,
    "eval_interval_timesteps": 40,
    "eval_episodes": 1,
}


class Answer:
    """What a call of schedule.py gave back.

    Attributes:
        said: standard output; `complained`: standard error.
    """

    def __init__(self, code: int, said: str, complained: str) -> None:
        self.code, self.said, self.complained = code, said, complained

    def __repr__(self) -> str:
        return f"exit code {self.code}\n--- stdout\n{self.said}\n--- stderr\n{self.complained}"


class SmallSweep:
    """In `folder`, with SAVE_DIR "out". Runs cost next to nothing unless `environment` says so."""

    def __init__(
        self,
        folder: Path,
        cluster: Mapping[str, Any] = LOCAL,
        agent: Mapping[str, Any] = RANDOM,
        **environment: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.program: object = MAIN
        self.agents = ["agent.json"]
        self.write("cluster.json", cluster)
        self.write("agent.json", agent)
        self.write("environment.json", sweep_runs.environment(**SHORT | environment))

    def write(self, name: str, content: Any) -> Path:
        """A file beside the others."""
        path = self.folder / name
        path.write_text(json.dumps(content))
        return path

    def words(self, *options: object) -> list[str]:
        """The arguments of schedule.py."""
        files = [self.folder / "cluster.json", self.program, self.folder]
        agents = [self.folder / name for name in self.agents]
        words = [*files, self.folder / "environment.json", "out", *agents, *options]
        return [str(word) for word in words]

    def schedule(self, *options: object, agree: bool = True) -> Answer:
        """Calls schedule.py in this process; the working directory changes."""
        yes = ["--yes"] if agree else []
        result = CliRunner().invoke(main, self.words(*options, *yes))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def command(self, *options: object) -> list[str]:
        """schedule.py as a process of its own."""
        return [sys.executable, str(ROOT / "schedule.py"), *self.words(*options, "--yes")]

    def call(self, *options: object) -> Answer:
        """Runs it to its end."""
        done = subprocess.run(
            self.command(*options), capture_output=True, text=True, timeout=120, check=False
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def start(self, *options: object, **how: Any) -> subprocess.Popen[str]:
        """Starts it."""
        return subprocess.Popen(
            self.command(*options),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **how,
        )

    # -- what there is

    @property
    def results(self) -> Path:
        """The folder of the records."""
        (path,) = (self.folder / "results" / "out").iterdir()
        return path

    @property
    def submissions(self) -> list[Submission]:
        """Oldest first."""
        out = self.folder / "results" / "out"
        folders = sorted(out.iterdir()) if out.exists() else []
        return [one for folder in folders for one in submission.all_of(folder)]

    def indices(self) -> list[list[int]]:
        """Of every submission, all that it takes."""
        return [
            sorted(index for task in range(len(one.tasks)) for index in one.indices(task))
            for one in self.submissions
        ]

    def records(self) -> dict[int, dict[str, Any]]:
        """What must be equal in every run of the same."""
        return records_below(self.folder)

    def ends(self) -> list[Ended]:
        """How groups of runs ended, in all jobs."""
        return [
            event
            for one in self.submissions
            for task in range(len(one.tasks))
            for event in events.read(one.events_path(task))
            if isinstance(event, Ended)
        ]

    def times_done(self) -> Counter[int]:
        """How often each index was run to its end."""
        return Counter(
            index for event in self.ends() if event.ended == "done" for index in event.indices
        )

    def left_over(self) -> list[str]:
        """Locks, checkpoints and temporaries, of which nothing should be left at the end."""
        kept = [*self.folder.rglob("running/*"), *self.folder.rglob("sender.lock")]
        kept += [path for path in self.folder.rglob(".*") if path.is_file()]
        return sorted(path.name for path in kept)

    def snapshot(self) -> dict[str, bytes]:
        """Every file."""
        paths = sorted(self.folder.rglob("*"))
        return {str(path): path.read_bytes() if path.is_file() else b"" for path in paths}


def records_below(folder: Path) -> dict[int, dict[str, Any]]:
    """Index -> what must be equal in every run of the same, of the records of one sweep."""
    return {
        int(path.stem.rpartition("_")[2]): sweep_runs.comparable(sweep_runs.read_run(path))
        for path in folder.rglob("*_data_*.json")
    }


def undisturbed(sweep: SmallSweep, folder: Path, *options: object) -> dict[int, dict[str, Any]]:
    """The records that main.py alone writes."""
    files = ["--env-json", sweep.folder / "environment.json"]
    files += ["--agent-json", sweep.folder / "agent.json"]
    folder.mkdir()
    done = sweep_runs.run_main(*files, "--save-dir", "out", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    return records_below(folder)
